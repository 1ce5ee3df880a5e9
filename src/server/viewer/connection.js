// What the page speaks with: the server, whose stream is resumed after every loss, and the worker that searches and filters.

import { isFiltered, pass, receive } from "./model.js";
import { createBackoff, createParser, createTranslator } from "./stream.js";

export const API = "api/v1/sse";
/** How long a chunk may be parsed before others have their turn, in ms. */
const SLICE = 8;

/** After so long without a byte a connection is dead, in ms. */
const PATIENCE = 2.5 * (Number(document.documentElement.dataset.heartbeat) || 15_000);

/** @typedef {import("./model.js").Model} Model */
/**
 * @typedef {{
 *   model: Model, token: string, bring(effects: import("./model.js").Effect[]): void, changed(): void,
 *   askToken(reason: string, again: () => void): void,
 * }} Page
 */
/** @typedef {"over" | "idle" | { reason: string, retryAfter: number }} Ended */

/**
 * Sends a request to this server.
 * @param {Page} page
 * @param {string} path
 * @param {RequestInit} [more]
 */
export function request(page, path, more = {}) {
  const headers = new Headers(more.headers);
  if (page.token) headers.set("Authorization", `Bearer ${page.token}`);
  const always = { cache: "no-store", redirect: "manual", credentials: "same-origin" };
  return fetch(path, /** @type {RequestInit} */ ({ ...more, ...always, headers }));
}

/** What an answer says, if it is a problem. @param {Response} response */
export async function detailOf(response) {
  try {
    const { detail } = await response.json();
    return String(detail ?? `status ${response.status}`);
  } catch {
    return `status ${response.status}`;
  }
}

/**
 * Asks publishers for something, tells what came of it, and returns whether they were asked.
 * @param {Page} page
 * @param {object} wish
 * @param {string} asked
 * @param {(text: string) => void} tell
 */
export async function control(page, wish, asked, tell) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(wish);
  try {
    const path = `${API}/debug/control/${page.model.id}`;
    const response = await request(page, path, { method: "POST", headers, body });
    if (response.ok) {
      tell(asked);
      return true;
    }
    const detail = await detailOf(response);
    if (response.status === 401) page.askToken(detail, () => control(page, wish, asked, tell));
    const why = response.status === 404 ? "nobody publishes here any more" : detail;
    tell(`publishers could not be asked: ${why}`);
  } catch (error) {
    tell(`publishers could not be asked: ${error}`);
  }
  return false;
}

/**
 * Gets a new client ID, or says why there is none.
 * @param {Page} page
 * @returns {Promise<{ id?: string, failure?: string, isRefused?: boolean }>}
 */
export async function issue(page) {
  try {
    const response = await request(page, `${API}/connect`, { headers: { Accept: "application/json" } });
    if (response.ok) return { id: String((await response.json()).clientId) };
    return { failure: await detailOf(response), isRefused: response.status === 401 };
  } catch {
    return { failure: "no connection to the server; is it running? codechat serve" };
  }
}

/** Lets others have their turn; timers would be late in hidden tabs. */
function yielded() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve(undefined);
    };
    port2.postMessage(0);
  });
}

/**
 * Reads one client's stream until it is over.
 * @param {Page} page
 * @param {() => void} again begins anew, with a token
 * @param {{ lastId: string, translator: ReturnType<typeof createTranslator> }} [state] of an earlier reading, to go on from
 */
