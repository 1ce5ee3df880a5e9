// The list of messages: rows for what is on screen, and no others. What is on screen hangs on a record, so that nothing that
// comes, falls off or is filtered elsewhere moves it.

import { timeText } from "./model.js";
import { compile } from "./query.js";
import { isReadable } from "./text.js";
import { excerpt, follow, isFollowing, placeTop, topLine } from "./viewport.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./records.js").Entry} Record */

/** The height of a line, in pixels, as the style sheet has it. */
const LINE = 20;
/** The longest that the scrolled area may be, in pixels: browsers lay out no more. */
const LONGEST = 16_000_000;
/** So many lines above and below the screen have rows too. */
const BEYOND = 20;
/** Below this width, in pixels, the text stands below its time. */
const NARROW = 600;
/** How long nobody scrolls before the position may be put right, in ms. */
const IDLE = 150;
/** The most columns of an operation's name. */
const LABEL_MAX = 14;
const SIGNS = new Map(Object.entries({ trace: "T", debug: "D", info: "I", warn: "W", error: "E" }));

/**
 * Makes the list work.
 * @param {HTMLElement} list
 * @param {HTMLElement} spacer
 * @param {HTMLElement} rows
 * @param {() => void} changed is called when the user has scrolled
 */
export function createList(list, spacer, rows, changed) {
  /** @type {Map<number, HTMLElement>} */
  const drawn = new Map();
  /** The position that was set last: a scroll to it is ours. */
  let expected = -1;
  let scrolledAt = -Infinity;
  /** @type {Model | undefined} */
  let current;
  let look = "";
  /** What room there was, and how many columns that were: to measure costs a layout. */
  let measured = { asked: "", columns: 80 };
  /** Where the list stands in the window. */
  let place = 0;

  /** How many lines there is room for; the last may be cut. */
  const height = () => Math.max(1, list.clientHeight / LINE);

  list.addEventListener("scroll", () => {
    if (!current || Math.abs(list.scrollTop - expected) < 2) return;
    scrolledAt = performance.now();
    expected = list.scrollTop;
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 2;
    if (isAtEnd) follow(current);
    else placeTop(current, list.scrollTop / LINE);
    changed();
  });

  /** @param {Model} model @param {number} id @param {Record} record @param {number} index */
  function row(model, id, record, index) {
    const element = document.createElement("div");
    element.id = `r${id}`;
    element.setAttribute("role", "option");
    const level = record.kind === "message" ? (record.level ?? "") : record.kind;
    element.className = `row ${level}`;
    const previous = index > 0 ? model.records.get(model.viewport.idAt(index - 1)) : undefined;
    const time = timeText(model, record, previous);
    const sign = record.kind === "message" ? (SIGNS.get(record.level ?? "") ?? "") : "";
    for (const [name, text] of [["sign", sign], ["time", time], ["label", record.operation ?? ""]]) {
      const part = document.createElement("span");
      part.className = name;
      part.textContent = text;
      element.append(part);
    }
    const text = document.createElement("span");
    text.className = "text";
    const { end, more } = excerpt(record.plain, model.wraps || model.narrow ? model.columns : 0);
    fill(text, record, end);
    if (more > 0) text.append(`\n… ${more} more characters; Enter opens the message`);
    element.append(text);
    const spoken = [record.level, time, record.operation, record.plain.slice(0, 500)];
    element.setAttribute("aria-label", spoken.filter(Boolean).join(", "));
    return element;
  }

  /** Marks what the search has found on screen. Patterns are left to the worker, since they may take for ever. @param {Model} model */
  function highlight(model) {
    if (!("highlights" in CSS)) return;
    CSS.highlights.delete("hit");
    if (!model.search || /[\\^$.*+?()[\]{}|]/.test(model.search)) return;
    const query = compile(model.search, { negatable: false });
    if (!query || "error" in query) return;
    const marked = new Highlight();
    for (const element of drawn.values()) {
      const text = element.querySelector(".text");
      const parts = text ? document.createTreeWalker(text, NodeFilter.SHOW_TEXT) : undefined;
      for (let part = parts?.nextNode(); part; part = parts?.nextNode()) {
        for (const [start, end] of query.ranges(part.nodeValue ?? "")) {
          const range = new Range();
          range.setStart(part, start);
          range.setEnd(part, end);
          marked.add(range);
        }
      }
    }
    CSS.highlights.set("hit", marked);
  }

  return {
    height,
    /** Takes note of how much room there is, and returns whether it was another. @param {Model} model */
    measure(model) {
      const narrow = innerWidth <= NARROW;
      const isOther = narrow !== model.narrow;
      model.narrow = narrow;
      const columns = this.columns(model);
      const is = isOther || columns !== model.columns;
      model.columns = columns;
      return is;
    },
    /** How many characters a line of the list has. @param {Model} model */
    columns(model) {
      const label = labelWidth(model);
      const asked = [list.clientWidth, model.times, model.narrow, label].join();
      if (asked === measured.asked) return measured.columns;
      const probe = document.createElement("div");
      probe.className = "row";
      probe.style.visibility = "hidden";
      const time = timeText(model, PROBE, undefined);
      rows.style.setProperty("--label", `${label}ch`);
      for (const [name, text] of [["sign", ""], ["time", time], ["label", ""], ["text", "x".repeat(100)]]) {
        const part = document.createElement("span");
        part.className = name;
        part.textContent = text;
        probe.append(part);
      }
      rows.append(probe);
      const text = /** @type {HTMLElement} */ (probe.lastChild);
      const width = text.clientWidth || list.clientWidth;
      text.style.flex = "none";
      text.style.wordBreak = "keep-all";
      text.style.whiteSpace = "pre";
      const letter = text.getBoundingClientRect().width / 100;
      probe.remove();
      measured = { asked, columns: Math.max(10, Math.floor(width / (letter || 8))) };
      return measured.columns;
    },
    /**
     * Draws what is on screen.
     * @param {Model} model
     */
    draw(model) {
      const { viewport, records } = model;
      const newLook = [model.times, model.wraps, model.columns, model.narrow, model.lists].join();
      if (newLook !== look || model !== current) {
        for (const element of drawn.values()) element.remove();
        drawn.clear();
        look = newLook;
        list.classList.toggle("cut", !model.wraps && !model.narrow);
      }
      current = model;
      let isMeasured = false;
      const screen = height();
      // Where the list itself has moved, as an operation's line does it, what is read stays where it is.
      const moved = list.getBoundingClientRect().top - place;
      place += moved;
      if (moved !== 0 && !isFollowing(model)) {
        placeTop(model, topLine(model, screen) + moved / LINE);
      }
      const top = topLine(model, screen);
      const total = viewport.total() * LINE;
      spacer.style.height = `${Math.min(total, LONGEST)}px`;
      const isIdle = performance.now() - scrolledAt > IDLE;
      const wanted = isFollowing(model) ? Math.max(0, Math.min(total, LONGEST) - list.clientHeight) : Math.min(top * LINE, LONGEST);
      if ((isIdle || isFollowing(model)) && Math.abs(list.scrollTop - wanted) >= 1) {
        list.scrollTop = wanted;
      }
      expected = list.scrollTop;
      // Rows stand where the screen is, whatever the position says.
      const origin = list.scrollTop - top * LINE;
      const keep = new Set();
      let index = viewport.count() > 0 ? viewport.at(Math.max(0, top - BEYOND)) : 0;
      for (; index < viewport.count() && viewport.top(index) < top + screen + BEYOND; index += 1) {
        const id = viewport.idAt(index);
        const record = records.get(id);
        if (!record) continue;
        keep.add(id);
        let element = drawn.get(id);
        if (!element) {
          element = row(model, id, record, index);
          drawn.set(id, element);
          rows.append(element);
          if (!isPlain(record.plain)) {
            const lines = Math.max(1, Math.round(element.offsetHeight / LINE));
            if (lines !== viewport.lines(index)) {
              viewport.measure(index, lines);
              isMeasured = true;
            }
          }
        }
        element.style.top = `${origin + viewport.top(index) * LINE}px`;
        element.classList.toggle("focus", id === model.focus);
        element.setAttribute("aria-selected", String(id === model.focus));
        element.setAttribute("aria-posinset", String(index + 1));
        element.setAttribute("aria-setsize", String(viewport.count()));
      }
      for (const [id, element] of drawn) {
        if (keep.has(id)) continue;
        element.remove();
        drawn.delete(id);
      }
      if (model.focus !== undefined && drawn.has(model.focus)) {
        list.setAttribute("aria-activedescendant", `r${model.focus}`);
      } else {
        list.removeAttribute("aria-activedescendant");
      }
      highlight(model);
      if (isMeasured) changed();
    },
  };
}

