"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 640px)");
  const plots = [...document.querySelectorAll("[data-figure]")];
  const hasWebGL = Boolean(document.createElement("canvas").getContext("webgl"));
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // The page's style sheet owns every colour; a trace says in `meta` which class of rows it shows.
  const paint = (trace) => {
    if (trace.marker) trace.marker.color = colour(trace.meta);
    if (trace.marker?.line) trace.marker.line.color = colour("panel");
    if (trace.line) trace.line.color = colour(trace.meta);
    // Remote desktops often have no WebGL; SVG points are slower but visible.
    if (trace.type === "scattergl" && !hasWebGL) trace.type = "scatter";
    return trace;
  };
  const paintLayout = (layout) => {
    layout.font.color = colour("soft");
    for (const axis of [layout.xaxis, layout.yaxis]) Object.assign(axis, { gridcolor: colour("line"), linecolor: colour("line") });
    layout.hoverlabel = { ...layout.hoverlabel, bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: colour("ink") } };
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: colour("soft"), activecolor: colour("core") };
    if (narrow.matches) layout.dragmode = false;  // a finger scrolls the page
    return layout;
  };
  const config = () => ({
    responsive: true, displaylogo: false, displayModeBar: narrow.matches ? false : "hover",
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  });
  const draw = (plot) => {
    const { data, layout } = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    Plotly.react(plot, data.map(paint), paintLayout(layout), config());
  };
  plots.forEach(draw);
  dark.addEventListener("change", () => plots.forEach(draw));
})();
