"use strict";

// The steps of gan/formats/primitives.py. A tensor is {shape, data}; data are in row-major order, for one example.
const OPERATIONS = {
  reshape: (step, x) => x.data,
  gather: (step, x, index) => index.data.map((place) => x.data[place]),
  rows: (step, table, index) => {
    const length = table.shape[1];
    return [...index.data].flatMap((row) => [...table.data.subarray(row * length, (row + 1) * length)]);
  },

  relu: (step, x) => x.data.map((v) => Math.max(v, 0)),
  leaky_relu: (step, x) => x.data.map((v) => (v > 0 ? v : v * step.settings.negative_slope)),
  elu: (step, x) => {
    const { alpha, scale, input_scale } = step.settings;
    return x.data.map((v) => scale * (v > 0 ? v : alpha * Math.expm1(v * input_scale)));
  },
  softplus: (step, x) => {
    const { beta, threshold } = step.settings;
    return x.data.map((v) => (v * beta > threshold ? v : Math.log1p(Math.exp(v * beta)) / beta));
  },
  silu: (step, x) => x.data.map((v) => v / (1 + Math.exp(-v))),
  sigmoid: (step, x) => x.data.map((v) => 1 / (1 + Math.exp(-v))),
  tanh: (step, x) => x.data.map(Math.tanh),
  clamp: (step, x) => {
    const { min, max } = step.settings;
    return x.data.map((v) => Math.min(Math.max(v, min ?? -Infinity), max ?? Infinity));
  },

  add: (step, a, b) => broadcast(step.shape, a, b, (x, y) => x + y),
  subtract: (step, a, b) => broadcast(step.shape, a, b, (x, y) => x - y),
  multiply: (step, a, b) => broadcast(step.shape, a, b, (x, y) => x * y),
  divide: (step, a, b) => broadcast(step.shape, a, b, (x, y) => x / y),
  equal: (step, a, b) => broadcast(step.shape, a, b, (x, y) => (x === y ? 1 : 0)),

  linear(step, x, weight, bias) {
    const [units, width] = weight.shape;
    const result = new Float32Array(product(step.shape));
    for (let place = 0; place < result.length; place++) {
      const start = Math.floor(place / units) * width;
      const row = (place % units) * width;
      let sum = bias.data[place % units];
      for (let i = 0; i < width; i++) sum += weight.data[row + i] * x.data[start + i];
      result[place] = sum;
    }
    return result;
  },

  convolution,

  // Blocks of `size` values get mean 0 and variance 1.
  standardize(step, x) {
    const { size, eps } = step.settings;
    const result = new Float32Array(x.data.length);
    for (let start = 0; start < result.length; start += size) {
      const block = x.data.subarray(start, start + size);
      const mean = block.reduce((sum, v) => sum + v, 0) / size;
      const variance = block.reduce((sum, v) => sum + (v - mean) ** 2, 0) / size;
      for (let i = 0; i < size; i++) result[start + i] = (block[i] - mean) / Math.sqrt(variance + eps);
    }
    return result;
  },

  // rows · image · columnsᵀ for each channel
  resample(step, x, rows, columns) {
    const [height, width] = x.shape.slice(2);
    const [newHeight, newWidth] = step.shape.slice(2);
    const result = new Float64Array(product(step.shape));
    for (let channel = 0; channel < step.shape[1]; channel++) {
      for (let i = 0; i < newHeight; i++) {
        for (let k = 0; k < height; k++) {
          const weight = rows.data[i * height + k];
          if (weight === 0) continue;
          const source = (channel * height + k) * width;
          const target = (channel * newHeight + i) * newWidth;
          for (let j = 0; j < newWidth; j++) {
            for (let l = 0; l < width; l++) {
              const factor = columns.data[j * width + l];
              if (factor !== 0) result[target + j] += weight * factor * x.data[source + l];
            }
          }
        }
      }
    }
    return result;
  },

  concatenate(step, ...tensors) {
    const outer = product(step.shape.slice(0, step.settings.dim));
    const result = new Float32Array(product(step.shape));
    let place = 0;
    for (let i = 0; i < outer; i++) {
      for (const { data } of tensors) {
        const length = data.length / outer;
        result.set(data.subarray(i * length, (i + 1) * length), place);
        place += length;
      }
    }
    return result;
  },

  maximum(step, x) {
    const { dim } = step.settings;
    const inner = product(x.shape.slice(dim + 1));
    const count = x.shape[dim];
    const result = new Float32Array(product(step.shape)).fill(-Infinity);
    x.data.forEach((v, i) => {
      const place = Math.floor(i / (inner * count)) * inner + (i % inner);
      result[place] = Math.max(result[place], v);
    });
    return result;
  },
};

