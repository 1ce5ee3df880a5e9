// Makes foreign text safe to show: `src/terminal/safe_text.rs` and `sgr.rs` in JavaScript, compared with them by
// `tests/viewer/vectors/text.json`. At the end, search patterns: `src/watch/pane/state/query.rs`. Must know no message
// and no DOM.
//
// The result contains only visible characters and line feeds, and hides or reorders no text. SGR
// sequences (colours and attributes) become spans beside it. Differences from the pane: blinking is
// not shown; a lone surrogate, which Rust's text never has, is `<U+D800>`; tab stops count columns
// by Unicode's properties and blocks, which differ from the pane's tables for rare characters.

/** @typedef {string | number | undefined} Colour "#rrggbb", or one of the 16 named ones as 0–15 */
/**
 * @typedef {{
 *   foreground: Colour, background: Colour, bold: boolean, dim: boolean, italic: boolean,
 *   underline: boolean, strike: boolean, inverse: boolean,
 * }} Style
 */
/** @typedef {Style & {start: number, end: number}} Span UTF-16 offsets in the plain text */

/** Distance of tab stops, in columns. */
const TAB = 8;

/** @type {Style} */
const PLAIN = Object.freeze({
  foreground: undefined, background: undefined, bold: false, dim: false, italic: false,
  underline: false, strike: false, inverse: false,
});
const KEYS = /** @type {(keyof Style)[]} */ (Object.keys(PLAIN));

/**
 * What each parameter changes. Blinking, overlines and colours of underlines are not shown.
 * @type {Map<number, Partial<Style>>}
 */
const CHANGES = new Map(/** @type {[number, Partial<Style>][]} */ ([
  [0, PLAIN], [1, { bold: true }], [2, { dim: true }], [22, { bold: false, dim: false }],
  [3, { italic: true }], [23, { italic: false }], [7, { inverse: true }], [27, { inverse: false }],
  [4, { underline: true }], [21, { underline: true }], [24, { underline: false }],
  [9, { strike: true }], [29, { strike: false }],
  [39, { foreground: undefined }], [49, { background: undefined }],
  [5, {}], [6, {}], [25, {}], [53, {}], [55, {}], [59, {}],
]));
for (let index = 0; index < 16; index++) {
  CHANGES.set(index < 8 ? 30 + index : 82 + index, { foreground: index });
  CHANGES.set(index < 8 ? 40 + index : 92 + index, { background: index });
}

