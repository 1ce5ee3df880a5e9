// A pattern as a user types it: a regular expression, in any case unless it has capitals.
//
// Does what src/watch/pane/state/query.rs does, in JavaScript's syntax. A pattern may take for ever
// on some texts, and cannot be interrupted: who tests many texts does so in a worker (seek.js).

/** @typedef {{
 *   test(plain: string): boolean,
 *   ranges(plain: string): [start: number, end: number][],
 *   not: boolean
 * }} Query
 * A pattern: whether it matches, where (UTF-16 offsets, without empty matches), and whether what
 * does *not* match is wanted. */

/** The most places in one text that are told. */
const RANGES_MAX = 1000;

/** Reads a pattern: undefined if it is empty, what is wrong with it if it is broken.
 * @param {string} text
 * @param {{negatable?: boolean}} [options] `negatable`: a leading `!` is not part of the pattern
 * @returns {Query|{error: string}|undefined} */
export function compile(text, { negatable = false } = {}) {
  const not = negatable && text.startsWith("!");
  const pattern = not ? text.slice(1) : text;
  if (pattern === "") return undefined;
  const flags = hasCapital(pattern) ? "mu" : "imu";
  try {
    const one = new RegExp(pattern, flags);
    const all = new RegExp(pattern, `${flags}g`);
    return { test: (plain) => one.test(plain), ranges: (plain) => ranges(all, plain), not };
  } catch (error) {
    return { error: reason(error) };
  }
}

/** @param {RegExp} pattern @param {string} plain */
function ranges(pattern, plain) {
  /** @type {[number, number][]} */
  const found = [];
  for (const { index, 0: hit } of plain.matchAll(pattern)) {
    if (found.length === RANGES_MAX) break;
    if (hit !== "") found.push([index, index + hit.length]);
  }
  return found;
}

/** Whether a pattern has a capital letter that stands for itself: not that of a class like `\S`.
 * @param {string} pattern */
const hasCapital = (pattern) => /\p{Uppercase}/u.test(pattern.replace(/\\./gsu, ""));

/** Returns what is wrong, on one line, without the pattern that some engines repeat.
 * @param {unknown} error */
function reason(error) {
  const message = error instanceof Error ? error.message : String(error);
  const text = message.replace(/^Invalid regular expression: (?:\/.*\/[a-z]*: )?/s, "");
  return text.charAt(0).toLowerCase() + text.slice(1);
}
