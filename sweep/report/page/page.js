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

  // What a person chose outlives sections that a server replaces.
  const chosen = {best: "", filters: {}, sort: "", way: 1, all: false};

  // The best share of the combinations stands out.
  const parallels = () => {
    for (const figure of document.querySelectorAll(".parallel")) {
      const control = figure.querySelector(".leading");
      const range = control.querySelector("input");
      const show = () => {
        control.querySelector("output").textContent = range.value + " %";
        for (const line of figure.querySelectorAll(".combination")) {
          line.classList.toggle("on", Number(line.dataset.better) < range.value / 100);
        }
      };
      control.hidden = false;
      range.addEventListener("input", () => {
        chosen.best = range.value;
        show();
      });
      if (chosen.best) {
        range.value = chosen.best;
        show();
      }
    }
  };

  const trials = () => {
    const form = document.querySelector(".filters");
    if (!form) return;
    const body = document.querySelector(".trials tbody");
    const rest = document.getElementById("rest");
    const more = document.getElementById("more");
    const rows = [...body.rows, ...(rest ? rest.content.querySelectorAll("tr") : [])];
    let limit = chosen.all ? rows.length : body.rows.length;
    const show = () => {
      const wanted = [...form.querySelectorAll("select")].filter((s) => s.value);
      const found = rows.filter((row) => wanted.every((s) => row.cells[s.dataset.column].textContent === s.value));
      body.replaceChildren(...found.slice(0, limit));
      form.querySelector("output").textContent = found.length + " of " + rows.length + " trials";
      if (more) more.hidden = found.length <= limit;
    };
    if (more) {
      more.addEventListener("click", () => {
        chosen.all = true;
        limit = rows.length;
        show();
      });
    }
    const name = (select) => select.parentElement.firstChild.textContent;
    for (const s of form.querySelectorAll("select")) s.value = [...s.options].some((o) => o.value === chosen.filters[name(s)]) ? chosen.filters[name(s)] : "";
    form.hidden = false;
    form.addEventListener("input", () => {
      for (const s of form.querySelectorAll("select")) chosen.filters[name(s)] = s.value;
      show();
    });
    form.addEventListener("submit", (e) => e.preventDefault());

    // Headers become buttons that sort; what is missing comes last either way.
    const heads = [...document.querySelectorAll(".trials th")];
    const sort = (column, way) => {
      const head = heads[column];
      [chosen.sort, chosen.way] = [head.textContent, way];
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
      b.addEventListener("click", () => sort(column, head.getAttribute("aria-sort") === "ascending" ? -1 : 1));
      head.replaceChildren(b);
    });
    const sorted = heads.findIndex((head) => head.textContent === chosen.sort);
    if (sorted < 0) show();
    else sort(sorted, chosen.way);
  };

  parallels();
  trials();
  document.addEventListener("replaced", (e) => {
    if (e.target.querySelector(".parallel")) parallels();
    if (e.target.querySelector(".trials")) trials();
  });

  // A ladder named in the address opens.
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
