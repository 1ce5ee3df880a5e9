// The worker that searches and filters.
//
// A user's pattern on a stranger's text may take for ever: the page ends a worker that is silent
// for too long, starts another one and sends it everything again. So nothing is known here that the
// page has not sent. Knows no record but by its text, its level and its kind.

import { compile } from "./text.js";

/** @typedef {{type: "push", first: number, plains: string[], levels: (string|undefined)[]}} Push
 * The texts and levels of records that come after all others; `first` is the number of the first of
 * them. The level of what is always shown is "always". Lists of texts are copied several times as
 * fast as objects. */
/** @typedef {{type: "drop", first: number}} Drop
 * The records before this one fell off. */
/** @typedef {{
 *   type: "set", search: string, filter: string, level: string|undefined, generation: number
 * }} Set
 * What is looked for, what is shown, and the least level that is shown. All records are gone
 * through again. */

/** @typedef {{
 *   generation: number, shown: Uint32Array, hits: Uint32Array, marks?: Marks, until: number, done: boolean
 * }} Found
 * The numbers of further records that are shown, and of those among them that have what is looked
 * for, in order; where it is in the records that were asked for. Records before `until` are gone
 * through. `done`: these are all that have come; what is pushed later follows. */
/** @typedef {{type: "mark", ids: number[]}} Mark
 * Where in these records is what is looked for? */
/** @typedef {[id: number, ranges: [start: number, end: number][]][]} Marks
 * Where it is, in those of them that have come by then and are kept. */

/** The most records between two signs of life, and about the longest time, in ms. */
const BATCH = 10_000;
const SLICE = 10;
/** The clock is read once in so many records. */
const STRIDE = 16;

const LEVELS = ["trace", "debug", "info", "warn", "error", "always"];
/** What is not filtered: all but publishers' messages. */
const ALWAYS = LEVELS.indexOf("always");
const NONE = new Uint32Array();

/** @type {string[]} */
const plains = [];
/** @type {number[]} */
const ranks = [];
/** The number of the oldest record. */
let first = 0;
/** The number of the next record that is gone through. */
let at = 0;

/** @type {{search: Wanted, filter: Wanted, least: number, generation: number}|undefined} */
let wanted;
/** @typedef {import("./text.js").Query|undefined} Wanted */

/** What is posted here comes after the page's messages that have come by then. */
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

/** Reads a pattern; one that is broken, which the page does not send, is none.
 * @param {string} text
 * @param {boolean} negatable
 * @returns {Wanted} */
function query(text, negatable) {
  const read = compile(text, { negatable });
  return read && "test" in read ? read : undefined;
}

/** Goes through the next batch of records, and asks for another turn if there are more. */
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
