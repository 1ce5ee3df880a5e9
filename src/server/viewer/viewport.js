// The positions of the shown records, in lines from the first one, and which are on screen. Knows no DOM: the number of
// lines of a text is computed from its characters, and corrected if a browser has measured another number.

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./records.js").Entry} Record */

/** Upper bound of one message's lines in the list, before the line that says how many more there are. */
export const LINES_MAX = 100;

/**
 * Returns where each line of a text ends: after a line feed, after the spaces before a word that does not fit, or
 * within a word that is longer than a line. Spaces that do not fit hang over the line's end. @param {string} text
 * @param {number} columns 0 if lines are not broken @param {number} [most] of them
 */
export function lineEnds(text, columns, most = Infinity) {
  const ends = [];
  let [start, feed] = [0, -1];
  do {
    if (feed < start) feed = (text.indexOf("\n", start) + 1 || text.length + 1) - 1;
    const isLong = columns > 0 && feed - start > columns;
    const end = isLong ? breakOf(text, start, start + columns) : feed;
    start = end === feed ? Math.min(feed + 1, text.length) : end;
    ends.push(start);
  } while (start < text.length && ends.length < most);
  return ends;
}

/**
 * Returns where to break a text that does not fit.
 * @param {string} text
 * @param {number} start
 * @param {number} limit the place of the first character that does not fit
 */
function breakOf(text, start, limit) {
  let end = limit;
  while (end > start && text[end] !== " ") end -= 1;
  // A surrogate pair is not cut in two.
  if (end === start) return /[\udc00-\udfff]/.test(text[limit]) ? limit + 1 : limit;
  while (text[end] === " ") end += 1;
  return end;
}

/**
 * Returns the first number from `low` for which a condition holds, given that it holds for all later ones; `high` if
 * there is none. @param {number} low @param {number} high @param {(at: number) => boolean} holds
 */
function firstOf(low, high, holds) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Returns an empty list. */
export function createViewport() {
  /** @type {number[]} */
  let ids = [];
  /** The line after each record, counted from a fixed origin. @type {number[]} */
  let ends = [];
  /** The number of messages up to each record. @type {number[]} */
  let sums = [];
  /** The index of the first record that is still in the list. */
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
      [ids, ends, sums, first, base] = [[], [], [], 0, 0];
    },
    /** Removes the records before `id`. @param {number} id */
    drop(id) {
      while (first < ids.length && ids[first] < id) base = ends[first++];
      if (first > 65536) {
        ids = ids.slice(first);
        ends = ends.slice(first).map((it) => it - base);
        const gone = sums[first - 1];
        sums = sums.slice(first).map((it) => it - gone);
        [first, base] = [0, 0];
      }
    },
    count: () => ids.length - first,
    /** The records, in their order. */
    ids: () => ids.slice(first),
    /** How many of them are messages. */
    messages: () => (ids.length > first ? (sums.at(-1) ?? 0) - (sums[first - 1] ?? 0) : 0),
    /** @param {number} index */
    idAt: (index) => ids[index + first],
    /**
     * Returns the index of a record, or of the next one that is shown; the count if there is none.
     * @param {number} id
     */
    indexOf: (id) => firstOf(first, ids.length, (at) => ids[at] >= id) - first,
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
      const found = firstOf(first, ids.length, (at) => ends[at] > line + base);
      return Math.min(found, Math.max(ids.length - 1, first)) - first;
    },
    /**
     * Corrects the number of a record's lines.
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

/** Returns the number of columns at which lines are wrapped; 0 if they are not. @param {Model} model */
export const wrapColumns = ({ wraps, narrow, columns }) => (wraps || narrow ? columns : 0);

/** @param {Model} model */
export const isFollowing = (model) => model.anchor === undefined;
/** Follows new records. @param {Model} model */
export function follow(model) {
  Object.assign(model, { anchor: undefined, focus: undefined, behind: { new: 0, errors: 0 } });
}

/**
 * Stops following, with this many lines on screen: those drawn last, even if more records have arrived since.
 * @param {Model} model
 * @param {number} height
 */
export function pause(model, height) {
  const { viewport } = model;
  if (!isFollowing(model) || viewport.count() === 0) return;
  model.anchor = model.drawn ?? anchorAt(model, viewport.total() - height);
  model.focus = viewport.idAt(viewport.at(topLine(model, height) + height - 1));
}

/** Puts a line of the list at the top of the screen. @param {Model} model @param {number} line */
export function placeTop(model, line) {
  model.anchor = anchorAt(model, line) ?? model.anchor;
}

/** Returns whether a text takes as many columns as it has characters. @param {string} text */
export const isPlain = (text) => /^[\x20-\x7e\n]*$/.test(text);

/**
 * A place in the list: a record, how many of its lines are above, how many lines it had, and how they were wrapped.
 * @typedef {{ id: number, line: number, lines: number, columns: number, narrow: boolean }} Anchor
 */

/** Returns the place of a line of the list. @param {Model} model @param {number} line @returns {Anchor | undefined} */
export function anchorAt(model, line) {
  const { viewport, narrow } = model;
  if (viewport.count() === 0) return undefined;
  const index = viewport.at(Math.max(0, line));
  const above = Math.max(0, line) - viewport.top(index);
  return { id: viewport.idAt(index), line: above, lines: viewport.lines(index), columns: wrapColumns(model), narrow };
}

/**
 * Returns how many of an anchor's lines are above now. If the line breaks have changed, the text that was at the top
 * stays there. @param {Model} model @param {Anchor} anchor @param {number} lines of its record
 */