export function createConnection(page, again, state = { lastId: "", translator: createTranslator("") }) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const { model } = page;
  let parser = createParser(state.lastId);
  let { translator } = state;
  const backoff = createBackoff();
  /** @type {() => void} Ends the wait for the next try. */
  let hurry = () => {};

  /** @param {Model["connection"]} state */
  function become(state) {
    if (signal.aborted) return;
    model.connection = state;
    page.changed();
  }

  async function run() {
    while (!signal.aborted) {
      const ended = await read();
      if (ended === "over" || signal.aborted) return;
      if (ended === "idle") {
        // The next channel by this ID is a fresh one.
        parser = createParser("");
        translator = createTranslator("");
        continue;
      }
      const floor = parser.retry();
      parser = createParser(parser.lastId());
      const { retryAfter, reason } = ended;
      const before = model.connection;
      const since = before.kind === "retrying" ? before.since : performance.now();
      const { attempt, delay } = backoff.next({ floor, retryAfter, chance: Math.random() });
      become({ kind: "retrying", text: reason, attempt, due: performance.now() + delay, since });
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, delay);
        hurry = () => {
          clearTimeout(timer);
          resolve(undefined);
        };
      });
    }
  }

  /** Connects once, and reads to the connection's end. @returns {Promise<Ended>} */
  async function read() {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), PATIENCE);
    const lastId = parser.lastId();
    try {
      const headers = lastId ? { "Last-Event-ID": lastId } : undefined;
      const either = AbortSignal.any([signal, silence.signal]);
      const path = `${API}/debug/${model.id}?format=json`;
      const response = await request(page, path, { headers, signal: either });
      const refused = await refusal(response);
      if (refused) return refused;
      become({ kind: "live" });
      model.lastSign = performance.now();
      translator.begin(lastId !== "");
      const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return { reason: "the server ended the stream", retryAfter: 0 };
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), PATIENCE);
        backoff.reset();
        parser.push(value);
        const ended = await take();
        if (ended) return ended;
      }
    } catch (error) {
      const silent = `nothing came for ${PATIENCE / 1000} s`;
      const reason = silence.signal.aborted ? silent : "no connection";
      return { reason: error instanceof TypeError || silence.signal.aborted ? reason : String(error), retryAfter: 0 };
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  /** Takes what the parser has, a slice of time after the other. @returns {Promise<Ended | undefined>} */
  async function take() {
    let since = performance.now();
    // What is taken out of the parser counts as read, so that nothing is taken once the connection is given up.
    while (!signal.aborted) {
      const event = parser.next();
      if (event === undefined) break;
      const now = performance.now();
      const update = event === "heartbeat" ? undefined : translator.read(event);
      if (!update) {
        model.lastSign = now;
        continue;
      }
      page.bring(receive(model, update, now));
      if ("end" in update) {
        if (update.end === "idle") return "idle";
        become({ kind: "ended", text: update.end });
        return "over";
      }
      if (now - since > SLICE) {
        await yielded();
        since = performance.now();
      }
    }
    page.changed();
    return undefined;
  }

  /** What follows an answer that is no stream. @param {Response} response @returns {Promise<Ended | undefined>} */
  async function refusal(response) {
    const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream");
    if (response.status === 200 && isStream) return undefined;
    if (response.status === 204) {
      become({ kind: "ended" });
    } else if (response.ok || response.type === "opaqueredirect") {
      become({ kind: "failed", text: "something between answers instead (a login?); reload the page" });
    } else {
      const detail = await detailOf(response);
      if (signal.aborted) return "over";
      const { status } = response;
      if ([408, 425, 429].includes(status) || status >= 500) {
        const seconds = Number(response.headers.get("Retry-After")) || 0;
        return { reason: `${status} ${detail}`, retryAfter: seconds * 1000 };
      }
      become({ kind: "failed", text: status === 404 ? `no codechat at ${location.pathname}` : detail });
      if (status === 401) page.askToken(detail, again);
    }
    return "over";
  }

  run();
  return {
    hurry: () => hurry(),
    /** Where another connection goes on. */
    state: () => ({ lastId: parser.lastId(), translator }),
    stop() {
      stopping.abort();
      hurry();
    },
  };
}

/** So many other pages may be looked at before a hidden one gives its connection up. */
const OTHERS = 5;

/**
 * Gives a hidden page's connection up once others need it, and takes it up again when it is looked at.
 * @param {() => void} sleep
 * @param {() => void} wake
 */
