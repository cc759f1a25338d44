// The questions that were asked, where the server keeps them.

import { byId, h } from "./dom.mjs";

export function show() {
  byId("log-title").focus({ preventScroll: true });
  byId("log-body").replaceChildren(
    h("p", { class: "note" }, "Questions are not kept: this server has no query log enabled."),
    h("p", { class: "muted" }, "Why an answer came out as it did stands below each answer, as long as this page is open."),
  );
}
