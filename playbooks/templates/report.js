// SPDX-License-Identifier: GPL-3.0-or-later
// Sorts and filters what is already on the page; without it the page says the same.
"use strict";
(() => {
  const table = document.getElementById("fleet");
  const rows = Array.from(table.tBodies[0].rows);
  const details = Array.from(document.querySelectorAll("details"));
  const shown = document.getElementById("shown");
  const words = document.getElementById("words");
  const health = document.getElementById("health");

  // What a filter looks into, read when the first one is typed.
  let texts = null;
  const text = (index) => {
    texts = texts || rows.map((row, at) => (row.textContent + " " + details[at].textContent).toLowerCase());
    return texts[index];
  };

  function filter() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, index) => {
      const fits = (!health.value || row.querySelector(".state").textContent === health.value)
        && wanted.every((word) => text(index).includes(word));
      row.hidden = details[index].hidden = !fits;
      count += fits;
    });
    shown.textContent = count === rows.length ? `${count} hosts` : `${count} of ${rows.length} hosts`;
  }

  // Hosts without a value come last, whatever the order.
  function sort(column, descending) {
    const value = (row) => {
      const cell = row.cells[column];
      if (!("v" in cell.dataset)) return cell.textContent.trim();
      return cell.dataset.v === "" ? null : Number(cell.dataset.v);
    };
    const order = rows.map((row, index) => ({ row, index, key: value(row) }));
    const empty = (key) => key === null || key === "";
    order.sort((a, b) => {
      if (empty(a.key) || empty(b.key)) return empty(a.key) - empty(b.key) || a.index - b.index;
      const compared = typeof a.key === "number" ? a.key - b.key : a.key.localeCompare(b.key, "en", { numeric: true });
      return (descending ? -compared : compared) || a.index - b.index;
    });
    table.tBodies[0].append(...order.map((item) => item.row));
  }

  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      // Numbers begin with the largest, words with A.
      const descending = now ? now === "ascending" : "v" in (rows[0] ? rows[0].cells[column].dataset : {});
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sort(column, descending);
    });
  });

  // Browsers open the details around a link's target by themselves; older ones do not.
  function open() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const around = target && target.closest("details");
    if (!around) return;
    around.hidden = false;
    around.open = true;
    around.scrollIntoView();
  }
  addEventListener("hashchange", open);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#host-"]');
    if (link && link.hash === location.hash) open();
  });

  const all = document.getElementById("all");
  all.addEventListener("click", () => {
    const opens = all.textContent === "Open all";
    details.forEach((one) => { one.open = opens && !one.hidden; });
    all.textContent = opens ? "Close all" : "Open all";
  });

  words.addEventListener("input", filter);
  health.addEventListener("change", filter);
  words.form.addEventListener("submit", (event) => event.preventDefault());
  words.form.hidden = all.hidden = false;
  filter();
  open();
})();
