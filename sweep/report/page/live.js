"use strict";
// Puts the parts of the page in place that the server sends, and keeps what a person has opened, chosen and reached.
(() => {
  const connection = document.getElementById("connection");
  const say = (text, state) => {
    if (connection.textContent === text) return;
    connection.textContent = text;
    connection.className = "chip " + state;
  };

  // The place of an element in its part: the same after a part was replaced, unless it went.
  const name = (e) => e.id || (e.parentElement.closest("[id]") || document.body).id + "/" + e.tagName + "." + e.className;
  const places = (part, selector) => {
    const seen = {};
    return [...part.querySelectorAll(selector)].map((e) => {
      const key = name(e);
      seen[key] = (seen[key] || 0) + 1;
      return [key + "#" + seen[key], e];
    });
  };
  const focusable = "a, button, select, input, summary, [tabindex]";

  const remember = (part) => {
    const open = new Map(places(part, "details").map(([k, e]) => [k, e.open]));
    const scrolled = new Map(places(part, ".scroll, pre").filter(([, e]) => e.scrollLeft || e.scrollTop).map(([k, e]) => [k, [e.scrollLeft, e.scrollTop]]));
    const focus = places(part, focusable).find(([, e]) => e === document.activeElement);
    return () => {
      for (const [k, e] of places(part, "details")) if (open.has(k)) e.open = open.get(k);
      for (const [k, e] of places(part, ".scroll, pre")) if (scrolled.has(k)) [e.scrollLeft, e.scrollTop] = scrolled.get(k);
      const again = focus && places(part, focusable).find(([k]) => k === focus[0]);
      if (again) again[1].focus({preventScroll: true});
    };
  };

  // A part stays while a person selects text in it or chooses from a list, for some seconds at most.
  let touched = 0;
  addEventListener("input", () => { touched = 0; }, true);
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { touched = Date.now(); }, true);
  const busy = (part) => {
    const s = getSelection();
    const marked = !s.isCollapsed && part.contains(s.anchorNode);
    const choosing = document.activeElement.tagName === "SELECT" && part.contains(document.activeElement);
    return (marked || choosing) && Date.now() - touched < 10000;
  };

  const waiting = new Map();
  const replace = (news) => {
    const part = document.querySelector(`[data-part="${news.id}"]`);
    waiting.delete(news.id);
    if (!part || part.dataset.hash === news.hash) return;
    if (busy(part)) {
      waiting.set(news.id, news);
      return;
    }
    const restore = remember(part);
    const made = document.createElement("template");
    made.innerHTML = news.html;
    part.replaceChildren(made.content);
    part.dataset.hash = news.hash;
    part.dispatchEvent(new CustomEvent("replaced", {bubbles: true}));
    restore();
  };
  setInterval(() => [...waiting.values()].forEach(replace), 500);

  // A hidden page asks for nothing.
  let stream;
  const listen = () => {
    if (stream) stream.close();
    stream = undefined;
    if (document.hidden) return;
    stream = new EventSource(document.body.dataset.events);
    stream.onopen = () => say("live", "on");
    stream.onmessage = (e) => {
      say("live", "on");
      replace(JSON.parse(e.data));
    };
    stream.addEventListener("trouble", (e) => say(JSON.parse(e.data), "off"));
    stream.onerror = () => say("not connected", "off");
  };
  document.addEventListener("visibilitychange", listen);
  listen();

  document.addEventListener("click", async (e) => {
    const button = e.target.closest("[data-load]");
    if (!button) return;
    button.disabled = true;
    button.textContent = "Loading";
    try {
      const answer = await fetch(location.pathname + "/parts/" + button.dataset.load + location.search);
      if (!answer.ok) throw new Error(answer.statusText);
      replace(await answer.json());
      button.disabled = false;
      button.textContent = "Load again";
    } catch (error) {
      button.disabled = false;
      button.textContent = "Failed: try again";
    }
  });
})();
