// The model: what the page has received and what it shows. Knows no DOM, no clock and no network: events are passed in
// with their time, in milliseconds since the page began.

import { age, clock, countOf, counted, sinceText } from "./format.js";
import { createOperations } from "./operations.js";
import { createRecords } from "./records.js";
import { GREETING, LEVELS } from "./stream.js";
import { safe, safeLine } from "./text.js";
import { LINES_MAX, createViewport, isFollowing, lineEnds, meant, shown, wrapColumns } from "./viewport.js";

/** @typedef {import("./records.js").Entry} Record */

/** Time without a connection after which the page asks whether the server is running, in ms. */
const LOST_LONG = 30_000;
/** Upper bound of the shown text of one message, in characters. */
const TEXT_MAX = 4 << 20;
/** Shared by all texts without styles. @type {import("./text.js").Span[]} */
const NO_SPANS = [];
/** The line in the list if a stream has ended for idleness; the page then subscribes again. */
const IDLE = "ended: nothing happened for the idle timeout";
const QUIT = "ended by its owner, whose watch was the server; `codechat serve` starts one that stays";
/** The texts for the end of a stream. */
const ENDS = { stopped: "stopped", idle: IDLE, quit: QUIT };
/** Upper bound of the announcements in one sentence for a screen reader. */
const UNSAID_MAX = 3;
const [LOST, FOUND] = ["lost the connection", "connected again"];
const ADDRESS = /^([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})(?:\/([1-9]\d{0,15})(?:-(\d{1,15}))?)?$/i;
const TIMES = ["clock", "since the start", "since the previous message", "off"];

/**
 * Returns an empty model.
 * @param {{ id: string, began: number, offset: number }} options `began` in ms since 1970, `offset` from UTC in minutes
 */
export function createModel({ id, began, offset }) {
  return {
    id, began, offset,
    /** @type {{ kind: string, text?: string, attempt?: number, due?: number, since?: number }} */
    connection: { kind: "connecting" },
    /** When the last message arrived, and when anything did; -1 for never. */
    lastMessage: -1,
    lastSign: -1,
    records: createRecords(),
    viewport: createViewport(),
    operations: createOperations(true),
    /** Counts: messages, lost messages, losses of an unknown number, and errors. */
    received: 0, lost: 0, uncounted: 0, errors: 0,
    /** What has arrived since the list was paused. */
    behind: { new: 0, errors: 0 },
    /** The search, the filter, and the lowest level shown. */
    search: "", filter: "", level: "",
    /** @type {number[]} */
    hits: [],
    /** The record whose first hit should be visible. @type {number | undefined} */
    sought: undefined,
    /** The places of the hits on screen that the worker has found so far. @type {Map<number, [start: number, end: number][]>} */
    marks: new Map(),
    /** The number of the newest question to the worker, to recognise late answers. */
    generation: 0,
    /** @type {number | undefined} The record in focus; none while following. */
    focus: undefined,
    /** @type {import("./viewport.js").Anchor | undefined} What is at the top of the screen; none while following. */
    anchor: undefined,
    /** What was at the top when the list was last drawn. @type {import("./viewport.js").Anchor | undefined} */
    drawn: undefined,
    /** Whether the list stays as drawn until the worker has found what to show instead. */
    isWaiting: false,
    /** How the list is laid out. */
    times: 0, wraps: true, columns: 80, narrow: false,
    /** How often the list was computed again. */
    lists: 0,
    /** The first record that counts in `behind`. */
    counted: 0,
    /** Whether all operations are shown. */
    unfolds: false,
    wantsDebug: false,
    /** The message that the address names. `time`: of the message, 0 if not known; `next`: the record from which to look for it.
     * @type {{ seq: number, time: number, next: number, isGone: boolean } | undefined} */
    link: undefined,
    notice: "",
    /** The operations that were asked to cancel, which is shown until they end. @type {Set<string | undefined>} */
    cancelled: new Set(),
    /** The announcements for a screen reader that are due, by their subject. @type {Map<string | undefined, string>} */
    unsaid: new Map(),
    /** The last announcement of what is running. */
    said: ["", ""],
  };
}

/** @typedef {ReturnType<typeof createModel>} Model */

/**
 * Parses the part after `#` of the page's address: nothing, a client ID, or a client ID and the number of a message,
 * perhaps followed by its time. @param {string} fragment @returns {{ id?: string, seq?: number, time?: number, failure?:
 * string }}
 */
export function readAddress(fragment) {
  if (fragment === "") return {};
  const [, id, seq = 0, time = 0] = ADDRESS.exec(fragment) ?? [];
  if (id) return { id: id.toLowerCase(), seq: Number(seq), time: Number(time) };
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
  const record = place(model, id);
  if (record?.kind !== "message" || isFollowing(model) || id < model.counted) return;
  model.behind.new += 1;
  if (record.level === "error") model.behind.errors += 1;
}

