// What int8 costs in this store: measured when a button is pressed, with chunks of the store as questions.

import { byId, count, h, percent, say, table } from "./dom.mjs";
import { bars, ladderPlot, rungName } from "./plots.mjs";
import { call } from "./server.mjs";

export function show() {
  byId("measure-title").focus({ preventScroll: true });
  const body = byId("measure-body");
  if (body.childElementCount) return;
  body.replaceChildren(
    h("p", { class: "muted" }, "Passages of the store are the questions: what else is like this? Measuring keeps a processor busy for some seconds, in a large store for longer, and one measurement runs at a time."),
    measured("The ladder", "Ever more bits, candidates and cells: what each finds of what the exact search finds, and what it reads for it.", "Measure the ladder", "/v1/ladder", [10, 20, 50, 100], 20, showLadder),
    measured("The losses", "What the int8 model, the int8 vectors and the search each keep. The store has to keep float32 vectors to compare with, and the float32 model is loaded.", "Measure the losses", "/v1/losses", [20, 50, 100, 200], 50, showLosses),
  );
}

function measured(title, text, action, path, samples, chosen, showResult) {
  const id = `sample-${path.slice(4)}`;
  const sample = h("select", { id }, samples.map((number) => h("option", { value: number, selected: number === chosen }, String(number))));
  const button = h("button", { type: "submit", class: "primary" }, action);
  const result = h("div", { "aria-live": "polite" });
  const form = h("form", { class: "row" }, h("label", { for: id }, "Passages"), sample, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    result.replaceChildren(h("p", { class: "muted" }, "Measuring …"));
    try {
      result.replaceChildren(...showResult(await call(path, { sample: Number(sample.value) })));
      say("Measured.");
    } catch (error) {
      result.replaceChildren(h("p", { class: "note" }, error.message));
    }
    button.disabled = false;
  });
  return h("section", { class: "panel" }, h("h2", {}, title), h("p", { class: "muted" }, text), form, result);
}

const RECALL = "recall@10";
const OF_FLOATS = "recall@10_of_float32";

function showLadder(ladder) {
  const floats = ladder.rungs.every((rung) => rung[OF_FLOATS] !== null);
  const columns = [
    ["Rung", rungName],
    ["Recall@10", (rung) => percent(rung[RECALL]), true],
    ...(floats ? [["Of float32", (rung) => percent(rung[OF_FLOATS]), true]] : []),
    ["Reads", (rung) => `${count(Math.round(rung.bytes_read))} B`, true],
    ["Stores", (rung) => `${count(rung.bytes_stored)} B`, true],
    ["Clock", (rung) => rung.ms && `${rung.ms.toFixed(1)} ms`, true],
    ["CPU", (rung) => rung.cpu_ms && `${rung.cpu_ms.toFixed(1)} ms`, true],
  ];
  const against = floats ? "the first ten of float32" : "the first ten of the exact int8 search";
  return [
    h("p", {}, `Recall of ${against}, ${count(ladder.chunks)} passages, ${count(ladder.questions)} questions.`),
    ladderPlot(ladder.rungs, floats ? OF_FLOATS : RECALL),
    table("Every rung; bytes are of each vector", columns, ladder.rungs),
  ];
}

function showLosses(losses) {
  const { model, vectors, search } = losses;
  const steps = [
    ["int8 model", model.kept, model.not_measured],
    ["int8 vectors", vectors.kept],
    ["search", search.kept],
    ["all together", losses.kept],
  ];
  const rows = steps.filter(([, kept]) => kept !== null).map(([name, kept], index) => ({ name, value: kept, text: percent(kept, 2), colour: index }));
  const columns = [
    ["Step", ([name]) => name],
    ["Kept", ([, kept]) => percent(kept, 2), true],
  ];
  const label = `Kept of ${losses.measure}: ${rows.map((row) => `${row.name} ${row.text}`).join(", ")}`;
  return [
    h("p", {}, `Kept of ${losses.measure} at each step, ${count(losses.questions)} questions to ${count(losses.sampled)} of ${count(losses.chunks)} passages. A vector takes ${Math.round(vectors.code_bytes)} bytes, ${Math.round(vectors.float_bytes)} in float32; its cosine to float32 is ${vectors.cosine_mean.toFixed(5)} on average, at least ${vectors.cosine_least.toFixed(5)}.`),
    model.not_measured ? h("p", { class: "note" }, `The model was not measured: ${model.not_measured}`) : "",
    bars(label, rows, Math.max(1, ...rows.map((row) => row.value))),
    h("details", {}, h("summary", {}, "As a table"), table(`Kept of ${losses.measure}; the steps multiply to the last line`, columns, steps)),
  ];
}
