// Parsing a stream into events, translating events to messages, and the wait before the next connection.
//
// Gives the same results as src/client/sse_repair.rs, src/client/subscribe/translate.rs and src/client/retry.rs, and is
// tested with the same vectors. Knows no network, no clock and no page: the caller passes in the bytes, and random
// numbers.

/** @typedef {{id: string, name: string, data: string}} StreamEvent */

/** @typedef {{
 *   id: string, seq: number, time: number,
 *   text: string, level: string|undefined,
 *   operation: string|undefined,
 *   progress: {current: number, total: number|undefined, unit: string|undefined}|undefined,
 *   outcome: string|undefined, event: string|undefined,
 *   fields: object|undefined, system: boolean,
 *   data: string
 * }} Message A message: its event ID, the ID's number (0 if the server sends it in this stream only) and time (in ms
 * since 1970, 0 if unknown), the published content, and the event's data exactly as it arrived. */

/** @typedef {{from?: number, to?: number, missed?: number, joining: boolean}} Gap
 * Missed messages: numbers and count if known. `joining`: they are older than the first connection. */

/** @typedef {{message: Message} | {gap: Gap} | {end: "stopped"|"idle"|"quit"}} Told */

/** Upper bound of a line and of an event, in bytes. */
const LONGEST = 64 * 1024 * 1024;
const LF = 10;
const CR = 13;
const SPACE = 32;
const COLON = 58;
const BOM = [0xef, 0xbb, 0xbf];
const NOTHING = new Uint8Array(0);

/** The only global used here that is not part of the language.
 * @typedef {{
 *   TextDecoder: new (label: string, options: object) => {decode(bytes: Uint8Array): string}
 * }} Globals */
const { TextDecoder } = /** @type {Globals} */ (/** @type {unknown} */ (globalThis));


/** The error that a line or an event is longer than 64 MiB. */
export class TooLong extends Error {}


/** Returns a parser of one response (WHATWG HTML 9.2.6). Bytes are kept unparsed until `next` reads them.
 * @param {string} lastId the last event ID of the response before, or "" */
export function createParser(lastId) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** @type {Uint8Array[]} */
  const waiting = [];
  /** @type {Uint8Array} */
  let chunk = NOTHING;
  let at = 0;
  // Its first `length` bytes are the incomplete line.
  let line = new Uint8Array(0);
  let length = 0;
  let isFirst = true;
  let isAfterCr = false;
  let hasBeat = false;
  // The current event, and the bytes of its lines.
  let id = lastId;
  let name = "";
  /** @type {string|undefined} */
  let data;
  let size = 0;
  /** @type {number|undefined} */
  let retry;

  return {
    /** Appends bytes. The caller must not change them afterwards. @param {Uint8Array} bytes */
    push(bytes) {
      if (bytes.length > 0) waiting.push(bytes);
    },

    /** Returns the next event or comment; undefined if no more is complete. Of several comments without
   * an event between them, only the first is returned.
     * @returns {StreamEvent|"heartbeat"|undefined}
     * @throws {TooLong} */
    next() {
      while (at < chunk.length || nextChunk()) {
        const start = isAfterCr && chunk[at] === LF ? at + 1 : at;
        isAfterCr = false;
        at = lineEnd(chunk, start);
        if (length > 0 || at === chunk.length) keep(chunk.subarray(start, at));
        if (at === chunk.length) continue;
        const told = length > 0 ? read(line.subarray(0, length)) : read(chunk.subarray(start, at));
        line = NOTHING;
        length = 0;
        isAfterCr = chunk[at] === CR;
        at += 1;
        if (told !== undefined) return told;
      }
      hasBeat = false;
      return undefined;
    },

    /** The last event ID that a complete block has set, even one without data. */
    lastId: () => lastId,

    /** The reconnection time that the stream has set, in ms. */
    retry: () => retry,
  };

  function nextChunk() {
    chunk = waiting.shift() ?? NOTHING;
    at = 0;
    return chunk.length > 0;
  }

  /** Appends to the incomplete line. @param {Uint8Array} part */
  function keep(part) {
    const needed = within(length + part.length);
    if (needed > line.length) {
      const longer = new Uint8Array(Math.max(needed, 2 * length));
      longer.set(line.subarray(0, length));
      line = longer;
    }
    line.set(part, length);
    length = needed;
  }

  /** Parses a line, given without its end. @param {Uint8Array} bytes */
  function read(bytes) {
    const hasMark = isFirst && BOM.every((byte, index) => bytes[index] === byte);
    isFirst = false;
    const rest = hasMark ? bytes.subarray(BOM.length) : bytes;
    if (rest.length === 0) return dispatch();
    const colon = rest.indexOf(COLON);
    if (colon === 0) {
      const isNew = !hasBeat;
      hasBeat = true;
      return isNew ? "heartbeat" : undefined;
    }
    // Decoded separately, because a substring would keep the whole string in memory.
    const field = decoder.decode(colon < 0 ? rest : rest.subarray(0, colon));
    const start = colon + (rest[colon + 1] === SPACE ? 2 : 1);
    const value = colon < 0 ? "" : decoder.decode(rest.subarray(start));
    if (field === "retry" && /^[0-9]+$/.test(value)) retry = Math.min(Number(value), Number.MAX_SAFE_INTEGER);
    if (field === "data") data = data === undefined ? value : `${data}\n${value}`;
    else if (field === "event") name = value;
    else if (field === "id" && !value.includes("\0")) id = value;
    else return undefined;
    size = within(size + bytes.length);
    return undefined;
  }

  /** Ends a block: it is an event if it has data. @returns {StreamEvent|undefined} */
  function dispatch() {
    const event = data === undefined ? undefined : { id, name: name || "message", data };
    hasBeat &&= !event;
    lastId = id;
    name = "";
    data = undefined;
    size = 0;
    return event;
  }
}

