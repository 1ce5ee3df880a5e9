// Numbers and times as the page shows them: `src/watch/format.rs` and `pane/state/timestamps.rs` in JavaScript,
// compared with them by `tests/viewer/vectors/figures.json`. Times are in milliseconds. Must know no clock and no time
// zone. Differs from the pane in -0, which is 0 here. The result of `count` contains a publisher's unit; the caller
// must make it safe to show.

/** @typedef {{current: number, total: number | undefined, unit: string | undefined}} Progress */

/**
 * Returns a number, 0 or more, with at most two decimals and commas between thousands.
 * @param {number} value
 */
export function number(value) {
  const [whole, decimals = ""] = fixed(value).split(".");
  const rest = decimals.replace(/0+$/, "");
  return grouped(whole) + (rest && `.${rest}`);
}

/**
 * Returns a number with two decimals, a tie rounded to even as Rust does; `toFixed` rounds it up.
 * @param {number} value
 */
function fixed(value) {
  if (value >= 1e21) return BigInt(value).toString();
  const part = value % 1;
  const isTie = part === 0.125 || part === 0.625;
  return isTie ? Math.floor(value) + (part < 0.5 ? ".12" : ".62") : value.toFixed(2);
}

/** Returns a whole number with commas between thousands. @param {number} count */
export const countOf = (count) => grouped(String(count));

/** @param {string} digits */
const grouped = (digits) => digits.replace(/\B(?=(?:\d{3})+$)/g, ",");

/** The units of a long duration, in seconds, as the humantime crate has them. */
const UNITS = /** @type {const} */ ([
  [31_557_600, "year"], [2_630_016, "month"], [86_400, "day"], [3600, "h"], [60, "m"], [1, "s"],
]);

/** Returns a duration in whole seconds: `4 s`, `1m 30s`, `2days 1h`. @param {number} ms */
export function seconds(ms) {
  let left = wholeSeconds(ms);
  if (left < 60) return `${left} s`;
  const parts = [];
  for (const [size, unit] of UNITS) {
    const count = Math.floor(left / size);
    left %= size;
    if (count > 0) parts.push(`${count}${unit}${count > 1 && unit.length > 1 ? "s" : ""}`);
  }
  return parts.join(" ");
}

/** @param {number} ms */
const wholeSeconds = (ms) => Math.floor(Math.max(ms, 0) / 1000);

/**
 * Returns the progress of an operation: `12/40 files`, `45 %`, `3 files`; `undefined` if not known.
 * @param {{progress: Progress | undefined}} state
 */
export function count({ progress }) {
  if (!progress) return undefined;
  const { total, unit } = progress;
  const current = number(progress.current);
  if (unit === "%") return `${current} %`;
  const of = total === undefined ? "" : `/${number(total)}`;
  return current + of + (unit === undefined ? "" : ` ${unit}`);
}

/**
 * Returns a rate: `3.2/s`, or per minute if that is easier to read.
 * @param {number} perSecond
 */
export function rate(perSecond) {
  if (perSecond >= 10) return `${number(Math.round(perSecond))}/s`;
  const isSlow = perSecond < 1;
  const tenths = Math.round((isSlow ? perSecond * 60 : perSecond) * 10) / 10;
  return `${number(tenths)}${isSlow ? "/min" : "/s"}`;
}

/**
 * Returns the time of day, `12:34:56.789`, of a time since 1970.
 * @param {number} time @param {number} offsetMinutes how far local time is ahead of UTC
 */
export function clock(time, offsetMinutes) {
  const day = 24 * 60 * 60 * 1000;
  const local = (Math.trunc(time) + offsetMinutes * 60_000) % day;
  return new Date((local + day) % day).toISOString().slice(11, 23);
}

/**
 * Returns how long ago something was, in seconds, minutes or hours: `59 s`, `1 min`, `3 h`.
 * @param {number} ms
 */
export function age(ms) {
  const whole = wholeSeconds(ms);
  if (whole < 60) return `${whole} s`;
  return whole < 3600 ? `${Math.floor(whole / 60)} min` : `${Math.floor(whole / 3600)} h`;
}

/**
 * Returns a time after another, or before it: `+1.234`, `-1:02:03.4`, `+4 d 15 h`.
 * @param {number} ms
 */
export function sinceText(ms) {
  const whole = Math.abs(Math.trunc(ms));
  const sign = ms <= -1 ? "-" : "+";
  const hours = Math.floor(whole / 3_600_000);
  if (hours > 99) return `${sign}${Math.floor(hours / 24)} d ${hours % 24} h`;
  const [, minute, second, millis] = clock(whole, 0).split(/[:.]/);
  if (hours > 0) return `${sign}${hours}:${minute}:${second}.${millis[0]}`;
  const begin = minute === "00" ? Number(second) : `${Number(minute)}:${second}`;
  return `${sign}${begin}.${millis}`;
}

/**
 * Returns a number of things: `1 error`, `2 errors`.
 * @param {number} count
 * @param {string} noun
 */
export const counted = (count, noun) => `${countOf(count)} ${noun}${count === 1 ? "" : "s"}`;