export function keepFew(sleep, wake) {
  const pages = new BroadcastChannel("codechat");
  const own = String(performance.timeOrigin + performance.now());
  /** Those that were looked at since this one was. @type {Set<string>} */
  const others = new Set();
  const look = () => {
    if (document.visibilityState !== "visible") return;
    others.clear();
    pages.postMessage(own);
    wake();
  };
  pages.onmessage = ({ data }) => {
    others.add(data);
    if (document.hidden && others.size >= OTHERS) sleep();
  };
  document.addEventListener("visibilitychange", look);
  look();
}

/** A worker that is silent for so long hangs in a pattern, in ms. */
const SILENT = 1000;
/** So long records are gathered before the worker gets them, in ms. */
const GATHER = 50;

const place = new URL("seek.js", import.meta.url).href;
/** @type {{ createScriptURL(text: string): string } | undefined} */
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("worker", {
  createScriptURL: () => place,
});

/**
 * Returns what asks the worker, which is started when it is first needed.
 * @param {{ model: import("./model.js").Model, changed(): void }} page
 * @param {() => void} hung is called when a pattern has taken too long
 */
export function createSearch(page, hung) {
  /** @type {Worker | undefined} */
  let running;
  /** @type {object[]} */
  let waiting = [];
  /** The ID of the first record that waits. */
  let first = 0;
  let heardAt = 0;
  let isBusy = false;
  let isWatched = false;

  /** @param {import("./records.js").Entry} record */
  const part = ({ plain, level, kind, message }) => ({
    plain,
    level: level ?? (message?.outcome === "failed" ? "error" : undefined),
    kind,
  });

  function start() {
    const worker = new Worker(policy ? policy.createScriptURL("") : place, { type: "module" });
    worker.onmessage = ({ data }) => heard(data);
    const { records } = page.model;
    first = records.first();
    waiting = [];
    for (let id = first; id < records.end(); id += 1) {
      const record = records.get(id);
      if (record) waiting.push(part(record));
    }
    return worker;
  }

  /** @param {{ type: string, generation?: number, ids?: Uint32Array, done?: boolean }} answer */
  function heard({ type, generation, ids, done }) {
    heardAt = performance.now();
    if (generation !== page.model.generation) return;
    if (type === "shown" && isFiltered(page.model)) pass(page.model, ids ?? []);
    if (type === "hits") page.model.hits.push(...(ids ?? []));
    if (done) isBusy = false;
    page.changed();
  }

  function flush() {
    if (!running || waiting.length === 0) return;
    running.postMessage({ type: "drop", first: page.model.records.first() });
    running.postMessage({ type: "push", first, records: waiting });
    first += waiting.length;
    waiting = [];
    expect();
  }

  /** Waits for the worker's answer, for so long. */
  function expect() {
    heardAt = performance.now();
    isBusy = true;
    if (!isWatched) setTimeout(watch, SILENT / 4);
    isWatched = true;
  }

  function watch() {
    isWatched = false;
    if (!running || !isBusy) return;
    if (performance.now() - heardAt < SILENT) {
      isWatched = true;
      setTimeout(watch, SILENT / 4);
      return;
    }
    end();
    hung();
  }

  function end() {
    running?.terminate();
    running = undefined;
    isBusy = false;
  }

  return {
    /** @param {number} id @param {import("./records.js").Entry} record */
    push(id, record) {
      if (!running) return;
      if (waiting.length === 0) {
        first = id;
        setTimeout(flush, GATHER);
      }
      waiting.push(part(record));
    },
    /** Asks anew for what is shown and for hits. */
    ask() {
      const { model } = page;
      model.generation += 1;
      model.hits = [];
      if (!model.search && !isFiltered(model)) {
        // Nothing is wanted of it any more; a pattern that it is at may take for ever.
        end();
        return;
      }
      running ??= start();
      flush();
      const { search, filter, level, generation } = model;
      running.postMessage({ type: "set", search, filter, level, generation });
      expect();
    },
    end,
  };
}
