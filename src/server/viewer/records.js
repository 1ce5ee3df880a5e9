// The records, in a ring that is bounded in their number and in bytes of text; dropped records are counted.
//
// Corresponds to src/watch/pane/state/records.rs. Knows neither where records come from nor how they are shown.

/** @typedef {{
 *   kind: "message"|"system"|"note"|"ruler",
 *   time: number, arrived: number,
 *   level: string|undefined, operation: string|undefined,
 *   plain: string, spans: import("./text.js").Span[],
 *   message?: import("./stream.js").Message
 * }} Entry
 * A record: its kind, when the server accepted it and when it arrived (ms), and the text to show. */

/** Upper bound of the records. */
export const RECORDS_MAX = 200_000;
/** Upper bound of their text, in bytes. The newest record is kept even if it is larger. */
export const BYTES_MAX = 64 * 1024 * 1024;
/** The bytes that a styled span counts for: about its size in memory. */
const SPAN_BYTES = 64;

/** The level of a message. One without a level that reports a failure counts as an error.
 * @param {Entry} record */
export const levelOf = ({ level, message }) => level ?? (message?.outcome === "failed" ? "error" : undefined);

/** An empty ring. Records have numbers from 0, in the order in which they came. */
export function createRecords() {
  /** @type {(Entry|undefined)[]} */
  const slots = [];
  const sizes = new Uint32Array(RECORDS_MAX);
  let first = 0;
  let end = 0;
  let bytes = 0;

  return {
    /** Appends a record, drops the oldest ones if there are too many, and returns its number.
     * @param {Entry} record */
    push(record) {
      if (end - first === RECORDS_MAX) letGo();
      slots[end % RECORDS_MAX] = record;
      bytes += sizes[end % RECORDS_MAX] = size(record);
      end += 1;
      while (bytes > BYTES_MAX && end - first > 1) letGo();
      return end - 1;
    },

    /** The record with this number, if it is still kept.
     * @param {number} id */
    get: (id) => (id >= first && id < end ? slots[id % RECORDS_MAX] : undefined),

    /** The number of the oldest kept record, which is also the number of dropped ones. */
    first: () => first,

    /** The number after that of the newest record. */
    end: () => end,

    /** The bytes that all kept records count for. */
    bytes: () => bytes,
  };

  function letGo() {
    slots[first % RECORDS_MAX] = undefined;
    bytes -= sizes[first % RECORDS_MAX];
    first += 1;
  }
}

/** Returns the bytes that a record counts for: its text in UTF-8, as it arrived (in JSON, with names
 * and fields) or as it is shown, whichever is longer, and its styles.
 * @param {Entry} record */
function size({ plain, spans, message }) {
  const data = message ? utf8Length(message.data) : 0;
  return Math.max(data, utf8Length(plain)) + spans.length * SPAN_BYTES;
}

/** A UTF-16 unit takes 1 to 3 bytes, half a surrogate pair 2.
 * @param {string} text */
export function utf8Length(text) {
  let bytes = text.length;
  if (/^[\0-\x7f]*$/.test(text)) return bytes;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes;
}
