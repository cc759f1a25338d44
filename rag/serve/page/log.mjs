// The questions that were asked, where the server keeps them, and why each was answered as it was.

import { byId, count, counted, h, percent, say, table } from "./dom.mjs";
import { call } from "./server.mjs";
import { named, placeOf } from "./sources.mjs";

export async function show() {
  byId("log-title").focus({ preventScroll: true });
  const body = byId("log-body");
  const log = await call("/v1/queries", {});
  if (!log.kept) {
    body.replaceChildren(
      h("p", { class: "note" }, "Questions are not kept here. A server that is started with ", h("code", {}, "RAG_LOG_QUERIES=1"), " keeps each in the store, with what came of it."),
      h("p", { class: "muted" }, "Why an answer came out as it did stands below each answer, as long as this page is open."),
    );
  } else if (!log.queries.length) {
    body.replaceChildren(h("p", { class: "note" }, "Nothing has been asked yet."));
  } else {
    body.replaceChildren(h("p", { class: "muted" }, `The newest ${counted(log.queries.length, "question")}, by whoever asked.`), h("ol", { class: "log" }, log.queries.map(entry)));
  }
}

function entry(query) {
  const when = new Date(query.asked_at);
  const facts = [
    when.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }),
    query.kind === "ask" ? (query.answered ? "answered" : "no answer") : counted(query.hits, "hit"),
    `${count(Math.round(query.milliseconds))} ms`,
  ];
  if (query.confidence !== null) facts.push(`confidence ${percent(query.confidence, 0)}`);
  const why = h("details", {}, h("summary", {}, "Why this answer"));
  why.addEventListener("toggle", () => why.open && why.childElementCount === 1 && explain(why, query.query_id));
  return h(
    "li",
    { class: "panel" },
    h("h2", {}, query.question),
    h("p", { class: "figures muted" }, facts.join(" · ")),
    query.answer ? h("p", { class: "snippet" }, query.answer) : null,
    why,
  );
}

async function explain(box, id) {
  try {
    const found = await call("/v1/queries/explain", { query_id: id });
    const asked = Object.entries(found.request).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`);
    const spent = found.steps.map((step) => `${step.stage} ${step.milliseconds.toFixed(1)}`);
    const columns = [
      ["Passage", (hit) => h("span", {}, named(hit.source), h("span", { class: "place" }, ` · ${placeOf(hit)}`))],
      ["Score", (hit) => hit.score?.toFixed(3), true],
      ["Meaning", (hit) => hit.vector_score?.toFixed(3), true],
      ["Words", (hit) => hit.bm25_score?.toFixed(2), true],
      ["Quoted", (hit) => hit.best_citation?.toFixed(3), true],
    ];
    box.append(
      h("p", { class: "muted" }, `Asked at epoch ${found.epoch} with ${asked.join(", ")}. Milliseconds: ${spent.join(", ")}.`),
      found.hits.length ? table("Passages by rank; quoted is the score of the best sentence that was cited", columns, found.hits) : h("p", {}, "No passage was found."),
    );
    say("The reasons are shown.");
  } catch (error) {
    box.append(h("p", { class: "note" }, error.message));
  }
}
