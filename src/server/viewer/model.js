// What the page has seen and what it shows: the model. Knows no DOM, no clock and no network: what happens comes in
// with its time, in milliseconds since the page began.

import { age, clock, countOf, counted, sinceText } from "./format.js";
import { createOperations } from "./operations.js";
import { createRecords } from "./records.js";
import { GREETING, LEVELS } from "./stream.js";
import { safe, safeLine } from "./text.js";
import { LINES_MAX, createViewport, isFollowing, lineEnds, meant, wrapColumns } from "./viewport.js";

/** @typedef {import("./records.js").Entry} Record */

/** After so long without a connection the page asks whether there is a server, in ms. */
const LOST_LONG = 30_000;
/** The most characters of one message that are shown. */
const TEXT_MAX = 4 << 20;
/** Shared by all that have no style of their own. @type {import("./text.js").Span[]} */
const NO_SPANS = [];
/** What stands in the list where a quiet stream has ended, which is then subscribed to again. */
const IDLE = "ended: nothing happened for the idle timeout";
const ADDRESS = /^([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})(?:\/([1-9]\d{0,15}))?$/i;
const TIMES = ["clock", "since the start", "since the previous message", "off"];

/**
 * Returns a model that has seen nothing.
 * @param {{ id: string, began: number, offset: number }} options `began` in ms since 1970, `offset` from UTC in minutes
 */
export function createModel({ id, began, offset }) {
  return {
    id,
    began,
    offset,
    /** @type {{ kind: string, text?: string, attempt?: number, due?: number, since?: number }} */
    connection: { kind: "connecting" },
    lastMessage: -1,
    lastSign: -1,
    records: createRecords(),
    viewport: createViewport(),
    operations: createOperations(true),
    received: 0,
    lost: 0,
    uncounted: 0,
    errors: 0,
    behind: { new: 0, errors: 0 },
    search: "",
    /** @type {number[]} */
    hits: [],
    /** Where hits on screen are, as far as the worker has told. @type {Map<number, [start: number, end: number][]>} */
    marks: new Map(),
    filter: "",
    level: "",
    /** Counts what was asked of the worker, so that late answers are known. */
    generation: 0,
    /** @type {number | undefined} The record in focus; none while following. */
    focus: undefined,
    /** @type {{ id: number, line: number } | undefined} What stands at the top; none while following. */
    anchor: undefined,
    /** What stood there when the list was drawn last. @type {{ id: number, line: number } | undefined} */
    drawn: undefined,
    times: 0,
    wraps: true,
    columns: 80,
    /** How often the list was made anew. */
    lists: 0,
    /** Records before this one are no news. */
    counted: 0,
    narrow: false,
    /** Whether all operations are shown. */
    unfolds: false,
    wantsDebug: false,
    /** What the address leads to, `next`: where to look for it.
     * @type {{ seq: number, next: number, isGone: boolean } | undefined} */
    link: undefined,
    notice: "",
  };
}

/** @typedef {ReturnType<typeof createModel>} Model */

/**
 * Reads what stands behind `#` in the page's address: nothing, a client ID, or one with the number of a message.
 * @param {string} fragment
 * @returns {{ id?: string, seq?: number, failure?: string }}
 */
export function readAddress(fragment) {
  if (fragment === "") return {};
  const [, id, seq] = ADDRESS.exec(fragment) ?? [];
  if (id) return { id: id.toLowerCase(), seq: Number(seq ?? 0) };
  const part = safeLine(fragment.slice(0, 80));
  return { failure: `"${part}" is no client ID, nor one with / and a message's number behind it` };
}

/** @param {Model} model */
export const isFiltered = (model) => model.filter !== "" || model.level !== "";

/**
 * Appends a record.
 * @param {Model} model
 * @param {Record} record
 */
function append(model, record) {
  const id = model.records.push(record);
  if (!isFiltered(model)) show(model, id);
  model.viewport.drop(model.records.first());
}

/** Shows a record, if it is still kept. @param {Model} model @param {number} id */
function show(model, id) {
  const record = model.records.get(id);
  if (!record) return;
  const isMessage = record.kind === "message";
  const lines = lineEnds(record.plain, wrapColumns(model), LINES_MAX + 1).length + Number(model.narrow);
  model.viewport.push(id, lines, isMessage);
  if (isMessage && !isFollowing(model) && id >= model.counted) {
    model.behind.new += 1;
    if (record.level === "error") model.behind.errors += 1;
  }
}

/**
 * Takes what a stream told.
 * @param {Model} model
 * @param {import("./stream.js").Told} update
 * @param {number} now
 */
