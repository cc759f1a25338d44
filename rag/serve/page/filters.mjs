// The filters of a question: a form in, the fields of a request out.

import { byId, h } from "./dom.mjs";

const COLUMNS = ["source", "title", "heading", "format", "path", "page", "line"];
const OPERATORS = [
  ["$glob", "matches"],
  ["$eq", "is"],
  ["$ne", "is not"],
  ["$gte", "at least"],
  ["$lte", "at most"],
  ["$exists", "is given"],
];
const RANKINGS = [
  ["hybrid", "meaning and words"],
  ["vector", "meaning"],
  ["words", "words"],
];

let rows;
const fields = {};

export function build() {
  const box = byId("filters");
  rows = h("div", { class: "filter-rows" });
  fields.k = h("input", { type: "number", id: "filter-k", min: "1", max: "100", value: "5" });
  fields.ranking = choice("filter-ranking", RANKINGS);
  fields.perDocument = h("input", { type: "number", id: "filter-each", min: "1", max: "100", placeholder: "any" });
  box.append(
    h("datalist", { id: "filter-names" }, COLUMNS.map((name) => h("option", { value: name }))),
    rows,
    h("button", { type: "button", class: "quiet", id: "filter-add", click: () => add().focus() }, "Add a condition"),
    h(
      "div",
      { class: "filter-row" },
      labelled("Passages to read", fields.k),
      labelled("Compare by", fields.ranking),
      labelled("At most of one document", fields.perDocument),
    ),
  );
  add();
  byId("filters-toggle").addEventListener("click", toggle);
  box.addEventListener("input", showCount);
}

function toggle() {
  const box = byId("filters");
  box.hidden = !box.hidden;
  byId("filters-toggle").setAttribute("aria-expanded", String(!box.hidden));
  if (!box.hidden) rows.querySelector("input")?.focus();
}

function choice(id, options) {
  return h("select", { id }, options.map(([value, text]) => h("option", { value }, text)));
}

function labelled(text, control) {
  return h("label", {}, h("span", {}, text), control);
}

function add() {
  const number = rows.childElementCount + 1;
  const name = h("input", { class: "name", list: "filter-names", value: number === 1 ? "source" : "", "aria-label": "Name" });
  const operator = h("select", { class: "operator", "aria-label": "Comparison" }, OPERATORS.map(([value, text]) => h("option", { value }, text)));
  const value = h("input", { class: "value", placeholder: number === 1 ? "docs/**" : "", "aria-label": "Value" });
  const remove = h("button", { type: "button", class: "quiet", "aria-label": "Remove this condition" }, "×");
  const row = h("div", { class: "filter-row condition", role: "group", "aria-label": `Condition ${number}` }, name, operator, value, remove);
  remove.addEventListener("click", () => {
    row.remove();
    byId("filter-add").focus();
    showCount();
  });
  rows.append(row);
  return name;
}

function conditions() {
  return [...rows.children]
    .map((row) => [".name", ".operator", ".value"].map((part) => row.querySelector(part).value.trim()))
    .filter(([name, operator, value]) => name && (value || operator === "$exists"));
}

function showCount() {
  const number = conditions().length;
  byId("filters-toggle").textContent = number ? `Filters (${number})` : "Filters";
}

// 2024 and true are what they look like; in quotation marks they are text.
function parsed(text) {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (text === "true" || text === "false") return text === "true";
  return text.replace(/^"(.*)"$/s, "$1");
}

export function request() {
  const found = conditions().map(([name, operator, value]) => ({ [name]: { [operator]: operand(operator, value) } }));
  const body = { k: Number(fields.k.value) || 5, ranking: fields.ranking.value };
  if (fields.perDocument.value) body.per_document = Number(fields.perDocument.value);
  if (found.length) body.filter = found.length === 1 ? found[0] : { $and: found };
  return body;
}

function operand(operator, value) {
  if (operator === "$exists") return value !== "false";
  return operator === "$glob" ? value : parsed(value);
}

export function described() {
  const words = Object.fromEntries(OPERATORS);
  return conditions().map(([name, operator, value]) => `${name} ${words[operator]} ${value}`.trim()).join(", ");
}
