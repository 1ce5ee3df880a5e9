// Operations, as far as messages report them: their progress, their rate, and their outcome. `src/watch/operations.rs`,
// `guess.rs` and `rate.rs` in JavaScript, compared with them by `tests/viewer/vectors/operations.json`. Must know no
// clock; each call gets the time since the page began. Times are in milliseconds, and not rounded. Texts are not made
// safe here.
//
// Differs from the pane for a text that also has digits of another script: here they are not read as numbers; the pane
// guesses nothing from such a text.

import { utf8Length } from "./records.js";
import { safe } from "./text.js";

/** @typedef {import("./format.js").Progress} Progress */
/**
 * The parts of a message that matter here; a `Message` of `stream.js` has all of them.
 * @typedef {{
 *   time: number, text: string, level: string | undefined, operation: string | undefined,
 *   progress: Progress | undefined, outcome: string | undefined, system: boolean,
 * }} Told
 */
/**
 * What is known of one operation. It may have no name. It is `lost` if the server reported that its publisher is gone
 * and no message came from it since. @typedef {{
 *   readonly name: string | undefined, readonly messages: number, readonly errors: number,
 *   readonly progress: Progress | undefined, readonly outcome: string | undefined,
 *   readonly lost: boolean, readonly endedAt: number | undefined,
 *   fraction(): number | undefined, rate(now: number): number | undefined,
 *   eta(now: number): number | undefined, elapsed(now: number): number,
 *   stalled(now: number): number | undefined,
 * }} State
 */
/** @typedef {{progress: Progress & {total: number}, words: string}} Guess */

/** Upper bound of the remembered operations. Beyond it, the oldest ended one is dropped, or else the oldest. */
const OPERATIONS_MAX = 100;
/** Time without a message after which an operation is shown as stalled. */
const STALLED_AFTER = 10_000;
/** Age of an operation's last guess up to which texts with another count are ignored. */
const GUESS_HOLDS = 3000;
/** Estimates of this much or more are not shown. */
const ETA_MAX = 365 * 24 * 60 * 60 * 1000;

/**
 * Returns an empty set of operations.
 * @param {boolean} guess whether a progress may also be read from plain text
 */
export function createOperations(guess) {
  /** @type {ReturnType<typeof createState>[]} the one that began first comes first */
  const known = [];
  /** @type {Map<string | undefined, ReturnType<typeof createState>>} the newest of each name */
  const newest = new Map();
  const confirmed = createCandidates();

  /** @param {Told} message @param {number} now */
  function begin({ operation: name, time }, now) {
    if (known.length >= OPERATIONS_MAX) {
      const ended = known.findIndex((it) => it.endedAt !== undefined);
      const [gone] = known.splice(Math.max(ended, 0), 1);
      if (newest.get(gone.name) === gone) newest.delete(gone.name);
    }
    const state = createState(name, time, now);
    known.push(state);
    newest.set(name, state);
    return state;
  }

  /**
   * Notes that a publisher is gone: that of the operation which the server names. If it names none, the one of the
   * messages without a name, or of the only operation. @param {string | undefined} name @param {number} now
   */
  function lose(name, now) {
    const running = known.filter((it) => it.endedAt === undefined);
    const only = name === undefined && running.length === 1 ? running[0] : undefined;
    const lost = running.findLast((it) => it.name === name) ?? only;
    if (lost) [lost.lost, lost.endedAt] = [true, now];
  }

  return {
    /**
     * Applies a message of a publisher or of the server.
     * @param {Told} message @param {number} now
     */
    update(message, now) {
      const { operation: name, progress, outcome } = message;
      if (message.system) {
        if (message.level === "error") lose(name, now);
        return;
      }
      const found = guess && !progress ? guessed(message.text) : undefined;
      const guessedProgress = found && confirmed(name, found);
      let state = newest.get(name);
      if (!state || state.outcome !== undefined) {
        // A count that is complete when it is first seen is a result, not progress.
        const goesOn = guessedProgress && guessedProgress.current < guessedProgress.total;
        if (name === undefined && !progress && outcome === undefined && !goesOn) return;
        state = begin(message, now);
      }
      state.update(message, now);
      if (guessedProgress) state.guess(guessedProgress);
    },
    /** @returns {State[]} every remembered one, the one that began first first */
    all: () => [...known],
    /** @returns {State[]} those that have not ended, the one that began first first */
    running: () => known.filter((it) => it.endedAt === undefined),
  };
}

