// Only comfort: whatever is on the page can be read without it.
(() => {
  "use strict";
  const table = document.getElementById("table");
  const opened = () => document.querySelector(".panel:target");

  const close = () => {
    const panel = opened();
    if (!panel) return false;
    const { scrollX, scrollY } = window;
    location.replace(panel.querySelector(".close").hash);
    window.scrollTo(scrollX, scrollY);
    const cell = document.getElementById("cell-" + panel.id);
    cell.querySelector("a.cell").focus({ preventScroll: true });
    return true;
  };

  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  // The cell that a key leads to; sections and rows that are hidden are passed over.
  const neighbour = (cell, key) => {
    const row = cell.closest("tr");
    const rows = [...table.querySelectorAll("tbody tr:not(.section):not([hidden])")];
    let next;
    if (key === "Home") next = row.cells[1];
    else if (key === "End") next = row.cells[row.cells.length - 1];
    else if (key in steps) {
      const [down, right] = steps[key];
      const there = rows[rows.indexOf(row) + down];
      next = there && there.cells[cell.cellIndex + right];
    }
    return next && next.querySelector("a.cell");
  };

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") {
      const tip = document.activeElement.closest(".with-tip");
      if (close()) event.preventDefault();
      else if (tip) document.activeElement.blur();
      return;
    }
    const cell = event.target instanceof Element && event.target.closest("td");
    if (!cell || !table || !table.contains(cell)) return;
    const next = neighbour(cell, event.key);
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest(".close") && close()) {
      event.preventDefault();
    }
  });

  // The panel is read from its top, wherever the last one was left.
  window.addEventListener("hashchange", () => {
    const panel = opened();
    if (panel) {
      panel.scrollTop = 0;
      panel.focus({ preventScroll: true });
    }
  });

  const filter = document.querySelector(".filter");
  if (!filter || !table) return;
  filter.hidden = false;
  const input = filter.querySelector("input");
  input.addEventListener("input", () => {
    const sought = input.value.trim().toLowerCase();
    let shown = 0;
    for (const body of table.tBodies) {
      let any = false;
      const [section, ...rows] = body.rows;
      for (const row of rows) {
        const text = (section.textContent + " " + row.textContent).toLowerCase();
        row.hidden = !text.includes(sought);
        if (!row.hidden) {
          any = true;
          shown += 1;
        }
      }
      section.hidden = !any;
    }
    filter.querySelector("output").value = sought ? shown + (shown === 1 ? " row" : " rows") : "";
  });
})();