/** Appends a record to the list, if it is still kept, and returns it. @param {Model} model @param {number} id */
function place(model, id) {
  const record = model.records.get(id);
  if (!record) return undefined;
  const lines = lineEnds(record.plain, wrapColumns(model), LINES_MAX + 1).length + Number(model.narrow);
  model.viewport.push(id, lines, record.kind === "message");
  return record;
}

/**
 * Applies an update of the stream. If nothing else happens, streams that end and begin again are shown once.
 * @param {Model} model
 * @param {import("./stream.js").Told} update
 * @param {number} now
 */
export function receive(model, update, now) {
  model.lastSign = now;
  const isGreeting = "message" in update && update.message.system && update.message.text === GREETING;
  const isRoutine = isGreeting || ("end" in update && update.end === "idle");
  if (isRoutine && isIdle(model)) return;
  if ("message" in update) receiveMessage(model, update.message, now);
  else if ("gap" in update) receiveGap(model, update.gap, now);
  else note(model, ENDS[update.end], now);
}

/** @param {Model} model @param {import("./stream.js").Message} message @param {number} now */
function receiveMessage(model, message, now) {
  const { time, level, system } = message;
  model.operations.update(message, now);
  tellOutcome(model, message);
  const more = message.text.length - TEXT_MAX;
  const words = more > 0 ? `${message.text.slice(0, TEXT_MAX)}… (${more} more are not shown)` : message.text;
  const { plain, spans } = safe(words);
  const operation = message.operation === undefined ? undefined : safeLine(message.operation);
  const record = { time, arrived: now, level, operation, message };
  if (system) return append(model, { ...record, kind: "system", plain: `-- ${plain} --`, spans: NO_SPANS });
  model.received += 1;
  model.lastMessage = now;
  if (level === "error") model.errors += 1;
  append(model, { ...record, kind: "message", plain: plain || withoutWords(message), spans });
}

/** @param {Model} model @param {import("./stream.js").Gap} gap @param {number} now */
function receiveGap(model, { from, to, missed, joining }, now) {
  if (missed === undefined) {
    model.uncounted += 1;
    return note(model, "the server restarted; messages may be lost, how many is not known", now, "warn");
  }
  const older = `${counted(missed, "older message")} ${missed === 1 ? "is" : "are"} no longer held`;
  if (!joining) model.lost += missed;
  note(model, joining ? older : `${counted(missed, "message")} lost (${from}–${to})`, now, "warn");
}

/** Returns whether the newest record says that the stream ended for idleness. @param {Model} model */
function isIdle({ records }) {
  const newest = records.get(records.end() - 1);
  return newest?.kind === "note" && newest.plain === `-- ${IDLE} --`;
}

/** Returns the text for a message without text. @param {import("./stream.js").Message} message */
function withoutWords(message) {
  if (message.outcome) return `(${message.outcome})`;
  if (!message.progress) return "";
  const { current, total } = message.progress;
  return total === undefined ? `(${current})` : `(${current}/${total})`;
}

/**
 * Creates a record of the page itself.
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
 * Appends a line of the page itself.
 * @param {Model} model
 * @param {string} text
 * @param {number} now
 * @param {string} [level]
 */
const note = (model, text, now, level) => append(model, own("note", `-- ${safeLine(text)} --`, now, level));

/** Computes the list again from its records, because the line breaks have changed. @param {Model} model */
export function rewrap(model) {
  const ids = model.viewport.ids();
  model.viewport.clear();
  for (const id of ids) place(model, id);
}

/**
 * Computes the list again after the filter or the level has changed. The worker does the filtering.
 * @param {Model} model
 */
export function relist(model) {
  model.viewport.clear();
  model.lists += 1;
  model.counted = model.records.end();
  model.isWaiting = isFiltered(model);
  if (model.isWaiting) return;
  for (let id = model.records.first(); id < model.records.end(); id += 1) show(model, id);
}

/**
 * Appends the records that pass the filter, as the worker finds them.
 * @param {Model} model
 * @param {Iterable<number>} ids
 */
export function pass(model, ids) {
  for (const id of ids) show(model, id);
}

/** Draws a line with the time. @param {Model} model @param {number} now */
export const ruler = (model, now) => append(model, own("ruler", clock(model.began + now, model.offset), now));

/** Returns everything that is shown, as text. @param {Model} model */
export function shownAsText(model) {
  const lines = [];
  let previous;
  for (const record of shown(model)) {
    const name = record.operation === undefined ? "" : `${record.operation}:`;
    const parts = [timeText(model, record, previous), record.level, name, record.plain];
    lines.push(parts.filter(Boolean).join(" "), "\n");
    previous = record;
  }
  return lines.join("");
}

/** Returns every kept message, as NDJSON. @param {Model} model */
export function allAsNdjson({ records }) {
  const lines = [];
  for (let id = records.first(); id < records.end(); id += 1) {
    const data = records.get(id)?.message?.data;
    if (data) lines.push(data, "\n");
  }
  return lines.join("");
}

