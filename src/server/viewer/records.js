// What has come, in a ring: so many records or so many bytes of text, and what fell off is counted.
//
// Does what src/watch/pane/state/records.rs does. Knows neither where records come from nor how
// they are shown.

/** @typedef {{
 *   kind: "message"|"system"|"note"|"ruler",
 *   time: number, arrived: number,
 *   level: string|undefined, operation: string|undefined,
 *   plain: string, spans: import("./text.js").Span[],
 *   message?: import("./stream.js").Message
 * }} Entry
 * A record: what it is, when the server took it and when it came (ms), and what is shown of it. */

/** The most records that are kept. */
export const RECORDS_MAX = 200_000;
/** The most bytes that their text takes. The newest record stays whatever it takes. */
export const BYTES_MAX = 64 * 1024 * 1024;
/** What a span of another style counts for: about its size in memory. */
const SPAN_BYTES = 64;

/** What a message counts as: one that tells a failure, and no level, as an error.
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
    /** Appends a record, lets the oldest go if there are too many, and returns its number.
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

    /** The number of the oldest one that is kept: so many fell off. */
    first: () => first,

    /** One beyond the newest one's number. */
    end: () => end,

    /** What all that are kept count for. */
    bytes: () => bytes,
  };

  function letGo() {
    slots[first % RECORDS_MAX] = undefined;
    bytes -= sizes[first % RECORDS_MAX];
    first += 1;
  }
}

/** Returns what a record counts for: the bytes of its text in UTF-8, as it came (with names and
 * fields, in JSON) or as it is shown, whichever is longer, and its styles.
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