/** The columns of the operations' names, which stand beside messages where there is more than one to tell apart. @param {Model} model */
function labelWidth(model) {
  const names = model.operations.all().map((it) => it.name?.length ?? 0);
  return names.length < 2 ? 0 : Math.min(LABEL_MAX, Math.max(...names)) + 1;
}

/** @type {Record} */
const PROBE = { kind: "note", time: 1, arrived: 0, level: undefined, operation: undefined, plain: "", spans: [] };

/** Whether a text takes as many columns as it has characters. @param {string} text */
function isPlain(text) {
  return /^[\x20-\x7e\n]*$/.test(text);
}

/** @param {HTMLElement} text @param {Record} record @param {number} end */
export function fill(text, record, end) {
  let at = 0;
  for (const span of record.spans) {
    if (span.start >= end) break;
    if (span.start > at) text.append(record.plain.slice(at, span.start));
    const part = document.createElement("span");
    part.textContent = record.plain.slice(span.start, Math.min(span.end, end));
    decorate(part, span);
    text.append(part);
    at = Math.min(span.end, end);
  }
  if (at < end || at === 0) text.append(record.plain.slice(at, end));
}

/** The sixteen colours, readable on both backgrounds. */
const PALETTE = [
  "", "#e5534b", "#3fa34d", "#b58900", "#4f8fe0", "#b07cc6", "#2aa198", "",
  "#8b95a3", "#ff7b72", "#4fbf67", "#d29922", "#6cb0ff", "#d2a8ff", "#39c5cf", "",
];

/** @param {HTMLElement} part @param {import("./text.js").Span} span */
function decorate(part, span) {
  /** @param {string | number | undefined} it */
  const colour = (it) => (typeof it === "number" ? PALETTE[it] : (it ?? ""));
  const [one, other] = [colour(span.foreground), colour(span.background)];
  const [wanted, back] = span.inverse ? [other, one] : [one, other];
  const own = getComputedStyle(document.documentElement);
  const behind = back || own.getPropertyValue("--back");
  // What could not be read has the text's own colours.
  const front = wanted && isReadable(wanted, behind) ? wanted : "";
  if (front) part.style.color = front;
  if (back && isReadable(front || own.getPropertyValue("--front"), back)) {
    part.style.backgroundColor = back;
  }
  if (span.inverse && !back) part.style.outline = "1px solid";
  if (span.bold) part.style.fontWeight = "bold";
  if (span.dim) part.style.opacity = "0.7";
  if (span.italic) part.style.fontStyle = "italic";
  const lines = [span.underline ? "underline" : "", span.strike ? "line-through" : ""].join(" ").trim();
  if (lines) part.style.textDecoration = lines;
}