/** Returns the operation to cancel: the one in focus, or the only one; all if there is none. @param {Model} model */
export function toCancel(model) {
  const running = model.operations.running().map((it) => it.name);
  const focused = model.focus === undefined ? undefined : model.records.get(meant(model))?.message?.operation;
  if (running.includes(focused)) return focused;
  return running.length === 1 ? running[0] : undefined;
}

/** Announces how an operation has ended. @param {Model} model @param {import("./stream.js").Message} message */
function tellOutcome(model, { system, level, text, operation, outcome }) {
  if (outcome) say(model, operation, `${safeLine(operation ?? "progress")} ${outcome === "ok" ? "done" : outcome}`);
  // This is the server's message that a publisher is gone.
  else if (system && level === "error") say(model, operation, safeLine(text));
  if (outcome) model.cancelled.delete(operation);
}

/**
 * Queues an announcement for a screen reader. It replaces an earlier one about the same subject.
 * @param {Model} model
 * @param {string | undefined} about an operation, or "" for what the page itself has to tell
 * @param {string} text
 */
export function say({ unsaid }, about, text) {
  unsaid.delete(about);
  unsaid.set(about, text);
  if (unsaid.size > UNSAID_MAX) unsaid.delete(unsaid.keys().next().value);
}

/** Takes the announcement for a screen reader; "" if there is none. @param {Model} model */
export function spoken(model) {
  const { behind, connection, said, unsaid } = model;
  const wasLost = said[0] === LOST || said[0] === FOUND;
  const states = new Map([["retrying", LOST], ["ended", "the stream has ended"], ["live", wasLost ? FOUND : ""]]);
  const going = [states.get(connection.kind) ?? connection.text ?? "", behind.new > 0 ? news(model) : ""];
  const told = [...unsaid.values(), ...going.filter((it) => !said.includes(it))];
  model.said = going;
  unsaid.clear();
  return told.filter(Boolean).join("; ");
}

/** What has arrived since the list was paused. @param {Model} model */
export function news({ behind }) {
  const errors = behind.errors > 0 ? `, ${counted(behind.errors, "error")}` : "";
  return `${countOf(behind.new)} new${errors}`;
}

/** Changes the lowest level that is shown. @param {Model} model @param {number} by */
export function levelBy(model, by) {
  const at = model.level === "" ? 0 : LEVELS.indexOf(model.level);
  const next = Math.min(LEVELS.length - 1, Math.max(0, at + by));
  return next === 0 ? "" : LEVELS[next];
}

/** Switches to the next way of showing times, and returns the notice. @param {Model} model */
export function nextTimes(model) {
  model.times = (model.times + 1) % TIMES.length;
  return `times: ${TIMES[model.times]}`;
}

/**
 * Returns the text in the time column of a record. `previous` is the record above it.
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

/** Returns the text about the connection. @param {Model} model @param {number} now */
export function stateText(model, now) {
  const { kind, text, due = now, since = now, attempt } = model.connection;
  if (kind === "live") {
    const asked = model.wantsDebug ? " · detail asked" : "";
    if (model.narrow) return `● live${asked}`;
    const message = model.lastMessage < 0 ? "no message yet" : `message ${age(now - model.lastMessage)} ago`;
    return `● live · ${message} · heartbeat ${age(now - model.lastSign)} ago${asked}`;
  }
  if (kind === "retrying") {
    const soon = due > now ? `in ${Math.ceil((due - now) / 1000)} s` : "now";
    const advice = now - since > LOST_LONG ? "; is the server running? `codechat serve`" : "";
    return `◐ reconnecting, try ${attempt} ${soon} (${text})${advice}`;
  }
  if (kind === "ended") return text ? `■ ended (${text})` : "■ ended";
  if (kind === "asleep") return "◌ asleep while other tabs are looked at";
  return text ? `■ ${text}` : "◌ connecting";
}

/** Returns whether the list is paused; else, what happened to the message that the address names. @param {Model} model */
export function pausedText(model) {
  const { connection, link } = model;
  if (!isFollowing(model)) return model.narrow ? "paused ·" : "paused,";
  if (!link) return "";
  const waits = connection.kind === "ended" ? "never came" : "is not here yet";
  return `message ${link.seq} ${link.isGone ? "is gone" : waits}`;
}

/** Returns the counts for the footer. @param {Model} model */
export function countsText(model) {
  const errors = model.errors > 0 ? ` · ${counted(model.errors, "error")}` : "";
  const received = `received ${countOf(model.received)}${errors}`;
  const unknown = model.uncounted > 0 ? (model.lost > 0 ? "+?" : "?") : "";
  const lost = unknown === "?" ? "?" : `${countOf(model.lost)}${unknown}`;
  const { records, viewport } = model;
  const fellOff = records.first() > 0 ? ` · fell off ${countOf(records.first())}` : "";
  const filtered = isFiltered(model) ? records.end() - records.first() - viewport.count() : 0;
  if (model.narrow) return isFollowing(model) ? `${received} · lost ${lost}` : "";
  const shown = `shown ${countOf(viewport.messages())} · filtered ${countOf(filtered)}`;
  return `${received} · ${shown} · lost ${lost}${fellOff}`;
}
