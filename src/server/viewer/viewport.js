// Where the records that are shown stand, in lines from the first of them, and which of them are on screen. Knows no DOM: how
// many lines a text takes is computed from its characters, and put right where a browser has measured another number.

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./records.js").Entry} Record */

/** The most lines of one message that stand in the list. */
const LINES_MAX = 100;

/**
 * Returns how many lines a text takes that breaks anywhere.
 * @param {string} text
 * @param {number} columns 0 if lines are not broken
 * @returns {number}
 */
export function linesOf(text, columns) {
  let lines = 0;
  let start = 0;
  while (lines < LINES_MAX) {
    const found = text.indexOf("\n", start);
    const end = found < 0 ? text.length : found;
    lines += columns > 0 ? Math.max(1, Math.ceil((end - start) / columns)) : 1;
    if (found < 0) break;
    start = found + 1;
  }
  return Math.min(lines, LINES_MAX);
}

/**
 * Returns the part of a text that stands in the list, and how many characters are left out.
 * @param {string} text
 * @param {number} columns 0 if lines are not broken
 * @returns {{ end: number, more: number }}
 */
export function excerpt(text, columns) {
  let lines = 0;
  let start = 0;
  while (start <= text.length) {
    const found = text.indexOf("\n", start);
    const end = found < 0 ? text.length : found;
    const taken = columns > 0 ? Math.max(1, Math.ceil((end - start) / columns)) : 1;
    if (lines + taken > LINES_MAX - 1 && (found >= 0 || lines + taken > LINES_MAX)) {
      const left = columns > 0 ? (LINES_MAX - 1 - lines) * columns : 0;
      const cut = Math.min(start + left, end);
      return { end: cut, more: text.length - cut };
    }
    lines += taken;
    if (found < 0) break;
    start = found + 1;
  }
  return { end: text.length, more: 0 };
}

/** Returns an empty list. */
export function createViewport() {
  /** @type {number[]} */
  let ids = [];
  /** The line behind each record, from a beginning that does not move. @type {number[]} */
  let ends = [];
  /** How many messages there are up to each record. @type {number[]} */
  let sums = [];
  /** The index of the first one that is still there. */
  let first = 0;
  let base = 0;

  /** @param {number} index */
  const before = (index) => (index + first > 0 ? ends[index + first - 1] : 0);

  return {
    /** @param {number} id @param {number} lines @param {boolean} isMessage */
    push(id, lines, isMessage) {
      ids.push(id);
      ends.push((ends.at(-1) ?? 0) + lines);
      sums.push((sums.at(-1) ?? 0) + Number(isMessage));
    },
    clear() {
      ids = [];
      ends = [];
      sums = [];
      first = 0;
      base = 0;
    },
    /**
     * Takes away the records before `id`, and returns how many lines they had.
     * @param {number} id
     */
    drop(id) {
      const was = base;
      while (first < ids.length && ids[first] < id) {
        base = ends[first];
        first += 1;
      }
      const dropped = base - was;
      if (first > 65536) {
        ids = ids.slice(first);
        ends = ends.slice(first).map((it) => it - base);
        const gone = sums[first - 1];
        sums = sums.slice(first).map((it) => it - gone);
        first = 0;
        base = 0;
      }
      return dropped;
    },
    count: () => ids.length - first,
    /** How many of them are messages. */
    messages: () => (ids.length > first ? (sums.at(-1) ?? 0) - (sums[first - 1] ?? 0) : 0),
    /** @param {number} index */
    idAt: (index) => ids[index + first],
    /**
     * Returns the index of a record, or of the next one that is shown; the count if there is none.
     * @param {number} id
     */
    indexOf(id) {
      let low = first;
      let high = ids.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (ids[middle] < id) low = middle + 1;
        else high = middle;
      }
      return low - first;
    },
    /** @param {number} index */
    top: (index) => before(index) - base,
    /** @param {number} index */
    lines: (index) => ends[index + first] - before(index),
    total: () => (ends.length > first ? ends[ends.length - 1] - base : 0),
    /**
     * Returns the index of the record that has this line.
     * @param {number} line
     */
    at(line) {
      const wanted = line + base;
      let low = first;
      let high = ids.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (ends[middle] <= wanted) low = middle + 1;
        else high = middle;
      }
      return Math.min(low, Math.max(ids.length - 1, first)) - first;
    },
    /**
     * Puts the number of a record's lines right.
     * @param {number} index
     * @param {number} lines
     */
    measure(index, lines) {
      const change = lines - (ends[index + first] - before(index));
      for (let at = index + first; change !== 0 && at < ends.length; at += 1) ends[at] += change;
    },
  };
}

/** @typedef {ReturnType<typeof createViewport>} Viewport */

/** @param {Model} model */
export const isFollowing = (model) => model.anchor === undefined;
/** Follows what comes. @param {Model} model */
export function follow(model) {
  model.anchor = undefined;
  model.focus = undefined;
  model.behind = { new: 0, errors: 0 };
}