/** @param {number} bytes */
function within(bytes) {
  if (bytes > LONGEST) throw new TooLong("a line or an event is longer than 64 MiB");
  return bytes;
}

/** Returns the position of the first CR or LF; the end if there is none.
 * @param {Uint8Array} bytes @param {number} at */
function lineEnd(bytes, at) {
  while (at < bytes.length && bytes[at] !== LF && bytes[at] !== CR) at += 1;
  return at;
}


export const GREETING = "Starting server communication...";
const FAREWELL = "Server shutting down...";
const DEFAULT_EVENT = "debug";
const RESERVED_EVENTS = ["gap", "end", "control"];
export const LEVELS = ["trace", "debug", "info", "warn", "error"];
const OUTCOMES = ["ok", "failed", "cancelled"];
const OPERATION_MAX = 128;
const UNIT_MAX = 32;

/** Returns a translator for the events of a stream with `?format=json`, across its connections.
 * @param {string} lastId the last event ID of an earlier reading, or "" */
export function createTranslator(lastId) {
  // The place of the last message in its channel, kept across connections.
  let seen = place(lastId);
  let connections = 0;
  let hasRead = lastId !== "";
  let greetingDue = false;

  return {
    /** Begins a connection. `resuming`: whether it was asked to resume.
     * @param {boolean} resuming */
    begin(resuming) {
      connections += 1;
      greetingDue = !resuming;
      // A fresh stream begins with everything that the server holds, including what was read before.
      if (!resuming) seen = undefined;
    },

    /** Returns the update of an event; undefined if it was read before.
     * @param {StreamEvent} event @returns {Told|undefined} */
    read(event) {
      const at = place(event.id);
      if (event.name === "gap") {
        seen = at ?? seen;
        const joining = connections === 1 && !hasRead;
        hasRead = true;
        return { gap: gap(event.data, joining) };
      }
      if (event.name === "end") {
        const end = event.data;
        return { end: end === "idle" || end === "quit" ? end : "stopped" };
      }
      const object = objectOf(json(event.data));
      const said = parts(typeof object?.message === "string" ? object : textOnly(event, at));
      greetingDue = false;
      hasRead ||= !said.system;
      // Numbers rise by one in a channel, and a channel's successor under the same ID begins again
      // at 1, later: an event with neither a higher number nor a later time than the last message is a repetition.
      const isNew = !seen || !at || at.seq > seen.seq || at.time > seen.time;
      if (at && isNew) seen = at;
      if (!isNew && !said.system) return undefined;
      // A message that the server sends in this stream only has the ID of the message before it.
      const seq = isNew ? (at?.seq ?? 0) : 0;
      const { id, data } = event;
      const text = shared(said.text, data);
      return { message: { id, seq, time: at?.time ?? 0, ...said, text, data } };
    },
  };

  /** Returns a message of which only the text is known.
   * @param {StreamEvent} event @param {Place|undefined} at */
  function textOnly({ name, data }, at) {
    const isGreeting = greetingDue && data === GREETING;
    const isFarewell = data === FAREWELL && at && seen && at.seq <= seen.seq;
    const system = isGreeting || Boolean(isFarewell) || at?.seq === 0;
    return { message: data, event: name === DEFAULT_EVENT ? undefined : name, system };
  }
}

/** @typedef {{seq: number, time: number}} Place */

/** Parses an event ID. IDs with numbers above 2^53, which no server reaches, are not recognised.
 * @param {string} id @returns {Place|undefined} */