/** @type {Span[]} */
const NO_SPANS = [];
const NOT_ASCII_LINES = /[^\n -~]/;
const NOT_ASCII = /[^ -~]/;
/** Control characters, characters that are invisible or reorder others, and lone surrogates. */
const UNSAFE = new RegExp(
  "[\\0-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f" +
    "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ud800-\\udfff\\ufe00-\\ufe0f\\ufeff" +
    "\\uffa0\\ufff0-\\ufffb\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}" +
    "\\u{e0000}-\\u{e0fff}]",
  "gu",
);
/** An SGR sequence of at most 63 bytes and 24 numbers. */
const SGR = /\x1b\[([0-9;:]{0,63})m/y;
/** EL, or the beginning or the end of a link (OSC 8) if the group is absent or has a semicolon. */
const UNSEEN = /\x1b\[[012]?K|\x1b\]8;([ -~]*)(?:\x07|\x1b\\)/y;
const PICTOGRAPH = /[©®‼⁉™ℹ\u2190-\u2bff〰〽㊗㊙\u{1f000}-\u{1faff}]/u;
/** Arabic to Myanmar: scripts that are spelled with joiners. */
const SPELLED_WITH_JOINERS = /[\u0620-\u109f]/;
const NO_WIDTH = /[\p{Mn}\p{Me}\u1160-\u11ff\u200c\u200d\ud7b0-\ud7ff\u{1f3fb}-\u{1f3ff}]/u;
const WIDE = new RegExp(
  "[\\p{Emoji_Presentation}\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\ua4cf\\ua960-\\ua97f" +
    "\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe10-\\ufe19\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6" +
    "\\u{17000}-\\u{18cff}\\u{1aff0}-\\u{1b2ff}\\u{20000}-\\u{3fffd}]",
  "u",
);

/**
 * Returns a text made safe, with LF between lines, and its styles, which continue on the next line.
 * @param {string} text @returns {{plain: string, spans: Span[]}}
 */
export function safe(text) {
  return NOT_ASCII_LINES.test(text) ? read(text, false) : { plain: text, spans: NO_SPANS };
}

/**
 * Returns a name, a unit or a reason made safe, on one line and without styles.
 * @param {string} text
 */
export const safeLine = (text) => NOT_ASCII.test(text) ? read(text, true).plain : text;

/**
 * Returns whether the contrast of two colours "#rrggbb" is at least 3:1 (WCAG 2.2).
 * @param {string} foreground @param {string} background
 */
export function isReadable(foreground, background) {
  const [one, other] = [luminance(foreground), luminance(background)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) >= 3;
}

/** @param {string} colour */
function luminance(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/**
 * Processes a text from one unsafe character to the next, in linear time.
 * @param {string} text @param {boolean} oneLine whether a line feed is shown as `␊`
 */
function read(text, oneLine) {
  /** @type {string[]} */
  const pieces = [];
  /** @type {Span[]} */
  const spans = [];
  let length = 0;
  // The columns of this line's pieces before `measured`, which only tabs need.
  let [column, measured] = [0, 0];
  let [style, start] = [PLAIN, 0];
  /** @param {string} piece */
  const put = (piece) => {
    pieces.push(piece);
    length += piece.length;
  };
  /** @param {Style} next */
  const turn = (next) => {
    if (isSame(next, style)) return;
    const last = spans.at(-1);
    if (length > start && last?.end === start && isSame(last, style)) {
      last.end = length;
    } else if (length > start && !isSame(style, PLAIN)) {
      spans.push({ start, end: length, ...style });
    }
    [style, start] = [next, length];
  };
  for (let at = 0; at < text.length; ) {
    UNSAFE.lastIndex = at;
    const found = UNSAFE.exec(text);
    const index = found ? found.index : text.length;
    if (index > at) put(text.slice(at, index));
    if (!found) break;
    const char = found[0];
    at = index + char.length;
    if (char === "\x1b") {
      SGR.lastIndex = UNSEEN.lastIndex = index;
      const params = SGR.exec(text)?.[1];
      const next = params === undefined ? undefined : after(style, params);
      const unseen = UNSEEN.exec(text);
      turn(next ?? style);
      if (next) at = SGR.lastIndex;
      else if (unseen && unseen[1]?.includes(";") !== false) at = UNSEEN.lastIndex;
      else put("␛");
    } else if (char === "\n" && !oneLine) {
      put(char);
      [column, measured] = [0, pieces.length];
    } else if (char === "\t") {
      column += columns(pieces.slice(measured).join(""));
      measured = pieces.length;
      put(" ".repeat(TAB - (column % TAB)));
    } else if (char === "\r") {
      while (text[at] === "\r") at++;
      if (at < text.length && (oneLine || text[at] !== "\n")) put("␍".repeat(at - index));
    } else {
      put(belongs(char, text, index) ? char : picture(char));
    }
  }
  turn(PLAIN);
  return { plain: pieces.join(""), spans: spans.length > 0 ? spans : NO_SPANS };
}

/** Returns the replacement of a character that must not be shown. @param {string} char */
function picture(char) {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "␡" : `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
}

/**
 * Returns whether an invisible character has a purpose between its neighbours: a joiner in an emoji or in a word that
 * is spelled with it, or a variation selector in an emoji. @param {string} char @param {string} text @param {number} at
 */
function belongs(char, text, at) {
  if (char < "\u200c" || char > "\ufe0f") return false;
  const charBefore = (/** @type {number} */ end) => [...text.slice(Math.max(end - 2, 0), end)].at(-1) ?? "";
  const before = charBefore(at);
  const [behind = ""] = text.slice(at + 1, at + 3);
  const inWord = SPELLED_WITH_JOINERS.test(before) && SPELLED_WITH_JOINERS.test(behind);
  if (char === "\u200c" || char === "\u200d") {
    const joined = before === "\ufe0f" ? charBefore(at - 1) : before;
    const inEmoji = char === "\u200d" && PICTOGRAPH.test(joined) && PICTOGRAPH.test(behind);
    return inWord || inEmoji;
  }
  const isKeycap = /[0-9#*]/.test(before) && behind === "\u20e3";
  return /[\ufe0e\ufe0f]/.test(char) && (PICTOGRAPH.test(before) || isKeycap);
}

/** Returns approximately how many columns a text takes in a monospaced font. @param {string} text */
function columns(text) {
  if (!NOT_ASCII.test(text)) return text.length;
  let [sum, last, joined] = [0, 0, false];
  for (const char of text) {
    if (char === "\ufe0f" && last === 1) {
      sum += 1; // as an emoji, its base is wide
    } else if (char >= " " && char <= "~") {
      sum += last = 1;
    } else if (!joined && char !== "\ufe0f" && char !== "\ufe0e" && !NO_WIDTH.test(char)) {
      sum += last = WIDE.test(char) && !/\p{RI}/u.test(char) ? 2 : 1;
    }
    joined = char === "\u200d" && last === 2;
  }
  return sum;
}

/**
 * Returns the style after an SGR sequence; `undefined` if the sequence is to be ignored, because it would hide text, is
 * not undone by a reset, or differs in meaning between terminals. @param {Style} style @param {string} params @returns
 * {Style | undefined}
 */
function after(style, params) {
  const change = params.length <= 3 ? CHANGES.get(Number(params)) : undefined;
  if (change) return { ...style, ...change };
  const list = params.split(";");
  if (params.split(/[;:]/).length > 24) return undefined;
  const next = { ...style };
  for (let at = 0; at < list.length; ) {
    let parts = 1;
    if (list[at] === "38" || list[at] === "48" || list[at] === "58") {
      parts = list[at + 1] === "5" ? 3 : list[at + 1] === "2" ? 5 : NaN;
    }
    if (!(at + parts <= list.length) || !set(next, list.slice(at, at + parts))) return undefined;
    at += parts;
  }
  return next;
}

/**
 * Applies one parameter; returns false if it is not allowed. Only a colour has several parts.
 * @param {Style} style @param {string[]} parts
 */
function set(style, parts) {
  const numbers = (parts.length > 1 ? parts : parts[0].split(":")).map(number);
  const [code, detail] = numbers;
  if (numbers.includes(NaN)) return false;
  if (code === 38 || code === 48 || code === 58) {
    const colour = colourOf(numbers.slice(1));
    if (code !== 58) style[code === 38 ? "foreground" : "background"] = colour;
    return colour !== undefined;
  }
  const change = CHANGES.get(code);
  if (!change || (numbers.length > 1 && (code !== 4 || numbers.length > 2 || detail > 5))) return false;
  Object.assign(style, change, parts[0].endsWith(":0") && { underline: false });
  return true;
}

/**
 * Returns the colour of `5;n`, `2;r;g;b` or `2:space:r:g:b`; `undefined` if it is none.
 * @param {number[]} numbers @returns {Colour}
 */
function colourOf(numbers) {
  const [kind, index] = numbers;
  if (kind === 5 && numbers.length === 2) return index < 16 ? index : indexed(index);
  const isDirect = kind === 2 && (numbers.length === 4 || numbers.length === 5);
  return isDirect ? hex(numbers.slice(-3)) : undefined;
}

/**
 * Returns a colour of xterm's table beyond the named ones: a cube of 6 × 6 × 6, and 24 greys.
 * @param {number} index
 */
function indexed(index) {
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return hex([grey, grey, grey]);
  }
  const steps = [Math.floor((index - 16) / 36), Math.floor((index - 16) / 6) % 6, (index - 16) % 6];
  return hex(steps.map((it) => (it === 0 ? 0 : 55 + it * 40)));
}

/** @param {number[]} parts */
const hex = (parts) => `#${parts.map((it) => it.toString(16).padStart(2, "0")).join("")}`;

/**
 * Returns a number from 0 to 255 in at most three digits (none means 0), or NaN.
 * @param {string} digits
 */
const number = (digits) => digits.length <= 3 && Number(digits) <= 255 ? Number(digits) : NaN;

/** @param {Style} one @param {Style} other */
const isSame = (one, other) => KEYS.every((key) => one[key] === other[key]);

// A search pattern: a regular expression in JavaScript's syntax, which ignores case unless it has capitals. A pattern may
// take for ever on some texts, and cannot be interrupted, so texts are searched in a worker (seek.js).

/** @typedef {{
 *   test(plain: string): boolean,
 *   ranges(plain: string): [start: number, end: number][],
 *   not: boolean
 * }} Query A pattern: whether it matches, where (UTF-16 offsets, without empty matches), and whether texts that do
 * *not* match are wanted. */

/** Upper bound of the places in one text. */
const RANGES_MAX = 1000;

/** Parses a pattern: undefined if it is empty; what is wrong if it is malformed.
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

/** Returns whether a pattern has a capital letter, other than that of a class like `\S`.
 * @param {string} pattern */
const hasCapital = (pattern) => /\p{Uppercase}/u.test(pattern.replace(/\\./gsu, ""));

/** Returns what is wrong, on one line, without the pattern that some engines repeat.
 * @param {unknown} error */
function reason(error) {
  const message = error instanceof Error ? error.message : String(error);
  const text = message.replace(/^Invalid regular expression: (?:\/.*\/[a-z]*: )?/s, "");
  return text.charAt(0).toLowerCase() + text.slice(1);
}
