// A citation as a card: where it stands, its words within their text, and the page of the PDF that it stands on.

import { byId, h } from "./dom.mjs";
import { Refused, call, picture } from "./server.mjs";

const AROUND = 200;
const MORE = 2000;

export function placeOf(found) {
  return found.place_name || (found.page ? `page ${found.page}` : `line ${found.line}`);
}

export function named(source) {
  const cut = source.lastIndexOf("/") + 1;
  return [h("strong", {}, source.slice(cut)), cut ? h("span", { class: "folder" }, ` ${source.slice(0, cut)}`) : null];
}

export function card(citation, number) {
  const passage = h("blockquote", { class: "passage" }, h("mark", {}, unwrapped(citation.text)));
  const actions = h("p", { class: "row actions" });
  const more = h("button", { type: "button", class: "quiet", "aria-expanded": "false" }, "Read around it");
  const below = h("div", { class: "below" });
  more.addEventListener("click", () => {
    const open = more.getAttribute("aria-expanded") === "true";
    more.setAttribute("aria-expanded", String(!open));
    more.textContent = open ? "Read around it" : "Show less";
    passage.classList.toggle("long", !open);
    show(open ? AROUND : MORE);
  });
  actions.append(more);
  const page = pageOf(citation);
  if (page) actions.append(pageButton(citation, page, below));
  const show = (around) => showAround(passage, citation, around);
  show(AROUND);
  return h(
    "li",
    { class: "source", tabindex: "-1", "aria-label": `Source ${number}: ${citation.source}, ${placeOf(citation)}` },
    h("p", { class: "where" }, h("span", { class: "badge", "aria-hidden": "true" }, String(number)), h("span", {}, named(citation.source), h("span", { class: "place" }, ` · ${placeOf(citation)}`))),
    citation.heading ? h("p", { class: "heading" }, citation.heading) : null,
    passage,
    actions,
    below,
  );
}

// The number of the page whose rectangles are known: only a PDF has any.
function pageOf(citation) {
  return citation.places.find((place) => place.kind === "rectangle")?.page;
}

async function showAround(passage, citation, around) {
  try {
    const { source, start, end } = citation;
    const span = await call("/v1/span", { source, start, end, around });
    const mark = h("mark", {}, unwrapped(span.text));
    passage.replaceChildren(begun(unwrapped(span.before), start > around), mark, ended(unwrapped(span.after), end + around < span.characters));
    const line = parseFloat(getComputedStyle(passage).lineHeight);
    passage.scrollTop = line * Math.max(0, Math.round((mark.offsetTop - passage.offsetTop) / line) - 2);
  } catch (error) {
    if (error instanceof Refused) passage.append(h("span", { class: "muted" }, `\n${error.message}`));
  }
}

// A paragraph whose lines were broken in its file flows here; lines that are short mean something.
export function unwrapped(text) {
  return text.replace(/([^\n]{50,})\n(?=[\p{L}(“"'`])/gu, "$1 ");
}

// Cut where a word begins or ends.
function begun(text, isCut) {
  return isCut ? `… ${text.slice(text.search(/\s/) + 1).trimStart()}` : text.trimStart();
}

function ended(text, isCut) {
  return isCut ? `${text.replace(/\S*$/, "").trimEnd()} …` : text.trimEnd();
}

// Pages

function pageButton(citation, page, below) {
  const button = h("button", { type: "button", class: "quiet", "aria-expanded": "false" }, "Show the page");
  button.addEventListener("click", async () => {
    if (below.childElementCount) {
      below.replaceChildren();
      button.setAttribute("aria-expanded", "false");
      button.textContent = "Show the page";
      return;
    }
    button.setAttribute("aria-expanded", "true");
    button.textContent = "Hide the page";
    await drawInto(below, citation, page);
  });
  return button;
}

async function drawInto(below, citation, page) {
  below.replaceChildren(h("p", { class: "muted" }, "Drawing the page …"));
  try {
    const drawn = await canvasOf(citation, page);
    const name = `${citation.source}, ${placeOf(citation)}, with the quotation marked`;
    below.replaceChildren(h("button", { type: "button", class: "page", "aria-label": `Enlarge ${name}`, click: () => openSheet(citation, page) }, drawn));
  } catch (error) {
    below.replaceChildren(h("p", { class: "note" }, error.message));
  }
}

// Drawn and not linked: a request for a picture cannot bring the token, and the page's policy allows no other way.
async function canvasOf({ source, start, end }, page) {
  const bitmap = await picture("/v1/picture", { source, start, end, page });
  const canvas = h("canvas", { width: bitmap.width, height: bitmap.height, role: "img", "aria-label": `${source}, page ${page}` });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas;
}

let sheet = null;

async function openSheet(citation, page) {
  sheet = { citation, page };
  const dialog = byId("sheet");
  byId("sheet-back").onclick = () => turnTo(sheet.page - 1);
  byId("sheet-next").onclick = () => turnTo(sheet.page + 1);
  byId("sheet-close").onclick = () => dialog.close();
  dialog.showModal();
  byId("sheet-close").focus();
  await turnTo(page);
}

async function turnTo(page) {
  const note = byId("sheet-note");
  if (page < 1) return (note.textContent = "This is the first page.");
  try {
    const drawn = await canvasOf(sheet.citation, page);
    sheet.page = page;
    byId("sheet-title").textContent = `${sheet.citation.source}, page ${page}`;
    byId("sheet-body").replaceChildren(drawn);
    note.textContent = "";
  } catch (error) {
    note.textContent = error.message;
  }
}