export function receive(model, update, now) {
  model.lastSign = now;
  const wasIdle = isIdle(model);
  if ("message" in update) {
    const { message } = update;
    // Where nothing happens, streams that end and begin are told once.
    if (wasIdle && message.text === GREETING && message.system) return;
    model.operations.update(message, now);
    const kind = message.system ? "system" : "message";
    const more = message.text.length - TEXT_MAX;
    const words = more > 0 ? `${message.text.slice(0, TEXT_MAX)}… (${more} more are not shown)` : message.text;
    const text = safe(words);
    const plain = message.system ? `-- ${text.plain} --` : text.plain || withoutWords(message);
    if (!message.system) {
      model.received += 1;
      model.lastMessage = now;
      if (message.level === "error") model.errors += 1;
    }
    return append(model, {
      kind,
      time: message.time,
      arrived: now,
      level: message.level,
      operation: message.operation === undefined ? undefined : safeLine(message.operation),
      plain,
      spans: message.system || text.spans.length === 0 ? NO_SPANS : text.spans,
      message,
    });
  }
  if ("gap" in update) {
    const { from, to, missed, joining } = update.gap;
    if (missed === undefined) {
      model.uncounted += 1;
      return note(model, "the server restarted; messages may be lost, how many is not known", now, "warn");
    }
    if (joining) {
      const are = missed === 1 ? "is" : "are";
      return note(model, `${counted(missed, "older message")} ${are} no longer held`, now, "warn");
    }
    model.lost += missed;
    return note(model, `${counted(missed, "message")} lost (${from}–${to})`, now, "warn");
  }
  if (wasIdle && update.end === "idle") return;
  const texts = {
    stopped: "stopped",
    idle: IDLE,
    quit: "ended by its owner, whose watch was the server; `codechat serve` starts one that stays",
  };
  return note(model, texts[update.end], now);
}

/** Whether the newest record says that nothing happens. @param {Model} model */
function isIdle({ records }) {
  const newest = records.get(records.end() - 1);
  return newest?.kind === "note" && newest.plain === `-- ${IDLE} --`;
}

/** What a message without text says. @param {import("./stream.js").Message} message */
function withoutWords(message) {
  if (message.outcome) return `(${message.outcome})`;
  if (!message.progress) return "";
  const { current, total } = message.progress;
  return total === undefined ? `(${current})` : `(${current}/${total})`;
}

/**
 * Makes a record of the page's own.
 * @param {"note" | "ruler"} kind
 * @param {string} plain
 * @param {number} arrived
 * @param {string} [level]
 * @returns {Record}
 */
function own(kind, plain, arrived, level) {
  return { kind, time: 0, arrived, level, operation: undefined, plain, spans: NO_SPANS };
}

/**
 * Appends what the page itself has to tell.
 * @param {Model} model
 * @param {string} text
 * @param {number} now
 * @param {string} [level]
 */
const note = (model, text, now, level) => append(model, own("note", `-- ${safeLine(text)} --`, now, level));

/**
 * Makes the list anew, after its width, the filter or the level has changed. What is filtered, the worker says.
 * @param {Model} model
 */
export function relist(model) {
  model.viewport.clear();
  model.lists += 1;
  model.counted = model.records.end();
  if (isFiltered(model)) return;
  for (let id = model.records.first(); id < model.records.end(); id += 1) show(model, id);
}

/**
 * Takes the records that pass the filter, as the worker finds them.
 * @param {Model} model
 * @param {Iterable<number>} ids
 */
export function pass(model, ids) {
  for (const id of ids) show(model, id);
}

/** Draws a line with the time. @param {Model} model @param {number} now */
export const ruler = (model, now) => append(model, own("ruler", clock(model.began + now, model.offset), now));

/** The records that are shown, in their order. @param {Model} model */
export function* shown({ viewport, records }) {
  for (let at = 0; at < viewport.count(); at += 1) {
    const record = records.get(viewport.idAt(at));
    if (record) yield record;
  }
}

/** The first record that is shown of each operation. @param {Model} model */
export function beginnings(model) {
  /** @type {Map<string | undefined, Record>} */
  const firsts = new Map();
  for (const record of shown(model)) if (!firsts.has(record.operation)) firsts.set(record.operation, record);
  firsts.delete(undefined);
  return new Set(firsts.values());
}

/** The operation to be cancelled: the one in focus, or the only one; all if there is none. @param {Model} model */
export function toCancel(model) {
  const running = model.operations.running().map((it) => it.name);
  const focused = model.focus === undefined ? undefined : model.records.get(meant(model))?.message?.operation;
  if (running.includes(focused)) return focused;
  return running.length === 1 ? running[0] : undefined;
}

