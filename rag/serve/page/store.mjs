// What the store holds: how much of what, what a vector takes column by column against float32, tables with their parts.

import { byId, count, counted, h, say, size, table } from "./dom.mjs";
import { bars, stacked } from "./plots.mjs";
import { call } from "./server.mjs";

const LISTED = 50;

export async function show() {
  byId("store-title").focus({ preventScroll: true });
  const body = byId("store-body");
  if (!body.childElementCount) body.replaceChildren(h("p", { class: "muted" }, "Counting …"));
  const store = await call("/v1/store");
  if (!store.documents) {
    body.replaceChildren(h("p", { class: "note" }, "The store is empty: fill it with ", h("code", {}, "int8-rag-ingest FOLDER"), "."));
    return;
  }
  body.replaceChildren(tiles(store), h("div", { class: "panels" }, vectors(store.stats), kinds(store)), documents(), tables(store.stats), made(store.stats));
  say(`The store holds ${counted(store.documents, "document")}.`);
}

function tiles({ documents, chunks, stats }) {
  const { vector } = stats;
  const facts = [
    [count(documents), documents === 1 ? "document" : "documents"],
    [count(chunks), chunks === 1 ? "passage" : "passages"],
    [size(stats.bytes_on_disk), "on disk, all tables"],
    vector.bytes ? [`${(vector.float32_bytes / vector.bytes).toFixed(1)} ×`, "smaller than float32"] : [String(stats.dimensions), "dimensions"],
  ];
  return h("dl", { class: "tiles" }, facts.map(([value, name]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function panel(title, ...children) {
  return h("section", { class: "panel" }, h("h2", {}, title), children);
}

function vectors({ vector, dimensions, quantizer }) {
  const pieces = vector.columns.map((column) => ({ name: column.column, value: column.bytes }));
  const columns = [
    ["Column", (row) => row.column],
    ["Bytes", (row) => count(row.bytes), true],
    ["On disk", (row) => row.bytes_on_disk?.toFixed(1), true],
  ];
  return panel(
    "Bytes of a vector",
    h("p", { class: "muted" }, `${count(vector.bytes)} in place of ${count(vector.float32_bytes)} bytes, ${count(dimensions)} dimensions, ${quantizer}. The whole bar is float32.`),
    stacked(`${vector.bytes} bytes by column, of the ${vector.float32_bytes} of float32`, pieces, vector.float32_bytes),
    h("details", {}, h("summary", {}, "As a table"), table("Bytes of one vector by column", columns, vector.columns)),
  );
}

const languages = new Intl.DisplayNames("en", { type: "language" });

function languageName(code) {
  if (!code) return "no words";
  if (code === "mul") return "several at once";
  try {
    return languages.of(code);
  } catch {
    return code;
  }
}

function kinds(store) {
  const formats = store.formats.map((one) => ({ name: one.format, value: one.documents, text: `${counted(one.documents, "document")}, ${size(one.bytes)}` }));
  const spoken = store.languages.map((one) => ({ name: languageName(one.language), value: one.chunks, text: counted(one.chunks, "passage"), colour: 1 }));
  const list = (rows) => rows.map((row) => `${row.name} ${row.text}`).join("; ");
  return panel(
    "Formats and languages",
    bars(list(formats), formats, store.documents),
    spoken.length ? bars(list(spoken), spoken, store.chunks) : h("p", { class: "muted" }, "No words are indexed."),
  );
}

function documents() {
  const box = h("div", {});
  const find = h("input", { type: "search", id: "find-documents", placeholder: "docs/** or *.pdf" });
  const form = h("form", { class: "row", submit: (event) => (event.preventDefault(), list()) }, h("label", { for: "find-documents" }, "Only those whose source matches"), find, h("button", { type: "submit" }, "Show"));
  const list = async (after = null, before = []) => {
    const body = { limit: LISTED, after };
    if (find.value.trim()) body.filter = { source: { $glob: find.value.trim() } };
    try {
      const found = await call("/v1/documents", body);
      const rows = [...before, ...found.documents];
      const more = found.next ? h("button", { type: "button", click: () => list(found.next, rows) }, "Show more") : null;
      box.replaceChildren(documentTable(rows, found.total), more ?? "");
    } catch (error) {
      box.replaceChildren(h("p", { class: "note" }, error.message));
    }
  };
  list();
  return panel("Documents", form, box);
}

function documentTable(rows, total) {
  const columns = [
    ["Source", (row) => row.source],
    ["Title", (row) => row.title],
    ["Format", (row) => row.format],
    ["Passages", (row) => count(row.chunks), true],
    ["Size", (row) => size(row.bytes), true],
    ["Stored", (row) => row.written_at.slice(0, 10)],
  ];
  return table(`${count(rows.length)} of ${counted(total, "document")}`, columns, rows);
}

function tables(stats) {
  const columns = [
    ["Table", (row) => row.table],
    ["Parts", (row) => count(row.parts), true],
    ["Rows", (row) => count(row.rows), true],
    ["On disk", (row) => size(row.bytes_on_disk), true],
  ];
  return panel("Tables", table(`${size(stats.bytes_on_disk)} in ${stats.tables.length} tables`, columns, stats.tables));
}

function made(stats) {
  const facts = {
    Encoder: stats.model,
    Weights: stats.weights,
    Quantizer: stats.quantizer,
    Chunking: stats.chunking ? `at most ${stats.chunking.size} tokens, ${stats.chunking.overlap} of them repeated` : "–",
    Epoch: count(stats.epoch),
    "Left over": `${counted(stats.dead_rows, "passage")} of replaced documents`,
  };
  return panel("What it was made with", h("dl", { class: "facts" }, Object.entries(facts).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}