/**
 * Stops following, with this many lines of the list on screen.
 * @param {Model} model
 * @param {number} height
 */
export function pause(model, height) {
  if (!isFollowing(model) || model.viewport.count() === 0) return;
  placeTop(model, Math.max(0, model.viewport.total() - height));
  model.focus = model.viewport.idAt(model.viewport.count() - 1);
}

/**
 * Puts a line of the list at the top of the screen.
 * @param {Model} model
 * @param {number} line
 */
export function placeTop(model, line) {
  const { viewport } = model;
  if (viewport.count() === 0) return;
  const index = viewport.at(Math.max(0, line));
  model.anchor = { id: viewport.idAt(index), line: Math.max(0, line) - viewport.top(index) };
}

/** The line at the top of the screen. @param {Model} model @param {number} height */
export function topLine(model, height) {
  const { viewport, anchor } = model;
  const last = Math.max(0, viewport.total() - height);
  if (!anchor) return last;
  const index = viewport.indexOf(anchor.id);
  if (index >= viewport.count()) return last;
  const line = viewport.idAt(index) === anchor.id ? anchor.line : 0;
  return Math.min(last, viewport.top(index) + line);
}

/**
 * Puts a record in focus, and on screen.
 * @param {Model} model
 * @param {number} id
 * @param {number} height
 */
export function reveal(model, id, height) {
  const { viewport } = model;
  const index = Math.min(viewport.indexOf(id), viewport.count() - 1);
  if (index < 0) return;
  const line = topLine(model, height);
  model.focus = viewport.idAt(index);
  const [top, lines] = [viewport.top(index), viewport.lines(index)];
  if (top < line || lines > height) placeTop(model, top);
  else if (top + lines > line + height) placeTop(model, top + lines - height);
  else placeTop(model, line);
}

/**
 * Moves the focus by so many records.
 * @param {Model} model
 * @param {number} by
 * @param {number} height
 */
export function step(model, by, height) {
  const { viewport } = model;
  if (viewport.count() === 0 || (isFollowing(model) && by > 0)) return;
  const last = viewport.count() - 1;
  const at = model.focus === undefined ? last : Math.min(viewport.indexOf(model.focus), last);
  const next = Math.min(last, Math.max(0, at + by));
  reveal(model, viewport.idAt(next), height);
  if (by > 0 && next === last) follow(model);
}

/**
 * Moves the list by so many lines.
 * @param {Model} model
 * @param {number} by
 * @param {number} height
 */
export function scroll(model, by, height) {
  const { viewport } = model;
  if (viewport.count() === 0 || (isFollowing(model) && by > 0)) return;
  const line = topLine(model, height) + by;
  if (by > 0 && line >= viewport.total() - height) return follow(model);
  placeTop(model, Math.max(0, line));
  const top = viewport.at(Math.max(0, line));
  const bottom = viewport.at(Math.max(0, line) + height - 1);
  const focus = model.focus === undefined ? viewport.idAt(bottom) : model.focus;
  model.focus = Math.min(Math.max(focus, viewport.idAt(top)), viewport.idAt(bottom));
}

/**
 * Finds the next record that is wanted, from the focus on and in a circle.
 * @param {Model} model
 * @param {boolean} down
 * @param {(record: Record) => boolean} wanted
 * @returns {number | undefined}
 */
export function seek(model, down, wanted) {
  const { viewport, records } = model;
  const count = viewport.count();
  const from = model.focus === undefined ? (down ? -1 : count) : viewport.indexOf(model.focus);
  for (let tried = 1; tried <= count; tried += 1) {
    const at = (from + (down ? tried : -tried) + 2 * count) % count;
    const record = records.get(viewport.idAt(at));
    if (record && wanted(record)) return viewport.idAt(at);
  }
  return undefined;
}

/**
 * Stops at the message that the address leads to, once it has come; not while another is read.
 * @param {Model} model
 * @param {number} height
 */
export function openLink(model, height) {
  const { link, records } = model;
  if (!link || link.isGone || !isFollowing(model)) return;
  for (link.next = Math.max(link.next, records.first()); link.next < records.end(); link.next += 1) {
    const seq = records.get(link.next)?.message?.seq ?? 0;
    if (seq < link.seq) continue;
    link.isGone = seq > link.seq;
    if (link.isGone) return;
    model.link = undefined;
    pause(model, height);
    reveal(model, link.next, height);
    return;
  }
}

/** The hit next to the focus, in a circle. @param {Model} model @param {boolean} down */
export function nextHit(model, down) {
  const { hits } = model;
  if (hits.length === 0) return undefined;
  const focus = model.focus ?? (down ? -1 : Infinity);
  if (down) return hits.find((it) => it > focus) ?? hits[0];
  return hits.findLast((it) => it < focus) ?? hits[hits.length - 1];
}
