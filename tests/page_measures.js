// Runs inside a copy of a page, before everything else: notes errors, and measures the page once its scripts have run.
"use strict";
(() => {
  const errors = [];
  const note = (text) => errors.push(String(text).slice(0, 300));
  window.addEventListener("error", (event) => note(event.message));
  window.addEventListener("unhandledrejection", (event) => note(event.reason));
  document.addEventListener("securitypolicyviolation", (event) => note(event.violatedDirective + " " + event.blockedURI));
  for (const name of ["error", "warn"]) console[name] = (...words) => note(words.join(" "));

  const named = (el) => `${el.tagName.toLowerCase()}#${el.id}.${el.getAttribute("class") || ""} ` +
    (el.textContent || "").trim().slice(0, 40);
  const box = (el) => el.getBoundingClientRect();
  const area = (r) => r.width > 0 || r.height > 0;  // a line has one of them
  const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const LABELS = ".xtick text, .ytick text, .xtitle, .ytitle, .gtitle, .legendtext, .annotation-text";

  const overflowing = () => [...document.body.querySelectorAll("*")].filter((el) =>
    !el.closest("div.table table") && !el.closest("svg") && !el.matches("div.table, script, pre") && area(box(el)) && (
      (el.clientWidth > 0 && el.scrollWidth > el.clientWidth + 1) ||
      box(el).right > document.documentElement.clientWidth + 1 || box(el).left < -1)).map(named);

  const plotted = (plot) => {
    const here = box(plot), labels = [...plot.querySelectorAll(LABELS)].filter((el) => area(box(el)));
    const drawn = [...plot.querySelectorAll(".scatterlayer .trace")].filter((el) => area(box(el)));
    const pairs = labels.flatMap((one, at) => labels.slice(at + 1).map((other) => [one, other]));
    const svg = plot.querySelector("svg.main-svg");
    return {
      id: plot.id, left: here.left + scrollX, top: here.top + scrollY, width: here.width, height: here.height,
      svg: svg ? svg.clientWidth : 0, traces: drawn.length, asked: plot.data ? plot.data.length : -1,
      titled: plot.querySelectorAll(".xtitle").length, ticks: plot.querySelectorAll(".xtick text").length,
      overlaps: pairs.filter(([a, b]) => meet(box(a), box(b))).map(([a, b]) => `${named(a)} / ${named(b)}`),
      cut: labels.filter((el) => box(el).left < here.left - 1 || box(el).right > here.right + 1 ||
        box(el).top < here.top - 1 || box(el).bottom > here.bottom + 1).map(named),
      buttons: ((plot._context || {}).modeBarButtons || []).flat(),
      labels: labels.map((el) => el.textContent),
    };
  };

  const siblings = () => [...document.body.querySelectorAll("h1, h2, h3, p, figcaption, div.table, div.plot, ul")].filter(
    (el) => el.checkVisibility());
  const stacked = () => {
    const all = siblings();
    return all.flatMap((one, at) => all.slice(at + 1).filter((other) =>
      !one.contains(other) && !other.contains(one) && meet(box(one), box(other))).map(
      (other) => `${named(one)} / ${named(other)}`));
  };

  const measure = () => ({
    errors, overflowing: overflowing(), stacked: stacked(), plots: [...document.querySelectorAll("div.plot")].map(plotted),
    title: document.title, images: document.images.length, width: document.documentElement.clientWidth,
    height: document.documentElement.scrollHeight, ink: getComputedStyle(document.body).color,
  });
  const told = () => {
    const found = JSON.stringify(measure());
    if (window.parent !== window) return window.parent.postMessage(found, "*");
    const out = document.createElement("pre");
    out.id = "measured";
    out.hidden = true;
    out.textContent = found;
    document.body.append(out);
  };
  // In virtual time no frame is painted, and so the browser tells nobody of a new width.
  let width = window.innerWidth;
  setInterval(() => {
    if (window.innerWidth !== width) window.dispatchEvent(new Event("resize"));
    width = window.innerWidth;
  }, 100);
  window.addEventListener("load", () => setTimeout(told, 3000));
})();
