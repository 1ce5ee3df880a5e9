// The page's two connections: to the server, whose stream is resumed after every loss, and to the worker that searches
// and filters.

import { isFiltered, pass, receive } from "./model.js";
import { levelOf } from "./records.js";
import { createBackoff, createParser, createTranslator } from "./stream.js";
import { safeLine } from "./text.js";

export const API = "api/v1/sse";
/** How long a chunk may be parsed before other tasks run, in ms. */
const SLICE = 8;
/** Upper bound of a refusal's reason, in characters. */
const DETAIL_MAX = 500;

/** Time without a byte after which a connection counts as lost, in ms. */
const PATIENCE = 2.5 * (Number(document.documentElement.dataset.heartbeat) || 15_000);

/** @typedef {import("./model.js").Model} Model */
/**
 * @typedef {{
 *   model: Model, token: string, came(): void, changed(): void,
 *   tell(text: string): void, named(id: string): void, askToken(reason: string, isInPlace: boolean): Promise<boolean>,
 * }} Page `named` is called when the server has issued a client ID, `came` when something has arrived; `askToken` returns whether a token
 * was given.
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
  return fetch(path, { ...more, cache: "no-store", redirect: "manual", credentials: "same-origin", headers });
}

/** Returns whether this is a successful answer of this type. @param {Response} response @param {string} type */
const isOf = (response, type) => response.ok && !!response.headers.get("Content-Type")?.startsWith(type);

/** Returns why a request was refused, and what to do about it. @param {Response} response */
async function reasonOf(response) {
  if (response.ok || response.type === "opaqueredirect") return "something between answers instead (a login?)";
  const { status } = response;
  /** @type {{ detail?: unknown } | undefined} */
  const problem = await response.json().catch(() => undefined);
  const detail = typeof problem?.detail === "string" ? safeLine(problem.detail.slice(0, DETAIL_MAX)) : `status ${status}`;
  return status === 403 ? `${detail} (behind a proxy: let it pass Host on, and see --allowed-host)` : detail;
}

/**
 * Posts a request, shows the result as a notice, and returns whether it succeeded.
 * @param {Page} page
 * @param {"control" | "stop"} what
 * @param {object} wish
 * @param {{ done: string, failed: string }} words
 * @returns {Promise<boolean>}
 */
export async function post(page, what, wish, words) {
  const headers = { "Content-Type": "application/json" };
  const path = `${API}/debug/${what}/${page.model.id}`;
  try {
    const response = await request(page, path, { method: "POST", headers, body: JSON.stringify(wish) });
    if (isOf(response, what === "stop" ? "text/plain" : "application/json")) {
      page.tell(words.done);
      return true;
    }
    const isGone = response.status === 404 && what === "control";
    const why = isGone ? "nobody publishes here any more" : await reasonOf(response);
    if (response.status === 401 && (await page.askToken(why, true))) return post(page, what, wish, words);
    page.tell(`${words.failed}: ${why}`);
  } catch {
    page.tell(`${words.failed}: no connection`);
  }
  return false;
}

/** Lets other tasks run. (A timer would be delayed in hidden tabs.) */
const yielded = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(port1.close());
    port2.postMessage(0);
  });

/**
 * Reads one client's stream until it ends; first gets an ID if there is none.
 * @param {Page} page
 * @param {() => void} again begins anew, with a token
 * @param {{ lastId: string, translator: ReturnType<typeof createTranslator> }} [state] of an earlier reading
 */
