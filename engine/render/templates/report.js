"use strict";
(() => {
  const form = document.getElementById("filters");
  const find = document.getElementById("find");
  const outcome = document.getElementById("outcome");
  const instance = document.getElementById("instance");
  const shown = document.getElementById("shown");
  const groups = Array.from(document.querySelectorAll("details.group"), (box) => ({
    box, open: box.open, outcome: box.dataset.outcome,
    rows: Array.from(box.querySelectorAll("tbody tr"), (row) => ({
      row, instance: row.cells[2].textContent.trim(), text: null,
    })),
  }));
  const total = groups.reduce((sum, group) => sum + group.rows.length, 0);
  if (!total) return;
  const kinds = new Set();
  for (const group of groups) for (const entry of group.rows) if (entry.instance) kinds.add(entry.instance);
  for (const kind of Array.from(kinds).sort()) {
    const option = document.createElement("option");
    option.value = kind;
    option.textContent = kind;
    instance.append(option);
  }
  const apply = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const filtering = words.length > 0 || outcome.value !== "" || instance.value !== "";
    let count = 0;
    for (const group of groups) {
      const wanted = !outcome.value || group.outcome === outcome.value;
      let here = 0;
      for (const entry of group.rows) {
        let fits = wanted && (!instance.value || entry.instance === instance.value);
        if (fits && words.length) {
          entry.text ??= (entry.row.textContent + " " + group.outcome).toLowerCase();
          fits = words.every((word) => entry.text.includes(word));
        }
        if (entry.row.hidden === fits) entry.row.hidden = !fits;
        here += fits;
      }
      group.box.hidden = here === 0;
      group.box.open = filtering ? here > 0 && here <= 1000 : group.open;
      count += here;
    }
    shown.textContent = filtering ? `${count.toLocaleString("en")} of ${total.toLocaleString("en")} apps` : "";
  };
  let waiting = 0;
  find.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  outcome.addEventListener("change", apply);
  instance.addEventListener("change", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply, 0));
  for (const tile of document.querySelectorAll(".tiles a")) {
    tile.addEventListener("click", () => {
      const name = tile.dataset.outcome;
      outcome.value = Array.from(outcome.options).some((option) => option.value === name) ? name : "";
      apply();
    });
  }
  form.hidden = false;
})();
