// Elements out of names, attributes and children. Whatever is a string becomes text, never HTML.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Said to those who do not see the page; the same sentence twice is said twice.
export function say(sentence) {
  const status = byId("status");
  status.textContent = "";
  requestAnimationFrame(() => (status.textContent = sentence));
}

const whole = new Intl.NumberFormat("en");
export const count = (number) => whole.format(number);
export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
export const percent = (part, digits = 1) => (part === null || part === undefined ? "–" : `${(100 * part).toFixed(digits)} %`);

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) [bytes, unit] = [bytes / 1000, unit + 1];
  return `${bytes.toFixed(unit && bytes < 100 ? 1 : 0)} ${units[unit]}`;
}

// A table with its caption; columns are [title, cell of a row, is a number].
export function table(caption, columns, rows) {
  const head = columns.map(([title, , number]) => h("th", { scope: "col", class: number ? "number" : null }, title));
  const body = rows.map((row) =>
    h("tr", {}, columns.map(([, cell, number]) => h("td", { class: number ? "number" : null }, cell(row) ?? "–"))),
  );
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)),
  );
}
