"use strict";
// Nothing here computes a number: it filters, sorts and highlights what the page has, and switches its colours.
(() => {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  const button = document.getElementById("theme");
  const label = () => {
    button.textContent = dark() ? "Light" : "Dark";
    button.setAttribute("aria-label", dark() ? "Switch to light colours" : "Switch to dark colours");
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  label();

  // The best share of the combinations stands out.
  const parallels = () => {
    for (const figure of document.querySelectorAll(".parallel")) {
      const control = figure.querySelector(".best");
      const range = control.querySelector("input");
      control.hidden = false;
      range.addEventListener("input", () => {
        control.querySelector("output").textContent = range.value + " %";
        for (const line of figure.querySelectorAll(".combination")) {
          line.classList.toggle("on", Number(line.dataset.better) < range.value / 100);
        }
      });
    }
  };

  const trials = () => {
    const form = document.querySelector(".filters");
    const body = document.querySelector(".trials tbody");
    const rest = document.getElementById("rest");
    const more = document.getElementById("more");
    const rows = [...body.rows, ...(rest ? rest.content.querySelectorAll("tr") : [])];
    let limit = body.rows.length;
    const show = () => {
      const wanted = [...form.querySelectorAll("select")].filter((s) => s.value);
      const found = rows.filter((row) => wanted.every((s) => row.cells[s.dataset.column].textContent === s.value));
      body.replaceChildren(...found.slice(0, limit));
      form.querySelector("output").textContent = found.length + " of " + rows.length + " trials";
      if (more) more.hidden = found.length <= limit;
    };
    if (more) {
      more.addEventListener("click", () => {
        limit = rows.length;
        show();
      });
    }
    form.hidden = false;
    form.addEventListener("input", show);
    form.addEventListener("submit", (e) => e.preventDefault());
    show();

    // Headers become buttons that sort; what is missing comes last either way.
    const heads = [...document.querySelectorAll(".trials th")];
    const sort = (column) => {
      const head = heads[column];
      const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const h of heads) h.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.value;
      rows.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
        const d = Number(x) - Number(y);
        return way * (Number.isNaN(d) ? x.localeCompare(y) : d);
      });
      show();
    };
    heads.forEach((head, column) => {
      const b = document.createElement("button");
      b.type = "button";
      b.textContent = head.textContent;
      b.addEventListener("click", () => sort(column));
      head.replaceChildren(b);
    });
  };

  parallels();
  trials();

  // A ladder named in the address opens.
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