export function createConnection(page, again, state = { lastId: "", translator: createTranslator("") }) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const { model } = page;
  let parser = createParser(state.lastId);
  let { translator } = state;
  const backoff = createBackoff();
  /** @type {() => void} Ends the wait before the next try. */
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
        // The next channel with this ID is a new one.
        parser = createParser("");
        translator = createTranslator("");
        become({ kind: "connecting" });
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
        hurry = () => resolve(undefined);
        setTimeout(hurry, delay);
      });
    }
  }

  /** Connects once, and reads until the connection ends. @returns {Promise<Ended>} */
  async function read() {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), PATIENCE);
    const lastId = parser.lastId();
    try {
      const either = AbortSignal.any([signal, silence.signal]);
      const unnamed = model.id === "" ? await issue(either) : undefined;
      if (unnamed) return unnamed;
      const headers = lastId ? { "Last-Event-ID": lastId } : undefined;
      const path = `${API}/debug/${model.id}?format=json`;
      const response = await request(page, path, { headers, signal: either });
      const refused = await refusal(response, "text/event-stream");
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
      if (silence.signal.aborted) return { reason: `nothing came for ${PATIENCE / 1000} s`, retryAfter: 0 };
      return { reason: error instanceof TypeError ? "no connection" : String(error), retryAfter: 0 };
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  /** Gets a new client ID. @param {AbortSignal} signal @returns {Promise<Ended | undefined>} */
  async function issue(signal) {
    const response = await request(page, `${API}/connect`, { headers: { Accept: "application/json" }, signal });
    const refused = await refusal(response, "application/json");
    if (refused) return refused;
    const { clientId } = await response.json();
    // The user may have gone to another address meanwhile.
    if (page.model !== model) return "over";
    page.named(String(clientId));
    return undefined;
  }

  /** Takes the parser's events, in slices of time. @returns {Promise<Ended | undefined>} */
  async function take() {
    let since = performance.now();
    // Events count as read when they are taken, so none may be taken after the connection was given up.
    while (!signal.aborted) {
      const event = parser.next();
      if (event === undefined) break;
      const now = performance.now();
      const update = event === "heartbeat" ? undefined : translator.read(event);
      model.lastSign = now;
      if (!update) continue;
      receive(model, update, now);
      page.came();
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

  /**
   * Returns how to continue after an answer of another type.
   * @param {Response} response
   * @param {string} type
   * @returns {Promise<Ended | undefined>}
   */
  async function refusal(response, type) {
    const { status } = response;
    if (isOf(response, type)) return undefined;
    if (status === 204) {
      become({ kind: "ended" });
      return "over";
    }
    const reason = await reasonOf(response);
    if (signal.aborted) return "over";
    if ([408, 425, 429].includes(status) || status >= 500) {
      const seconds = Number(response.headers.get("Retry-After")) || 0;
      return { reason: `${status} ${reason}`, retryAfter: seconds * 1000 };
    }
    become({ kind: "failed", text: status === 404 ? `no codechat at ${location.pathname}` : reason });
    if (status === 401) page.askToken(reason, false).then((isGiven) => isGiven && again());
    return "over";
  }

  run();
  return {
    hurry: () => hurry(),
    /** The position from which another connection continues. */
    state: () => ({ lastId: parser.lastId(), translator }),
    stop() {
      stopping.abort();
      hurry();
    },
  };
}

/** Time without an answer after which the worker is assumed to hang in a pattern, in ms. */
const SILENT = 1000;
/** How long records are gathered before they are sent to the worker, in ms. */
const GATHER = 50;
/** Upper bound of the records in one message to the worker: copying them takes a few ms. */
const PORTION = 10_000;

const place = new URL("seek.js", import.meta.url).href;
/** @type {{ createScriptURL(text: string): string } | undefined} */
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("worker", { createScriptURL: () => place });

/**
 * Returns the interface to the worker, which is started when it is first needed.
 * @param {{ model: import("./model.js").Model, changed(): void }} page
 * @param {() => void} hung is called when a pattern takes too long, or is too large
 */
export function createSearch(page, hung) {
  /** @type {Worker | undefined} */
  let running;
  /** The ID of the next record to send to the worker. */
  let next = 0;
  let isFlushDue = false;
  let heardAt = 0;
  let [isAsked, isBusy, isMarking] = [false, false, false];
  let timer = 0;

  const isWanted = () => page.model.search !== "" || isFiltered(page.model);

  /** @param {{ data: import("./seek.js").Found }} answer */
  function heard({ data: { generation, shown, hits, marks, until, done } }) {
    heardAt = performance.now();
    if (marks) isMarking = false;
    if (generation !== page.model.generation) return;
    for (const [id, ranges] of marks ?? []) page.model.marks.set(id, ranges);
    if (isFiltered(page.model)) pass(page.model, shown);
    // The list stays as it is until the worker has found the records on screen.
    if (done || until > (page.model.anchor?.id ?? -1)) page.model.isWaiting = false;
    page.model.hits.push(...hits);
    // It may have got more records since, and hang in those.
    if (until === next && !isMarking) isBusy = false;
    page.changed();
  }

  /** Sends the worker a portion of the records that it does not have yet; later tasks send the rest. */
  function flush() {
    isFlushDue = false;
    const { records } = page.model;
    const first = Math.max(next, records.first());
    if (!running || first === records.end()) return;
    next = Math.min(first + PORTION, records.end());
    const [plains, levels] = [/** @type {string[]} */ ([]), /** @type {(string | undefined)[]} */ ([])];
    for (let id = first; id < next; id += 1) {
      const record = /** @type {import("./records.js").Entry} */ (records.get(id));
      plains.push(record.plain);
      levels.push(record.kind === "message" ? levelOf(record) : "always");
    }
    running.postMessage({ type: "drop", first: records.first() });
    running.postMessage({ type: "push", first, plains, levels });
    if (isWanted()) expect();
    if (next < records.end()) later(yielded());
  }

  /** @param {Promise<unknown>} turn */
  function later(turn) {
    if (!isFlushDue) turn.then(flush);
    isFlushDue = true;
  }

  /** Expects an answer of the worker within SILENT from now, or from its last answer if one is expected already. */
  function expect() {
    if (!isBusy) heardAt = performance.now();
    isBusy = true;
  }

  function fail() {
    end();
    if (isWanted()) hung();
  }

  /** Starts the worker and sends it all records, before there is a pattern, because that takes longer than a search. */
  function prepare() {
    if (running) return;
    running = new Worker(policy ? policy.createScriptURL("") : place, { type: "module" });
    running.onmessage = heard;
    // Whether a pattern is too large is known only when it is first used.
    running.onerror = (event) => {
      event.preventDefault();
      fail();
    };
    timer = setInterval(() => isBusy && performance.now() - heardAt >= SILENT && fail(), SILENT / 4);
    next = 0;
    flush();
  }

  function end() {
    clearInterval(timer);
    running?.terminate();
    running = undefined;
    isAsked = isBusy = isMarking = false;
  }

  return {
    /** Asks the worker for the hits in these records, unless it was asked already. @param {number[]} ids */
    mark(ids) {
      if (!running || isMarking || ids.length === 0) return;
      isMarking = true;
      running.postMessage({ type: "mark", ids });
      expect();
    },
    /** Sends the records that have arrived soon. */
    push() {
      if (running && !isFlushDue) later(new Promise((resolve) => setTimeout(resolve, GATHER)));
    },
    /** Asks again which records are shown and which have hits. */
    ask() {
      const nothing = { hits: [], marks: new Map(), sought: undefined };
      const model = Object.assign(page.model, { generation: page.model.generation + 1, ...nothing });
      // The current pattern may take for ever, so the next one gets another worker.
      if (!isWanted()) return isAsked && end();
      prepare();
      isAsked = true;
      const { search, filter, level, generation } = model;
      running?.postMessage({ type: "set", search, filter, level, generation });
      expect();
    },
    prepare, end,
    /** Ends the worker if it was prepared but is not used. */
    release: () => isWanted() || end(),
  };
}