/**
 * Returns a new operation. Its duration is computed from the times at which the server accepted its messages (0 if not
 * known), because messages that were published before the page began arrive all at once. @param {string | undefined}
 * name @param {number} firstTime @param {number} beganAt
 */
function createState(name, firstTime, beganAt) {
  let rate = createRate();
  // `span` is the time between the first and the last message.
  let [lastSign, span] = [beganAt, 0];
  /** @type {number | undefined} when the progress was last guessed; undefined if it was reported */
  let guessedAt;
  /** @param {Progress} progress */
  const advance = (progress) => {
    const before = state.progress;
    if (!(before && isSameCount(before, progress) && before.current <= progress.current)) rate = createRate();
    rate.advance(progress.current, span);
    state.progress = progress;
  };
  const hasDoneAll = () => state.progress?.total !== undefined && state.progress.current >= state.progress.total;

  const state = {
    name,
    messages: 0,
    errors: 0,
    progress: /** @type {Progress | undefined} */ (undefined),
    outcome: /** @type {string | undefined} */ (undefined),
    lost: false,
    endedAt: /** @type {number | undefined} */ (undefined),
    /** @param {Told} message @param {number} now */
    update({ level, time, outcome, progress }, now) {
      state.messages += 1;
      state.errors += level === "error" ? 1 : 0;
      span = Math.max(firstTime && time ? time - firstTime : now - beganAt, 0);
      lastSign = now;
      // A publisher that sends messages is not gone.
      state.lost = false;
      state.outcome = outcome;
      state.endedAt = outcome === undefined ? undefined : now;
      if (progress) {
        guessedAt = undefined;
        advance(progress);
      }
    },
    /**
     * Applies a guess if it continues the previous one. Texts may count two things alternately (files, and the parts of
     * each), but a gauge can show only one. @param {Progress} guess
     */
    guess(guess) {
      if (state.progress) {
        if (guessedAt === undefined) return;
        const holds = Math.max(span - guessedAt, 0) < GUESS_HOLDS;
        if (!isSameCount(state.progress, guess) && holds && !hasDoneAll()) return;
      }
      guessedAt = span;
      advance(guess);
    },
    fraction() {
      const { current = 0, total } = state.progress ?? {};
      return total ? Math.min(current / total, 1) : undefined;
    },
    /** @param {number} now */
    rate: (now) => rate.perSecond(state.elapsed(now)),
    /** @param {number} now */
    eta(now) {
      const { current = 0, total } = state.progress ?? {};
      const perSecond = state.rate(now);
      if (state.endedAt !== undefined || !total || perSecond === undefined) return undefined;
      const eta = (Math.max(total - current, 0) / perSecond) * 1000;
      return eta < ETA_MAX ? eta : undefined;
    },
    /** @param {number} now */
    elapsed: (now) => span + Math.max((state.endedAt ?? now) - lastSign, 0),
    /** @param {number} now */
    stalled(now) {
      const quiet = state.endedAt === undefined && !hasDoneAll() ? now - lastSign : 0;
      return quiet > STALLED_AFTER ? quiet : undefined;
    },
  };
  return state;
}

/** @param {Progress} one @param {Progress} other */
const isSameCount = (one, other) => one.total === other.total && one.unit === other.unit;

/** How long values belong to the same sample: messages come in bursts. */
const TOGETHER = 250;
/** Age up to which samples count, if there are more than `SAMPLES_MIN`. */
const WINDOW = 30_000;
const SAMPLES_MIN = 6;

