// The page: which view is shown, and what the store holds in one line. Views but the first are loaded when they are wanted.

import * as ask from "./ask.mjs";
import { byId, counted, h } from "./dom.mjs";
import { Gone, call } from "./server.mjs";

const LOOK_MS = 5000; // between two looks at an empty store
let looking = 0;

const VIEWS = {
  ask: async () => ask,
  store: () => import("./store.mjs"),
  measure: () => import("./measure.mjs"),
  log: () => import("./log.mjs"),
};

async function show() {
  const name = location.hash.slice(1) in VIEWS ? location.hash.slice(1) : "ask";
  for (const other of Object.keys(VIEWS)) byId(`view-${other}`).hidden = other !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    (await VIEWS[name]()).show();
  } catch (error) {
    byId(`${name}-body`)?.replaceChildren(h("p", { class: "note" }, error.message));
  }
}

async function greet() {
  const line = byId("holding");
  try {
    const store = await call("/v1/store");
    if (!store.documents) return showEmpty();
    line.textContent = `${counted(store.documents, "document")}, ${counted(store.chunks, "passage")}. Answers say where they stand.`;
  } catch (error) {
    line.textContent = error instanceof Gone ? "" : error.message;
  }
}

function showEmpty() {
  byId("welcome").classList.add("empty");
  byId("holding").replaceChildren(
    "The store is empty: there is nothing to ask yet. Fill it with ",
    h("code", {}, "int8-rag-ingest FOLDER"),
    ", and this page will notice.",
  );
  clearTimeout(looking);
  looking = setTimeout(greet, LOOK_MS);
}

ask.start();
addEventListener("hashchange", show);
document.addEventListener("server-back", greet);
document.addEventListener("store-empty", showEmpty);
show();
greet();
document.documentElement.dataset.ready = "yes";
performance.mark("ready");