function place(id) {
  const found = /^([0-9]+)-([0-9]+)$/.exec(id);
  const [seq, time] = [Number(found?.[1]), Number(found?.[2])];
  return Number.isSafeInteger(seq) && Number.isSafeInteger(time) ? { seq, time } : undefined;
}

/** Parses a gap; a malformed one is of unknown size.
 * @param {string} data @param {boolean} isJoining if nothing was read before @returns {Gap} */
function gap(data, isJoining) {
  const { from, to } = objectOf(json(data)) ?? {};
  if (!isAmount(from) || !isAmount(to) || from > to) return { joining: false };
  return { from, to, missed: to - from + 1, joining: isJoining && from === 1 };
}

/** Parses a message object leniently, like src/wire/json/streamed.rs: unknown members and malformed
 * optional ones are ignored. @param {Record<string, unknown>} said */
function parts(said) {
  return {
    text: String(said.message),
    level: oneOf(LEVELS, said.level),
    operation: isLine(said.operation, 1, OPERATION_MAX) ? said.operation : undefined,
    progress: progress(objectOf(said.progress)),
    outcome: oneOf(OUTCOMES, said.outcome),
    event: eventName(said.event),
    fields: objectOf(said.fields),
    system: said.system === true,
  };
}

/** Returns the text as a substring of the data, if the data contains it unchanged, so that both share memory.
 * @param {string} text @param {string} data */
function shared(text, data) {
  const member = '"message":"';
  const start = data.indexOf(member) + member.length;
  return data.startsWith(text, start) ? data.slice(start, start + text.length) : text;
}

/** @param {Record<string, unknown>|undefined} said */
function progress(said) {
  const current = said?.current;
  const total = said?.total ?? undefined;
  const unit = said?.unit ?? undefined;
  const isTotal = total === undefined || isAmount(total);
  const isUnit = unit === undefined || isLine(unit, 0, UNIT_MAX);
  return isAmount(current) && isTotal && isUnit ? { current, total, unit } : undefined;
}

/** @param {unknown} name */
function eventName(name) {
  const isName = typeof name === "string" && /^[A-Za-z0-9_.-]{1,64}$/.test(name);
  return isName && !RESERVED_EVENTS.includes(name) ? name : undefined;
}

/** @param {string[]} names @param {unknown} name */
const oneOf = (names, name) => names.find((it) => it === name);

/** Returns whether it is text without control characters, with this many code points.
 * @param {unknown} text @param {number} least @param {number} most @returns {text is string} */
function isLine(text, least, most) {
  if (typeof text !== "string" || text.length < least || text.length > 2 * most) return false;
  return (text.length <= most || [...text].length <= most) && !/\p{Cc}/u.test(text);
}

/** @param {unknown} value @returns {value is number} */
const isAmount = (value) => typeof value === "number" && Number.isFinite(value) && value >= 0;

/** @param {unknown} value @returns {Record<string, unknown>|undefined} */
function objectOf(value) {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? /** @type {Record<string, unknown>} */ (value) : undefined;
}

/** Parses JSON. A lone surrogate becomes U+FFFD.
 * @param {string} data @returns {unknown} */
function json(data) {
  const escapes = /\\(?:ud[89ab]..\\ud[c-f]..|ud[89a-f]..|.)/gis;
  const mended = (/** @type {string} */ it) => (it.length === "\\uXXXX".length ? "\\ufffd" : it);
  try {
    return JSON.parse(/\\ud/i.test(data) ? data.replace(escapes, mended) : data);
  } catch {
    return undefined;
  }
}


/** The shortest and the longest wait, and the longest `Retry-After` that is respected, in ms. */
const SHORTEST = 250;
const LONGEST_WAIT = 30_000;
const RETRY_AFTER_MAX = 60_000;

/** Returns a backoff, which counts the tries since the last success. */
export function createBackoff() {
  let tries = 0;
  return {
    /** Counts a failed try. Returns its number, from 1, and the wait: at least `floor`, limited to the
     * bounds, and at least `retryAfter`, up to a minute. `chance`: a random number from 0 to 1.
     * @param {{floor?: number, retryAfter?: number, chance: number}} given */
    next({ floor = 0, retryAfter = 0, chance }) {
      const half = Math.min(LONGEST_WAIT, SHORTEST * 2 ** Math.min(tries, 16)) / 2;
      const least = Math.min(Math.max(floor, SHORTEST), LONGEST_WAIT);
      const delay = Math.min(Math.max(half, least) + half * chance, LONGEST_WAIT);
      tries += 1;
      return { attempt: tries, delay: Math.max(delay, Math.min(retryAfter, RETRY_AFTER_MAX)) };
    },

    /** Starts again after a success. */
    reset: () => void (tries = 0),
  };
}