// A convolution takes values from a large or equal map to a small one; a transposed one takes them back. Both pair each
// small pixel with `kernel` large ones.
function convolution(step, x, weight, bias) {
  const { stride, padding, dilation, groups, transposed } = step.settings;
  const [outputs, outHeight, outWidth] = step.shape.slice(1);
  const [inputs, inHeight, inWidth] = x.shape.slice(1);
  const [rows, columns] = weight.shape.slice(2);
  const small = transposed ? [inHeight, inWidth] : [outHeight, outWidth];
  const large = transposed ? [outHeight, outWidth] : [inHeight, inWidth];
  const result = new Float64Array(product(step.shape));
  for (let o = 0; o < outputs; o++) result.fill(bias.data[o], o * outHeight * outWidth, (o + 1) * outHeight * outWidth);
  for (let o = 0; o < outputs; o++) {
    const group = Math.floor((o * groups) / outputs);
    for (let i = (group * inputs) / groups; i < ((group + 1) * inputs) / groups; i++) {
      const kernel = transposed
        ? (i * (outputs / groups) + (o % (outputs / groups))) * rows * columns
        : (o * (inputs / groups) + (i % (inputs / groups))) * rows * columns;
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) {
          const w = weight.data[kernel + r * columns + c];
          for (let y = 0; y < small[0]; y++) {
            const largeY = y * stride[0] + r * dilation[0] - padding[0];
            if (largeY < 0 || largeY >= large[0]) continue;
            // Columns of the large map: 0 <= xs * stride + offset < width.
            const offset = c * dilation[1] - padding[1];
            const first = Math.max(0, Math.ceil(-offset / stride[1]));
            const end = Math.min(small[1], Math.floor((large[1] - 1 - offset) / stride[1]) + 1);
            const inRow = (i * inHeight + (transposed ? y : largeY)) * inWidth;
            const outRow = (o * outHeight + (transposed ? largeY : y)) * outWidth;
            const [inStep, outStep] = transposed ? [1, stride[1]] : [stride[1], 1];
            const [inStart, outStart] = transposed ? [inRow, outRow + offset] : [inRow + offset, outRow];
            for (let k = first; k < end; k++) result[outStart + k * outStep] += w * x.data[inStart + k * inStep];
          }
        }
      }
    }
  }
  return result;
}

const product = (shape) => shape.reduce((total, size) => total * size, 1);

// f of two tensors whose shapes broadcast to `shape` by torch's rules.
function broadcast(shape, a, b, f) {
  const places = [a, b].map((tensor) => {
    let step = 1;
    const missing = shape.length - tensor.shape.length;
    const steps = shape.map(() => 0);
    for (let d = tensor.shape.length - 1; d >= 0; d--) {
      if (tensor.shape[d] > 1) steps[missing + d] = step;
      step *= tensor.shape[d];
    }
    return steps;
  });
  const result = new Float32Array(product(shape));
  const index = shape.map(() => 0);
  let [i, j] = [0, 0];
  for (let place = 0; place < result.length; place++) {
    result[place] = f(a.data[i], b.data[j]);
    for (let d = shape.length - 1; d >= 0; d--) {
      i += places[0][d];
      j += places[1][d];
      if (++index[d] < shape[d]) break;
      i -= places[0][d] * shape[d];
      j -= places[1][d] * shape[d];
      index[d] = 0;
    }
  }
  return result;
}

function readConstants(model) {
  const text = atob(model.weights);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  const read = {
    float16: (place, count) => Float32Array.from(new Uint16Array(bytes.buffer, place, count), fromHalf),
    float32: (place, count) => new Float32Array(bytes.buffer, place, count),
    int32: (place, count) => Float32Array.from(new Int32Array(bytes.buffer, place, count)),
  };
  const constants = {};
  for (const [name, dtype, shape, place] of model.constants) {
    constants[name] = { shape, data: read[dtype](place, product(shape)) };
  }
  return constants;
}

// The number whose float16 has these 16 bits.
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

// A function of a latent (an array) and a label to an image: Float32Array (C · H · W), pixels in [0, 1].
function createGenerator(model) {
  const constants = readConstants(model);
  return (z, label = -1) => {
    const values = { ...constants };
    values.z = { shape: [1, z.length], data: Float32Array.from(z) };
    values.labels = { shape: [1], data: Float32Array.of(label) };
    for (const step of model.steps) {
      const data = OPERATIONS[step.op](step, ...step.inputs.map((name) => values[name]));
      values[step.name] = { shape: step.shape, data: data instanceof Float32Array ? data : Float32Array.from(data) };
    }
    return values[model.output].data;
  };
}