function lineOf(model, anchor, lines) {
  const isSame = anchor.columns === wrapColumns(model) && anchor.narrow === model.narrow && anchor.lines === lines;
  // The first line begins with the text, however it is wrapped.
  if (isSame || anchor.line < 1) return anchor.line;
  const plain = model.records.get(anchor.id)?.plain ?? "";
  // For other text, the browser's line breaks are not known.
  if (!isPlain(plain)) return (anchor.line * lines) / anchor.lines;
  const [whole, part] = [Math.floor(anchor.line) - Number(anchor.narrow), anchor.line % 1];
  const start = lineEnds(plain, anchor.columns, LINES_MAX)[whole - 1] ?? 0;
  const found = lineEnds(plain, wrapColumns(model), LINES_MAX).findIndex((end) => end > start);
  return (found < 0 ? lines - 1 : found + Number(model.narrow)) + part;
}

/** Returns the line at the top of the screen. @param {Model} model @param {number} height */
export function topLine(model, height) {
  const { viewport, anchor } = model;
  const last = Math.max(0, viewport.total() - height);
  if (!anchor) return last;
  const index = viewport.indexOf(anchor.id);
  if (index >= viewport.count()) return last;
  const line = viewport.idAt(index) === anchor.id ? lineOf(model, anchor, viewport.lines(index)) : 0;
  return Math.min(last, viewport.top(index) + line);
}

/**
 * Focuses a record, and scrolls it into view.
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
  placeTop(model, top < line || lines > height ? top : Math.max(line, top + lines - height));
}

/**
 * Returns the number of the record to act on: the focused one, or the next one that is shown if a filter hides it;
 * while following, the last one that is shown. A dropped record remains the one to act on until the user moves. @param
 * {Model} model
 */
export function meant({ viewport, records, focus = Infinity }) {
  if (focus < records.first()) return focus;
  return viewport.idAt(Math.min(viewport.indexOf(focus), viewport.count() - 1));
}

/** Returns the index of the focus; if it is not shown, one next to the next shown record. @param {Model} model @param {boolean} down */
function focusIndex({ viewport, focus = 0 }, down) {
  const index = viewport.indexOf(focus);
  return down && viewport.idAt(index) !== focus ? index - 1 : index;
}

/**
 * Moves the focus by this many records.
 * @param {Model} model
 * @param {number} by
 * @param {number} height
 * @param {boolean} [isRead] whether it stays paused at the last one
 */
export function step(model, by, height, isRead) {
  const { viewport } = model;
  if (viewport.count() === 0 || (isFollowing(model) && by > 0)) return;
  const last = viewport.count() - 1;
  const at = model.focus === undefined ? last : Math.min(focusIndex(model, by > 0), last);
  const next = Math.min(last, Math.max(0, at + by));
  reveal(model, viewport.idAt(next), height);
  if (by > 0 && next === last && !isRead) follow(model);
}

/**
 * Scrolls the list by this many lines.
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
  model.focus = Math.min(Math.max(model.focus ?? Infinity, viewport.idAt(top)), viewport.idAt(bottom));
}

/** Returns the shown records, in their order. @param {Model} model */
export const shown = ({ viewport, records }) => viewport.ids().flatMap((id) => records.get(id) ?? []);

/** Returns a function that tells whether a record is the first shown one of its operation. @param {Model} model */
export function beginning(model) {
  /** @type {Map<string | undefined, Record>} */
  const firsts = new Map();
  for (const record of shown(model)) if (!firsts.has(record.operation)) firsts.set(record.operation, record);
  return (/** @type {Record} */ it) => it.operation !== undefined && firsts.get(it.operation) === it;
}

/**
 * Finds the next wanted record, starting at the focus and wrapping around.
 * @param {Model} model
 * @param {boolean} down
 * @param {(record: Record) => boolean} wanted
 * @returns {number | undefined}
 */
export function seek(model, down, wanted) {
  const { viewport, records } = model;
  const count = viewport.count();
  const from = model.focus === undefined ? (down ? -1 : count) : focusIndex(model, down);
  for (let tried = 1; tried <= count; tried += 1) {
    const at = (from + (down ? tried : -tried) + 2 * count) % count;
    const record = records.get(viewport.idAt(at));
    if (record && wanted(record)) return viewport.idAt(at);
  }
  return undefined;
}

/**
 * Pauses at the message that the address names, when it arrives, unless the list is already paused.
 * @param {Model} model
 * @param {number} height
 */
export function openLink(model, height) {
  const { link, records } = model;
  if (!link || link.isGone || !isFollowing(model)) return;
  for (link.next = Math.max(link.next, records.first()); link.next < records.end(); link.next += 1) {
    const { seq = 0, time = 0 } = records.get(link.next)?.message ?? {};
    // If the numbers have started again, only the time shows which message is later.
    const isLater = link.time > 0 && seq > 0 && time > link.time;
    if (seq < link.seq && !isLater) continue;
    link.isGone = seq > link.seq || isLater;
    if (link.isGone) return;
    model.link = undefined;
    pause(model, height);
    reveal(model, link.next, height);
    return;
  }
}

/** Returns the hits that are still kept. @param {Model} model */
export function keptHits(model) {
  const first = model.records.first();
  if (model.hits[0] < first) model.hits = model.hits.filter((it) => it >= first);
  return model.hits;
}

/** Returns the hit next to the focus, wrapping around. @param {Model} model @param {boolean} down */
export function nextHit(model, down) {
  const hits = keptHits(model);
  const focus = model.focus ?? (down ? -1 : Infinity);
  return down ? (hits.find((it) => it > focus) ?? hits[0]) : (hits.findLast((it) => it < focus) ?? hits.at(-1));
}
