// What is being worked on, as messages tell: how far each operation is, how fast it goes, how it
// ended. `src/watch/operations.rs`, `guess.rs` and `rate.rs` in JavaScript, compared with them by
// `tests/viewer/vectors/operations.json`. Must know no clock; every call is told the time since the
// page began. Times are in milliseconds, and not rounded. Nothing here is made safe to show.
//
// Differs from the pane where a text counts in digits of another script, too: here they are no
// numbers, there they make it no guess.

import { utf8Length } from "./records.js";
import { safe } from "./text.js";

/** @typedef {import("./format.js").Progress} Progress */
/**
 * What an operation is told by; a `Message` of `stream.js` has all of it.
 * @typedef {{
 *   time: number, text: string, level: string | undefined, operation: string | undefined,
 *   progress: Progress | undefined, outcome: string | undefined, system: boolean,
 * }} Told
 */
/**
 * What is known of one operation. It may have no name. It is `lost` if the server said that its
 * publisher is gone and nothing came from it since.
 * @typedef {{
 *   readonly name: string | undefined, readonly messages: number, readonly errors: number,
 *   readonly progress: Progress | undefined, readonly outcome: string | undefined,
 *   readonly lost: boolean, readonly endedAt: number | undefined,
 *   fraction(): number | undefined, rate(now: number): number | undefined,
 *   eta(now: number): number | undefined, elapsed(now: number): number,
 *   stalled(now: number): number | undefined,
 * }} State
 */
/** @typedef {{progress: Progress & {total: number}, words: string}} Guess */

/** How many operations are remembered. Beyond it the oldest that has ended goes, or the oldest. */
const OPERATIONS_MAX = 100;
/** How long an operation says nothing until that is told. */
const STALLED_AFTER = 10_000;
/** While its last guess is younger, an operation is not taken to count something else. */
const GUESS_HOLDS = 3000;
/** An estimate of this much or more is none. */
const ETA_MAX = 365 * 24 * 60 * 60 * 1000;

/**
 * Returns every operation that messages speak of, none yet.
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
   * A publisher is gone: its operation's, where the server names one. Where it does not, it is that
   * of the messages without a name, or of the only operation there is.
   * @param {string | undefined} name @param {number} now
   */
  function lose(name, now) {
    const running = known.filter((it) => it.endedAt === undefined);
    const only = name === undefined && running.length === 1 ? running[0] : undefined;
    const lost = running.findLast((it) => it.name === name) ?? only;
    if (lost) [lost.lost, lost.endedAt] = [true, now];
  }

  return {
    /**
     * Takes note of a message, a publisher's or the server's.
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
        // What is complete when it is first heard of is a result, not a progress.
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
 * Returns an operation that begins. How long it takes is told by the times at which the server took
 * its messages (0 if not known): those that it held when the page began arrive all at once.
 * @param {string | undefined} name @param {number} firstTime @param {number} beganAt
 */
function createState(name, firstTime, beganAt) {
  let rate = createRate();
  // `span` is how long after its first message its last one was published.
  let [lastSign, span] = [beganAt, 0];
  /** @type {number | undefined} when the progress was last guessed; undefined if it was told */
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
      // A publisher that speaks is not gone.
      state.lost = false;
      state.outcome = outcome;
      state.endedAt = outcome === undefined ? undefined : now;
      if (progress) {
        guessedAt = undefined;
        advance(progress);
      }
    },
    /**
     * Takes a guess, where it goes on from the one before. Texts may count two things in turns
     * (files, and the parts of each); one gauge can show one of them.
     * @param {Progress} guess
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

/** What comes within so long of its sample's begin belongs to it: messages come in bursts. */
const TOGETHER = 250;
/** Samples older than this count no more, unless there are no more than `SAMPLES_MIN`. */
const WINDOW = 30_000;
const SAMPLES_MIN = 6;

/** Returns how fast a number grows, as of late. */
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
     * The time since the last sample counts from when the next is overdue: the rate stands still
     * between two steps, and sinks while none comes.
     * @param {number} now
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

/** Longer texts are no progress lines, in bytes of UTF-8. */
const TEXT_MAX = 500;
/** How many texts with the same words and rising numbers make a progress: a load may rise once. */
const RISES = 3;
/** How many counts are followed that are no progress yet. */
const CANDIDATES_MAX = 16;

/** Returns what tells the progress that a guess makes after those before it, if they are enough. */
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

/** What a text must hold to be looked at; a tab or a sequence that is dropped may hide it. */
const MAY_COUNT = /[/%\t\x1b]| of /;
/** Before a number stands a blank, a bracket or a bar; behind it the end of a phrase, too. */
const BEFORE = "(^|[\\s(\\[|])";
const BEHIND = "(?=$|[\\s)\\]|,;:]|\\.+(?:\\s|$)|…)";
const NUMBER = "(\\d{1,3}(?:,\\d{3})+|\\d{1,15})";
const COUNT = new RegExp(`${BEFORE}${NUMBER}(?:\\s?/\\s?|\\s+of\\s+)${NUMBER}${BEHIND}`);
const PERCENT = new RegExp(`${BEFORE}(\\d{1,3}(?:\\.\\d+)?)\\s?%${BEHIND}`);

/**
 * Returns the progress that a text tells plainly: `12 of 40`, `12/40`, `30 %`. A wrong gauge is
 * worse than none: dates, versions, paths, ranges and fractions beyond their total are left alone.
 * @param {string} text @returns {Guess | undefined}
 */
function guessed(text) {
  if (!MAY_COUNT.test(text)) return undefined;
  // What a terminal would show in the end of a line that is overwritten.
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