/** What a screen reader is told now and then. @param {Model} model */
export function spoken(model) {
  const { behind, connection } = model;
  if (connection.kind === "retrying") return "lost the connection";
  if (connection.kind === "ended") return "the stream has ended";
  if (connection.kind === "failed" || connection.kind === "malformed") return connection.text ?? "";
  return behind.new > 0 ? news(model) : "";
}

/** What has come since the list stands still. @param {Model} model */
export function news({ behind }) {
  const errors = behind.errors > 0 ? `, ${counted(behind.errors, "error")}` : "";
  return `${countOf(behind.new)} new${errors}`;
}

/** Moves the level that is shown. @param {Model} model @param {number} by */
export function levelBy(model, by) {
  const at = model.level === "" ? 0 : LEVELS.indexOf(model.level);
  const next = Math.min(LEVELS.length - 1, Math.max(0, at + by));
  return next === 0 ? "" : LEVELS[next];
}

/** Goes on to the next way of showing times, and returns what is to be told. @param {Model} model */
export function nextTimes(model) {
  model.times = (model.times + 1) % TIMES.length;
  return `times: ${TIMES[model.times]}`;
}

/**
 * Returns what the time column says of a record, with the one above it.
 * @param {Model} model
 * @param {Record} record
 * @param {Record | undefined} previous
 */
export function timeText(model, record, previous) {
  /** @param {Record} it */
  const at = (it) => it.time || model.began + it.arrived;
  if (model.times === 0) return clock(at(record), model.offset);
  if (model.times === TIMES.indexOf("off")) return "";
  const before = model.times === 1 ? model.records.get(model.records.first()) : previous;
  return sinceText(at(record) - at(before ?? record));
}

/**
 * Returns what is told of the connection, and how it is meant: good, bad, a warning or nothing.
 * @param {Model} model
 * @param {number} now
 * @returns {{ text: string, tone: string }}
 */
export function stateText(model, now) {
  const { connection } = model;
  switch (connection.kind) {
    case "live": {
      if (model.narrow) return { text: "● live", tone: "good" };
      const message = model.lastMessage < 0 ? "no message yet" : `message ${age(now - model.lastMessage)} ago`;
      return { text: `● live · ${message} · heartbeat ${age(now - model.lastSign)} ago`, tone: "good" };
    }
    case "retrying": {
      const left = Math.ceil(Math.max(0, (connection.due ?? now) - now) / 1000);
      const soon = left === 0 ? "now" : `in ${left} s`;
      const lost = now - (connection.since ?? now);
      const advice = lost > LOST_LONG ? "; is the server running? `codechat serve`" : "";
      const text = `◐ reconnecting, try ${connection.attempt} ${soon} (${connection.text})${advice}`;
      return { text, tone: "warning" };
    }
    case "ended":
      return { text: connection.text ? `■ ended (${connection.text})` : "■ ended", tone: "" };
    case "failed":
    case "malformed":
      return { text: `■ ${connection.text}`, tone: "bad" };
    case "asleep":
      return { text: "◌ asleep while other tabs are looked at", tone: "" };
    default:
      return { text: "◌ connecting", tone: "" };
  }
}

/** Whether the list stands still; else, what became of the message that the address leads to. @param {Model} model */
export function pausedText(model) {
  const { connection, link } = model;
  if (!isFollowing(model)) return model.narrow ? "paused ·" : "paused,";
  if (!link) return "";
  const waits = connection.kind === "ended" ? "never came" : "is not here yet";
  return `message ${link.seq} ${link.isGone ? "is gone" : waits}`;
}

/** The counts in the footer. @param {Model} model */
export function countsText(model) {
  const errors = model.errors > 0 ? ` · ${counted(model.errors, "error")}` : "";
  const received = `received ${countOf(model.received)}${errors}`;
  const unknown = model.uncounted > 0 ? (model.lost > 0 ? "+?" : "?") : "";
  const lost = unknown === "?" ? "?" : `${countOf(model.lost)}${unknown}`;
  const { records, viewport } = model;
  const fellOff = records.fellOff() > 0 ? ` · fell off ${countOf(records.fellOff())}` : "";
  const filtered = isFiltered(model) ? records.end() - records.first() - viewport.count() : 0;
  if (model.narrow) return isFollowing(model) ? `${received} · lost ${lost}` : "";
  const shown = `shown ${countOf(viewport.messages())} · filtered ${countOf(filtered)}`;
  return `${received} · ${shown} · lost ${lost}${fellOff}`;
}
