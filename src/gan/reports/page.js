"use strict";
(() => {
  const table = document.getElementById("table");
  const all = (selector) => [...document.querySelectorAll(selector)];

  // Sorting: a click on a column's title, numbers as numbers, missing values always last.
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, {numeric: true}) : x - y;
  };
  const sort = (header) => {
    const column = header.cellIndex;
    const down = header.getAttribute("aria-sort") === "ascending";
    all("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => row.cells[column].dataset.value;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return down ? compare(y, x) : compare(x, y);
    });
    table.tBodies[0].append(...rows);
  };
  all("#table thead button").forEach((button) => button.addEventListener("click", () => sort(button.parentElement)));

  // The filter: each word must occur in a setting. It also hides the setting's curves and samples.
  const filter = document.getElementById("filter");
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = all("#table tbody tr");
    const hidden = new Set(rows.filter((row) => !words.every((word) => row.dataset.text.includes(word)))
      .map((row) => row.dataset.group));
    all("[data-group]").forEach((part) => part.toggleAttribute("hidden", hidden.has(part.dataset.group)));
    document.getElementById("shown").textContent = `${rows.length - hidden.size} of ${rows.length} settings`;
  };
  filter?.addEventListener("input", apply);

  // The columns of one generator.
  const generator = document.getElementById("generator");
  const choose = () => {
    const hide = (name) => Boolean(generator.value) && name !== generator.value;
    all("#table [data-generator]").forEach((cell) => cell.toggleAttribute("hidden", hide(cell.dataset.generator)));
    all("#table th[data-generators]").forEach((head) => {
      const shown = head.dataset.generators.split(" ").filter((name) => !hide(name));
      head.colSpan = Math.max(1, shown.length);
      head.toggleAttribute("hidden", shown.length === 0);
    });
  };
  generator?.addEventListener("change", choose);

  // The setting under the pointer is emphasized in all curves.
  const light = (event) => {
    const part = event.target.closest?.("[data-group]");
    const group = part && !part.closest("#groups") ? part.dataset.group : null;
    document.body.classList.toggle("lighting", group !== null);
    all("tr[data-group], .line[data-group]").forEach((one) => one.classList.toggle("lit", one.dataset.group === group));
  };
  document.addEventListener("pointerover", light);

  all(".copy").forEach((button) => button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {  // without permission: select the text, for Ctrl-C
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }));
})();
