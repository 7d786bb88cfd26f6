"use strict";
// Draws every figure of the page in the colours of its scheme, and again when the scheme changes or the page is printed.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const touch = window.matchMedia("(pointer: coarse)").matches;
  // These buttons and no others: among Plotly's own there is one that sends the data away.
  const config = {
    responsive: true, displaylogo: false, plotlyServerURL: "",
    displayModeBar: window.matchMedia("(hover: hover)").matches ? "hover" : false,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  };

  // "@real" or "@real/40" (with alpha) where a colour is expected; no other text is looked at.
  const resolve = (role, style) => {
    const [name, alpha = ""] = role.slice(1).split("/");
    return style.getPropertyValue("--" + name).trim() + alpha;
  };
  const coloured = (node, style) => {
    if (node === null || typeof node !== "object") return node;
    if (Array.isArray(node)) return node.map((part) => coloured(part, style));
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key,
      key.endsWith("color") && typeof value === "string" && value.startsWith("@")
        ? resolve(value, style) : coloured(value, style)]));
  };

  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    for (const [id, figure] of Object.entries(figures)) {
      const {data, layout} = coloured(figure, style);
      // A finger that scrolls past must not zoom.
      Plotly.react(id, data, {...layout, autosize: true, dragmode: touch ? false : "zoom"}, config);
    }
  };
  const printing = (now) => {
    document.documentElement.classList.toggle("printing", now);
    for (const folded of document.querySelectorAll("details")) folded.open = now;
    draw();
  };
  draw();
  dark.addEventListener("change", draw);
  window.addEventListener("beforeprint", () => printing(true));
  window.addEventListener("afterprint", () => printing(false));
})();
