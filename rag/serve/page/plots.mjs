// Plots: numbers in, SVG out. Each stands beside a table of the same numbers, so to those who do not see it it is a picture.

import { count, h, percent, svg } from "./dom.mjs";

const COLOURS = 6;

// Bars below each other: {name, value, text, part}; `most` is the value of a whole bar.
export function bars(label, rows, most) {
  const line = 30;
  const bar = (row, index) => {
    const y = index * line;
    const width = Math.max(0.4, (100 * row.value) / most);
    return svg(
      "g",
      {},
      svg("rect", { class: "track", x: "0", y: y + 17, width: "100%", height: "7", rx: "3.5" }),
      svg("rect", { class: `fill c${row.colour ?? 0}`, x: "0", y: y + 17, width: `${Math.min(100, width)}%`, height: "7", rx: "3.5" }),
      svg("text", { x: "0", y: y + 11, class: "name" }, row.name),
      svg("text", { x: "100%", y: y + 11, class: "value", "text-anchor": "end" }, row.text),
    );
  };
  return h("div", { class: "plot" }, svg("svg", { role: "img", "aria-label": label, width: "100%", height: rows.length * line }, rows.map(bar)));
}

// One bar of several pieces: {name, value}; with a legend below.
export function stacked(label, pieces, most) {
  let x = 0;
  const rects = pieces.map((piece, index) => {
    const width = (100 * piece.value) / most;
    const rect = svg("rect", { class: `fill c${index % COLOURS}`, x: `${x}%`, y: "0", width: `${width}%`, height: "22" }, svg("title", {}, `${piece.name} ${count(piece.value)} bytes`));
    x += width;
    return rect;
  });
  const legend = pieces.map((piece, index) => h("li", {}, h("span", { class: `dot c${index % COLOURS}`, "aria-hidden": "true" }), `${piece.name} ${count(piece.value)}`));
  return h(
    "div",
    { class: "plot" },
    svg("svg", { role: "img", "aria-label": label, width: "100%", height: "22" }, svg("rect", { class: "track", width: "100%", height: "22" }), rects),
    h("ul", { class: "legend" }, legend),
  );
}

// The ladder: what each rung finds over the bytes that it reads of a vector.
export function ladderPlot(rungs, quality) {
  const [width, height, left, right, top, bottom] = [680, 320, 52, 24, 16, 44];
  const most = Math.max(...rungs.map((rung) => rung.bytes_read)) * 1.06;
  const lowest = Math.min(...rungs.map((rung) => rung[quality]));
  const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25].find((size) => 1 - 4 * size < lowest) ?? 0.25;
  const least = 1 - 4 * step;
  const x = (bytes) => left + ((width - left - right) * bytes) / most;
  const y = (part) => top + ((height - top - bottom) * (1 - part)) / (1 - least);
  const names = [...new Set(rungs.map((rung) => rung.name))];
  const groups = names.map((name, index) => series(rungs.filter((rung) => rung.name === name), name, index, x, y, quality));
  const label = `Recall of ${rungs.length} rungs over the bytes that each reads of a vector; the table below has the numbers`;
  return h(
    "div",
    { class: "plot" },
    svg("svg", { role: "img", "aria-label": label, viewBox: `0 0 ${width} ${height}`, class: "ladder" }, grid(least, most, x, y, width, height, left, right, bottom), groups),
    h("ul", { class: "legend" }, names.map((name, index) => h("li", {}, h("span", { class: `dot c${index % COLOURS}`, "aria-hidden": "true" }), name))),
  );
}

function grid(least, most, x, y, width, height, left, right, bottom) {
  const lines = [0, 1, 2, 3, 4].map((index) => least + ((1 - least) * index) / 4);
  const ticks = niceTicks(most);
  return [
    ...lines.flatMap((part) => [
      svg("line", { class: "grid", x1: left, x2: width - right, y1: y(part), y2: y(part) }),
      svg("text", { class: "tick", x: left - 8, y: y(part) + 4, "text-anchor": "end" }, percent(part, 0)),
    ]),
    ...ticks.map((bytes) => svg("text", { class: "tick", x: x(bytes), y: height - bottom + 18, "text-anchor": "middle" }, count(bytes))),
    svg("text", { class: "tick", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, "bytes read of each vector"),
  ];
}

// From 0 up in steps of 1, 2 or 5 times a power of ten, about five of them.
function niceTicks(most) {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => Math.round(index * step));
}

function series(rungs, name, index, x, y, quality) {
  const points = rungs.map((rung) => [x(rung.bytes_read), y(rung[quality]), rung]);
  const path = points.map(([px, py], at) => `${at ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
  return svg(
    "g",
    { class: `series c${index % COLOURS}` },
    points.length > 1 ? svg("path", { d: path, class: "line" }) : null,
    points.map(([px, py, rung]) => svg("circle", { cx: px, cy: py, r: "5", class: "point" }, svg("title", {}, `${rungName(rung)}: ${percent(rung[quality])}, ${Math.round(rung.bytes_read)} bytes`))),
  );
}

export function rungName(rung) {
  const settings = ["candidates", "probes"].filter((name) => rung[name] !== null).map((name) => `${count(rung[name])} ${name}`);
  return [rung.name, ...settings].join(", ");
}
