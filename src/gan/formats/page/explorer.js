"use strict";

const model = JSON.parse(document.getElementById("model").textContent);
const generate = createGenerator(model);
const [channels, height, width] = model.image_shape;
const dim = model.latents[0].length;
const TILES = 5; // per side of the map
const find = (id) => document.getElementById(id);

// z = the point between the corners + the sliders' sums, within the range of the prior's latents.
const state = { corners: [0, 1, 2, 3], x: 0.5, y: 0.5, label: model.classes === null ? -1 : 0, sliders: [] };
const range = [Infinity, -Infinity];
for (const z of model.latents) {
  for (const v of z) {
    range[0] = Math.min(range[0], v);
    range[1] = Math.max(range[1], v);
  }
}

const norm = (v) => Math.hypot(...v);

function blend(x, y) {
  const weights = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];
  const corners = state.corners.map((place) => model.latents[place]);
  const z = corners[0].map((_, i) => weights.reduce((sum, weight, k) => sum + weight * corners[k][i], 0));
  if (!model.keeps_length) return z;
  const length = weights.reduce((sum, weight, k) => sum + weight * norm(corners[k]), 0);
  const factor = length / Math.max(norm(z), 1e-12);
  return z.map((v) => v * factor);
}

function latent(x, y) {
  const z = blend(x, y);
  for (const { input, direction } of state.sliders) {
    const amount = Number(input.value);
    if (amount !== 0) direction().forEach((v, i) => (z[i] += amount * v));
  }
  return z.map((v) => Math.min(Math.max(v, range[0]), range[1]));
}

function paint(canvas, image, left = 0, top = 0) {
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) {
      pixels.data[4 * i + c] = Math.round(255 * image[(channels === 3 ? c : 0) * width * height + i]);
    }
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, left, top);
}

// One image per frame at most, however fast the pointer moves; then the tiles of the map, a few per frame.
let waiting = false;
let tiles = [];

function update({ map = false } = {}) {
  if (map) tiles = Array.from({ length: TILES * TILES }, (_, i) => i);
  find("handle").style.left = `${100 * place(state.x)}%`;
  find("handle").style.top = `${100 * place(state.y)}%`;
  state.isStale = true;
  if (!waiting) requestAnimationFrame(draw);
  waiting = true;
}

function draw() {
  waiting = false;
  const started = performance.now();
  if (state.isStale) {
    paint(find("image"), generate(latent(state.x, state.y), state.label));
    const taken = performance.now() - started;
    find("time").textContent = `${taken < 10 ? taken.toFixed(1) : Math.round(taken)} ms`;
    state.isStale = false;
  }
  const canvas = find("map").querySelector("canvas");
  while (tiles.length > 0 && performance.now() - started < 12) {
    const tile = tiles.shift();
    const [row, column] = [Math.floor(tile / TILES), tile % TILES];
    const image = generate(latent(column / (TILES - 1), row / (TILES - 1)), state.label);
    paint(canvas, image, column * width, row * height);
  }
  if (tiles.length > 0) {
    waiting = true;
    requestAnimationFrame(draw);
  }
}

// 0 and 1 are the centers of the outer tiles.
const place = (t) => (t * (TILES - 1) + 0.5) / TILES;
const unplace = (share) => Math.min(Math.max((share * TILES - 0.5) / (TILES - 1), 0), 1);

function addSlider(parent, name, direction) {
  const row = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "range", min: -3, max: 3, step: 0.05, value: 0 });
  const output = document.createElement("output");
  const show = () => (output.textContent = Number(input.value).toFixed(2));
  input.addEventListener("input", () => {
    show();
    update();
  });
  input.addEventListener("change", () => update({ map: true }));
  row.append(Object.assign(document.createElement("span"), { textContent: name }), input, output);
  find(parent).append(row);
  state.sliders.push({ input, direction, show });
  show();
}

function randomDirection() {
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  const v = Array.from({ length: dim }, normal);
  const length = norm(v);
  return v.map((each) => each / length);
}

function moveTo(event) {
  const box = find("map").getBoundingClientRect();
  state.x = unplace((event.clientX - box.left) / box.width);
  state.y = unplace((event.clientY - box.top) / box.height);
  update();
}

function start() {
  Object.assign(find("image"), { width, height });
  Object.assign(find("map").querySelector("canvas"), { width: TILES * width, height: TILES * height });
  const { data, generator, iteration, seed } = model;
  find("about").textContent = `${data} · ${generator} · iteration ${iteration.toLocaleString("en")} · seed ${seed}`;
  find("count").textContent = `(${dim})`;

  model.directions.forEach((direction, k) => addSlider("directions", k + 1, () => direction));
  let random = randomDirection();
  addSlider("random", "d", () => random);
  for (let i = 0; i < dim; i++) {
    const unit = Array.from({ length: dim }, (_, k) => Number(k === i));
    addSlider("coordinates", i + 1, () => unit);
  }
  find("another").onclick = () => {
    random = randomDirection();
    const slider = state.sliders[model.directions.length];
    if (Number(slider.input.value) === 0) slider.input.value = 2; // so that the button shows something
    slider.show();
    update({ map: true });
  };
  find("reset").onclick = () => {
    for (const { input, show } of state.sliders) {
      input.value = 0;
      show();
    }
    update({ map: true });
  };
  find("others").onclick = () => {
    const order = model.latents.map((_, i) => [Math.random(), i]).sort((a, b) => a[0] - b[0]);
    state.corners = order.slice(0, 4).map(([, i]) => i);
    update({ map: true });
  };

  const map = find("map");
  map.onpointerdown = (event) => {
    map.setPointerCapture(event.pointerId);
    moveTo(event);
  };
  map.onpointermove = (event) => event.buttons > 0 && moveTo(event);
  map.onkeydown = (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    state.x = Math.min(Math.max(state.x + 0.05 * moves[event.key][0], 0), 1);
    state.y = Math.min(Math.max(state.y + 0.05 * moves[event.key][1], 0), 1);
    update();
  };

  find("labels").hidden = model.classes === null;
  for (let label = 0; label < (model.classes ?? 0); label++) {
    const button = Object.assign(document.createElement("button"), { textContent: label });
    button.ariaPressed = label === state.label;
    button.onclick = () => {
      for (const each of find("labels").children) each.ariaPressed = each === button;
      state.label = label;
      update({ map: true });
    };
    find("labels").append(button);
  }
  update({ map: true });
}

start();