/** Returns a meter for the recent rate at which a number grows. */
function createRate() {
  /** @type {{begin: number, at: number, value: number}[]} */
  const samples = [];
  return {
    /** @param {number} value @param {number} now */
    advance(value, now) {
      const last = samples.at(-1);
      if (last && now - last.begin < TOGETHER) Object.assign(last, { at: now, value });
      else samples.push({ begin: now, at: now, value });
      while (samples.length > SAMPLES_MIN && now - samples[1].at >= WINDOW) samples.shift();
    },
    /**
     * The time since the last sample counts only once the next one is overdue: the rate is constant between two steps,
     * and decreases if none comes. @param {number} now
     */
    perSecond(now) {
      const [first, last] = [samples[0], samples.at(-1)];
      if (!last || samples.length < 2) return undefined;
      const taken = Math.max(last.at - first.at, 0);
      const quiet = Math.max(now - last.at, 0);
      const overdue = Math.max(quiet - taken / (samples.length - 1), 0);
      const rate = ((last.value - first.value) / (taken + overdue)) * 1000;
      return Number.isFinite(rate) && rate > 0 ? rate : undefined;
    },
  };
}

/** Upper bound of a text that may be a progress line, in bytes of UTF-8. */
const TEXT_MAX = 500;
/** Number of texts with the same words and rising numbers that count as progress: other numbers may rise once by chance. */
const RISES = 3;
/** Upper bound of the counts that are followed but do not count as progress yet. */
const CANDIDATES_MAX = 16;

/** Returns a function that turns a guess into progress if enough earlier guesses precede it. */
function createCandidates() {
  /** @type {{operation: string | undefined, newest: Guess, rises: number}[]} */
  const candidates = [];
  return (/** @type {string | undefined} */ operation, /** @type {Guess} */ guess) => {
    const { progress, words } = guess;
    const index = candidates.findIndex(({ operation: name, newest }) =>
      name === operation && newest.words === words && isSameCount(newest.progress, progress));
    const before = index < 0 ? undefined : candidates.splice(index, 1)[0];
    const then = before?.newest.progress.current ?? Infinity;
    const kept = before && then <= progress.current ? before.rises : 0;
    const rises = kept + (kept === 0 || then < progress.current ? 1 : 0);
    candidates.length = Math.min(candidates.length, CANDIDATES_MAX - 1);
    candidates.unshift({ operation, newest: guess, rises });
    return rises >= RISES ? progress : undefined;
  };
}

/** A text without any of these has no progress. (A tab or an escape sequence may hide the other two.) */
const MAY_COUNT = /[/%\t\x1b]| of /;
/** What may precede a number: a blank, a bracket or a bar. The end of a phrase may follow it too. */
const BEFORE = "(^|[\\s(\\[|])";
const BEHIND = "(?=$|[\\s)\\]|,;:]|\\.+(?:\\s|$)|…)";
const NUMBER = "(\\d{1,3}(?:,\\d{3})+|\\d{1,15})";
const COUNT = new RegExp(`${BEFORE}${NUMBER}(?:\\s?/\\s?|\\s+of\\s+)${NUMBER}${BEHIND}`);
const PERCENT = new RegExp(`${BEFORE}(\\d{1,3}(?:\\.\\d+)?)\\s?%${BEHIND}`);

/**
 * Returns the progress that a text clearly states: `12 of 40`, `12/40`, `30 %`. A wrong gauge is worse than none, so
 * dates, versions, paths, ranges and fractions above 1 are ignored. @param {string} text @returns {Guess | undefined}
 */
function guessed(text) {
  if (!MAY_COUNT.test(text)) return undefined;
  // The last version of a line that overwrites itself, as a terminal would show it.
  const line = safe(text).plain.trimEnd().split("␍").at(-1) ?? "";
  const isLong = line.length > TEXT_MAX || utf8Length(line) > TEXT_MAX;
  if (isLong || line.includes("\n") || !/[/%]| of /.test(line)) return undefined;
  const counted = COUNT.exec(line);
  const found = counted ?? PERCENT.exec(line);
  if (!found) return undefined;
  const current = Number(found[2].replaceAll(",", ""));
  const total = counted ? Number(counted[3].replaceAll(",", "")) : 100;
  if (!(total > 0 && current <= total)) return undefined;
  const before = line.slice(0, found.index + found[1].length);
  const behind = line.slice(found.index + found[0].length).split(/[:;,.|()[\]…]/)[0];
  const within = /[([]$/.test(before.trimEnd()) ? "" : before;
  const words = ` ${within}\n${behind} `.replace(/[^\p{Alphabetic}\n]+/gu, " ");
  return { progress: { current, total, unit: counted ? undefined : "%" }, words };
}
