// Questions and their answers as they come: a turn of the conversation each, with its sources beside it.

import { byId, counted, h, percent, say, table } from "./dom.mjs";
import * as filters from "./filters.mjs";
import { Gone, Refused, events } from "./server.mjs";
import { card, named, placeOf, unwrapped } from "./sources.mjs";

const NUMBER = /\[(\d{1,3})\]/;
const PART = /(?<=\[\d{1,3}\])\n+/; // a quotation ends with its number, a sentence that was written may
const QUOTED_PART = /(?<=\[\d{1,3}\])\s+/;
const TABLE = /\n*((?:^\|.*\|[ \t]*\n)(?:^\|[-:| ]+\|[ \t]*)(?:\n\|.*\|[ \t]*)*)/m; // as Markdown has them
const TOLD = 8; // turns that are sent with a question
const LONGEST_TOLD = 4000;
const SHOWN = 280; // characters of a passage that came close
const turns = [];
let working = null;

export function start() {
  filters.build();
  const question = byId("question");
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = question.value.trim();
    if (text && !working) ask(text);
  });
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId("composer").requestSubmit();
  });
  question.addEventListener("input", grow);
  byId("stop").addEventListener("click", () => working?.abort());
  byId("fresh").addEventListener("click", beginAgain);
}

export function show() {
  byId("question").focus({ preventScroll: true });
}

function grow() {
  const question = byId("question");
  question.style.height = "auto";
  question.style.height = `${Math.min(question.scrollHeight, 200)}px`;
}

function beginAgain() {
  working?.abort();
  turns.length = 0;
  byId("turns").replaceChildren();
  byId("welcome").hidden = false;
  byId("fresh").hidden = true;
  byId("view-ask").classList.remove("talking");
  byId("question").placeholder = "Ask a question";
  byId("question").focus();
  say("A new conversation.");
}

async function ask(text) {
  const turn = new Turn(text, filters.request(), filters.described());
  turns.push(turn);
  byId("welcome").hidden = true;
  byId("fresh").hidden = false;
  byId("view-ask").classList.add("talking");
  byId("turns").append(turn.element);
  byId("question").value = "";
  byId("question").placeholder = "Ask on, or ask something else";
  grow();
  await run(turn);
}

async function run(turn) {
  working = new AbortController();
  byId("send").hidden = true;
  byId("stop").hidden = false;
  turn.element.scrollIntoView({ block: "start", behavior: calm() ? "auto" : "smooth" });
  try {
    for await (const [name, record] of events("/v1/ask", turn.body(), working.signal)) turn.hear(name, record);
    turn.end();
  } catch (error) {
    turn.fail(error);
  }
  working = null;
  byId("send").hidden = false;
  byId("stop").hidden = true;
  if (byId("stop") === document.activeElement || document.activeElement === document.body) byId("question").focus({ preventScroll: true });
}

// A table of Markdown as one of HTML; what its cells hold stays as it is.
function grid(text, shown) {
  const [head, , ...rows] = text.trim().split("\n").map((line) => line.trim().slice(1, -1).split("|").map((cell) => cell.trim()));
  const cells = (row, name) => h("tr", {}, row.map((cell) => h(name, name === "th" ? { scope: "col" } : {}, shown(cell))));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, cells(head, "th")), h("tbody", {}, rows.map((row) => cells(row, "td")))));
}

