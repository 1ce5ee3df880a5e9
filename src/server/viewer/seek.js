// The worker that searches and filters.
//
// A user's pattern may take for ever on a publisher's text: the page ends a worker that does not answer in time, starts
// another one and sends it everything again. So the worker has only what the page has sent: of each record, the text,
// the level and the kind.

import { compile } from "./text.js";

/** @typedef {{type: "push", first: number, plains: string[], levels: (string|undefined)[]}} Push
 * The texts and levels of records that come after all others; `first` is the number of the first of them. The level of
 * records that are always shown is "always". Lists of texts are copied several times as fast as objects. */
/** @typedef {{type: "drop", first: number}} Drop
 * The records before this one were dropped. */
/** @typedef {{
 *   type: "set", search: string, filter: string, level: string|undefined, generation: number
 * }} Set The search, the filter, and the lowest level that is shown. All records are processed again. */

/** @typedef {{
 *   generation: number, shown: Uint32Array, hits: Uint32Array, marks?: Marks, until: number, done: boolean
 * }} Found The numbers of further records that are shown, and of those with a hit, in order; and the hits in the
 * records that were asked for. Records before `until` are processed. `done`: these are all records so far; results for
 * later ones follow. */
/** @typedef {{type: "mark", ids: number[]}} Mark
 * Asks where the hits in these records are. */
/** @typedef {[id: number, ranges: [start: number, end: number][]][]} Marks
 * The hits in those records that have arrived and are still kept. */

/** Upper bounds of the records between two answers, and roughly of the time, in ms. */
const BATCH = 10_000;
const SLICE = 10;
/** Number of records between two readings of the clock. */
const STRIDE = 16;

const LEVELS = ["trace", "debug", "info", "warn", "error", "always"];
/** The level of records that are not filtered: all but publishers' messages. */
const ALWAYS = LEVELS.indexOf("always");
const NONE = new Uint32Array();

/** @type {string[]} */
const plains = [];
/** @type {number[]} */
const ranks = [];
/** The number of the oldest record. */
let first = 0;
/** The number of the next record to process. */
let at = 0;

/** @type {{search: Wanted, filter: Wanted, least: number, generation: number}|undefined} */
let wanted;
/** @typedef {import("./text.js").Query|undefined} Wanted */

/** A message posted here is handled after the page's messages that have already arrived. */
const turn = new MessageChannel();
let isTurnDue = false;
turn.port1.onmessage = () => {
  isTurnDue = false;
  goThrough();
};

self.onmessage = ({ data }) => {
  const message = /** @type {Push|Drop|Set|Mark} */ (data);
  if (message.type === "drop") return drop(message.first);
  if (message.type === "mark") return mark(message.ids);
  if (message.type === "push") push(message);
  else set(message);
  if (!isTurnDue) goThrough();
};

/** @param {Set} message */
function set({ search, filter, level, generation }) {
  const least = LEVELS.indexOf(level ?? "");
  wanted = { search: query(search, false), filter: query(filter, true), least, generation };
  at = first;
}

/** @param {Push} message */
function push(message) {
  if (plains.length === 0) {
    first = message.first;
    at = Math.max(at, first);
  }
  plains.push(...message.plains);
  ranks.push(...message.levels.map((level) => LEVELS.indexOf(level ?? "info")));
}

/** @param {number} until */
function drop(until) {
  const count = Math.min(Math.max(until - first, 0), plains.length);
  plains.splice(0, count);
  ranks.splice(0, count);
  first += count;
  at = Math.max(at, first);
}

/** @param {number[]} ids */
function mark(ids) {
  const known = ids.filter((id) => id >= first && id < first + plains.length);
  const marks = /** @type {Marks} */ (known.map((id) => [id, wanted?.search?.ranges(plains[id - first]) ?? []]));
  self.postMessage({ generation: wanted?.generation ?? 0, shown: NONE, hits: NONE, marks, until: at, done: false });
}

/** Parses a pattern; a malformed one, which the page never sends, counts as none.
 * @param {string} text
 * @param {boolean} negatable
 * @returns {Wanted} */
function query(text, negatable) {
  const read = compile(text, { negatable });
  return read && "test" in read ? read : undefined;
}

/** Processes the next batch of records, and schedules the next one if there are more. */
function goThrough() {
  if (!wanted) return;
  const { search, filter, least, generation } = wanted;
  const end = first + plains.length;
  const stop = Math.min(end, at + BATCH);
  const late = performance.now() + SLICE;
  const shown = new Uint32Array(stop - at);
  const hits = new Uint32Array(search ? stop - at : 0);
  let [shownCount, hitCount] = [0, 0];
  for (; at < stop; at += 1) {
    if (at % STRIDE === 0 && performance.now() > late) break;
    const plain = plains[at - first];
    const rank = ranks[at - first];
    const passes = rank >= least && (!filter || filter.test(plain) !== filter.not);
    if (!passes && rank !== ALWAYS) continue;
    shown[shownCount++] = at;
    if (search?.test(plain)) hits[hitCount++] = at;
  }
  const done = at === end;
  self.postMessage({ generation, shown: shown.slice(0, shownCount), hits: hits.slice(0, hitCount), until: at, done });
  if (!done) {
    isTurnDue = true;
    turn.port2.postMessage(undefined);
  }
}
