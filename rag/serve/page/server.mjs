// The one door to the server: records in, records out; a token where one is wanted, and a banner while nobody answers.

import { byId, h, say } from "./dom.mjs";

const TOKEN = "int8-rag token";
const AGAIN_MS = 2000;

// What the server has refused, in its own sentence.
export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `the server answered ${status}`);
    this.status = status;
    this.code = error?.code ?? "";
  }
}

// Nobody answers, or stopped in the middle.
export class Gone extends Error {
  constructor() {
    super("The server cannot be reached.");
  }
}

export async function call(path, body, signal) {
  const reply = await fetched(path, body, signal);
  return unlessCut(reply.json(), signal);
}

export async function picture(path, body, signal) {
  const reply = await fetched(path, body, signal);
  return createImageBitmap(await unlessCut(reply.blob(), signal));
}

// Server-sent events as they come: [name, record]. An event named error is thrown.
export async function* events(path, body, signal) {
  const reply = await fetched(path, body, signal);
  const reader = reply.body.getReader();
  const decoder = new TextDecoder();
  let waiting = "";
  for (;;) {
    const { done, value } = await unlessCut(reader.read(), signal);
    if (done) return;
    waiting += decoder.decode(value, { stream: true });
    const blocks = waiting.split("\n\n");
    waiting = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2)));
      const record = JSON.parse(fields.data);
      if (fields.event === "error") throw new Refused(503, record.error);
      yield [fields.event, record];
    }
  }
}

async function fetched(path, body, signal) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const options = { headers, signal };
    if (body !== undefined) {
      Object.assign(options, { method: "POST", body: JSON.stringify(body) });
      headers["content-type"] = "application/json";
    }
    const reply = await unlessCut(fetch(path, options), signal);
    if (reply.ok) return reply;
    if (reply.status !== 401) throw new Refused(reply.status, await errorOf(reply));
    if (sessionStorage.getItem(TOKEN) === token) await wantToken(token !== null);
  }
}

async function errorOf(reply) {
  try {
    return (await reply.json()).error;
  } catch {
    return null;
  }
}

async function unlessCut(promise, signal) {
  try {
    return await promise;
  } catch (error) {
    if (signal?.aborted || error.name === "AbortError") throw error;
    noticeGone();
    throw new Gone();
  }
}

// The token: asked for once, by however many requests want it

let asking = null;

function wantToken(wasWrong) {
  asking ??= askToken(wasWrong).finally(() => (asking = null));
  return asking;
}

function askToken(wasWrong) {
  const dialog = byId("token");
  const field = byId("token-field");
  if (wasWrong) byId("token-text").textContent = "That was not the right one. It is what the server was started with, RAG_TOKEN or --token.";
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  byId("token-cancel").onclick = () => dialog.close();
  return new Promise((resolve, reject) => {
    dialog.onclose = () => {
      if (dialog.returnValue !== "use") return reject(new Refused(401, { message: "Without its token the server says nothing: load the page again to be asked for it.", code: "no-token" }));
      sessionStorage.setItem(TOKEN, field.value.trim());
      field.value = "";
      resolve();
    };
  });
}

// The banner

let knocking = null;

function noticeGone() {
  if (knocking) return;
  byId("gone").replaceChildren(
    h("strong", {}, "The server does not answer."),
    " It may have been stopped: start it again with ",
    h("code", {}, "int8-rag serve"),
    ". This page tries again every two seconds, and keeps what it has.",
  );
  byId("gone").hidden = false;
  knocking = setInterval(knock, AGAIN_MS);
}

async function knock() {
  try {
    await fetch("/healthz");
  } catch {
    return;
  }
  clearInterval(knocking);
  knocking = null;
  byId("gone").hidden = true;
  say("The server is back.");
  document.dispatchEvent(new Event("server-back"));
}