// Some lines of a passage, without the space between its paragraphs.
function beginning(text) {
  const shown = unwrapped(text).replace(/\s*\n\s*/g, "\n");
  return shown.length > SHOWN ? `${shown.slice(0, SHOWN).replace(/\S*$/, "")}…` : shown;
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

class Turn {
  constructor(question, options, narrowed) {
    Object.assign(this, { question, options, said: "", passages: [], answer: null, began: performance.now() });
    this.text = h("div", { class: "answer", "aria-live": "polite", "aria-busy": "true" });
    this.waiting = h("p", { class: "waiting muted" }, "Looking through the documents …");
    this.below = h("div", { class: "below-answer" });
    this.understood = h("p", { class: "muted narrowed understood", hidden: true });
    this.sources = h("ol", { class: "sources" });
    this.aside = h("aside", { "aria-label": `Sources of the answer to: ${question}`, hidden: true }, this.sources);
    this.element = h(
      "article",
      { class: "turn", "aria-label": question },
      h("div", { class: "said" }, h("h2", {}, question), narrowed ? h("p", { class: "muted narrowed" }, `Only where ${narrowed}`) : null, this.understood, this.waiting, this.text, this.below),
      this.aside,
    );
  }

  // With what was asked before, so that a question may lean on it.
  body() {
    const before = turns.slice(0, turns.indexOf(this)).filter((turn) => turn.answer);
    const told = before.slice(-TOLD).map(({ answer }) => ({ question: answer.question, answer: answer.answer.slice(0, LONGEST_TOLD) }));
    return { question: this.question, stream: true, turns: told, ...this.options };
  }

  hear(name, record) {
    if (name === "passages") this.passages = record.passages;
    if (name === "token") this.say(record.token);
    if (name === "answer") this.answer = record;
  }

  say(piece) {
    this.firstPiece ??= performance.now() - this.began;
    this.waiting.hidden = true;
    this.said += piece;
    this.show(this.said, Infinity);
  }

  // The text a part at a time, its numbers as buttons that lead to the sources.
  show(text, sources) {
    const parts = text.split(this.answer && !this.answer.checked ? QUOTED_PART : PART);
    this.text.replaceChildren(...parts.map((part) => h("div", { class: "part" }, this.blocks(part, sources))));
  }

  blocks(part, sources) {
    return part.split(TABLE).map((block, index) => (index % 2 ? grid(block, (cell) => this.cited(cell, sources)) : this.cited(block, sources)));
  }

  cited(text, sources) {
    return text.split(NUMBER).map((piece, index) => (index % 2 ? this.cite(piece, sources) : unwrapped(piece)));
  }

  cite(number, sources) {
    if (Number(number) < 1 || Number(number) > sources) return `[${number}]`;
    return h("button", { type: "button", class: "cite", "aria-label": `Source ${number}`, click: () => this.lead(Number(number)) }, number);
  }

  lead(number) {
    const source = this.sources.children[number - 1];
    if (!source) return;
    for (const other of this.sources.children) other.classList.toggle("led", other === source);
    source.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
    source.focus({ preventScroll: true });
  }

  end() {
    this.waiting.hidden = true;
    this.text.setAttribute("aria-busy", "false");
    const answer = this.answer;
    if (!answer) return this.fail(new Gone());
    this.understood.textContent = `Understood as: ${answer.question}`;
    this.understood.hidden = answer.question === this.question;
    if (!answer.answered) return this.showNothing();
    this.show(answer.answer, answer.citations.length);
    this.sources.replaceChildren(...answer.citations.map((citation, index) => card(citation, index + 1)));
    this.aside.hidden = false;
    this.below.replaceChildren(...this.checks(), this.figures(), this.why());
    say(`Answer with ${counted(answer.citations.length, "source")}.`);
  }

  checks() {
    const unborne = (this.answer.checked?.sentences ?? []).filter((sentence) => !sentence.supported);
    const found = unborne.map((sentence) => h("p", { class: "note" }, `Not borne out by the passages: ${sentence.text}`));
    if (this.answer.checked?.truncated) found.push(h("p", { class: "note" }, "The language model did not finish its answer."));
    return found;
  }

  figures() {
    const { confidence, checked } = this.answer;
    const seconds = (performance.now() - this.began) / 1000;
    const parts = [checked ? `written by ${checked.model}` : "quoted", `${seconds.toFixed(2)} s`];
    if (confidence !== undefined) parts.unshift(`confidence ${percent(confidence, 0)}`);
    return h("p", { class: "figures muted" }, parts.join(" · "));
  }

  showNothing() {
    this.text.replaceChildren(h("p", { class: "nothing" }, h("strong", {}, "The documents do not answer this.")));
    const closest = this.passages.slice(0, 3);
    const hint = closest.length
      ? "No sentence came close enough. Other words may help, or one of these passages, which came closest:"
      : this.options.filter
        ? "No passage fits. Other words may help, or fewer filters."
        : ["No passage was found at all: ", h("a", { href: "#store" }, "see what the store holds"), "."];
    this.below.replaceChildren(
      h("p", { class: "muted" }, hint),
      closest.length ? h("ul", { class: "closest" }, closest.map((hit) => h("li", {}, h("p", { class: "where" }, h("span", {}, named(hit.source), h("span", { class: "place" }, ` · ${placeOf(hit)}`))), h("p", { class: "snippet" }, beginning(hit.text)))) ) : "",
      this.passages.length ? this.why() : "",
    );
    say("The documents do not answer this.");
  }

  // Every passage that was found, with its scores: why this answer.
  why() {
    const columns = [
      ["Passage", (hit) => h("span", {}, named(hit.source), h("span", { class: "place" }, ` · ${placeOf(hit)}`))],
      ["Score", (hit) => hit.score.toFixed(3), true],
      ["Meaning", (hit) => hit.vector_score?.toFixed(3), true],
      ["Words", (hit) => hit.bm25_score?.toFixed(2), true],
    ];
    return h(
      "details",
      {},
      h("summary", {}, `Why ${this.answer.answered ? "this" : "no"} answer: ${counted(this.passages.length, "passage")} read`),
      table("Passages by rank; meaning is the cosine of the int8 vectors, words is BM25", columns, this.passages),
    );
  }

  fail(error) {
    this.waiting.hidden = true;
    this.text.setAttribute("aria-busy", "false");
    const sentence = error.name === "AbortError" ? "Stopped." : error instanceof Gone || error instanceof Refused ? error.message : `The page failed: ${error.message}`;
    const incomplete = this.said ? " The answer above is incomplete." : "";
    const again = h("button", { type: "button", click: () => !working && this.again() }, "Ask again");
    this.below.replaceChildren(h("p", { class: "note" }, sentence + incomplete), h("p", { class: "row" }, again));
    say(sentence + incomplete);
    if (error.code === "no-store") document.dispatchEvent(new Event("store-empty"));
  }

  again() {
    Object.assign(this, { said: "", passages: [], answer: null, began: performance.now(), firstPiece: undefined });
    this.text.replaceChildren();
    this.text.setAttribute("aria-busy", "true");
    this.below.replaceChildren();
    this.sources.replaceChildren();
    this.aside.hidden = true;
    this.waiting.hidden = false;
    run(this);
  }
}
