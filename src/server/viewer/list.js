// The list of messages: rows for what is on screen, and no others. What is on screen hangs on a record, so that nothing
// that comes, falls off or is filtered elsewhere moves it.

import { timeText } from "./model.js";
import { isReadable } from "./text.js";
import { LINES_MAX, anchorAt, follow, isFollowing, lineEnds, meant, pause, placeTop, topLine, wrapColumns } from "./viewport.js";

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
/** The most hits that are marked: a browser takes some µs for each in every frame. */
const MARKS_MAX = 2000;
/** The most columns of an operation's name. */
const LABEL_MAX = 14;

/** @param {string} id */
export const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * Makes an element with these properties.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Partial<HTMLElementTagNameMap[Name]>} [properties]
 * @returns {HTMLElementTagNameMap[Name]}
 */
export const make = (name, properties = {}) => Object.assign(document.createElement(name), properties);

/** Makes what a template has, and returns it with its parts. @param {string} id @returns {HTMLElement[]} */
export function fromTemplate(id) {
  const template = /** @type {HTMLTemplateElement} */ (element(id));
  const made = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  return [made, .../** @type {HTMLElement[]} */ ([...made.children])];
}

/**
 * Makes the list work.
 * @param {() => void} changed is called when the user has scrolled, pointed or selected
 */
export function createList(changed) {
  // The buttons of a row stand beside the list, since an option has no buttons.
  const [list, spacer, rows, tools] = ["list", "spacer", "rows", "row-tools"].map(element);
  /** In the order of the records. @type {Map<number, HTMLElement>} */
  const drawn = new Map();
  /** The position that was set last: a scroll to it is ours. */
  let expected = -1;
  let scrolledAt = -Infinity;
  /** @type {Model | undefined} */
  let current;
  let look = "";
  /** What room there was, and how many columns that were: to measure costs a layout. */
  let measured = { asked: "", label: 0, columns: 80 };
  /** Where the list stands in the window. */
  let place = 0;
  let wasSelected = false;
  /** Whether a press has paused. */
  let isHeld = false;
  /** The record that the mouse is at. @type {number | undefined} */
  let hovered;
  /** @type {number | undefined} */
  let focus;

  /** How many lines there is room for; the last may be cut. */
  const height = () => Math.max(1, list.clientHeight / LINE);

  list.addEventListener("scroll", () => {
    if (!current || Math.abs(list.scrollTop - expected) < 2) return;
    scrolledAt = performance.now();
    expected = list.scrollTop;
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 2;
    if (isAtEnd && !isSelected(rows)) follow(current);
    else placeTop(current, list.scrollTop / LINE);
    changed();
  });

  /** Puts a record in focus, since somebody points at it. @param {number | undefined} id */
  const choose = (id) => {
    if (!current || id === undefined) return;
    pause(current, height());
    current.focus = id;
    changed();
  };
  /** @param {Event} event */
  const idAt = ({ target }) => {
    const row = /** @type {Element} */ (target).closest(".row");
    return row ? Number(row.id.slice(1)) : undefined;
  };
  list.addEventListener("pointerdown", (event) => {
    isHeld = !!current && isFollowing(current) && idAt(event) !== undefined;
    if (current && isHeld) pause(current, height());
  });
  // A finger that scrolls presses nothing.
  list.addEventListener("pointercancel", () => isHeld && current && follow(current));
  list.addEventListener("click", (event) => choose(idAt(event)));
  for (const type of ["pointerdown", "click"]) tools.addEventListener(type, () => choose(Number(tools.dataset.id)));
  list.addEventListener("pointermove", (event) => {
    const id = event.pointerType === "mouse" && event.buttons === 0 ? idAt(event) : undefined;
    if (id !== hovered) changed();
    hovered = id;
  });
  list.addEventListener("pointerleave", ({ relatedTarget }) => {
    if (tools.contains(/** @type {Node | null} */ (relatedTarget))) return;
    hovered = undefined;
    changed();
  });
  tools.addEventListener("wheel", ({ deltaY }) => list.scrollBy(0, deltaY), { passive: true });
  // A press leaves the focus where it is, so that keys do not press the button again.
  tools.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("copy", copyRows);
  document.addEventListener("selectionchange", changed);
  // Which colours of messages can be read is another question then.
  const lightTheme = matchMedia("(prefers-color-scheme: light)");
  lightTheme.addEventListener("change", changed);

  /** @param {Model} model @param {number} id @param {Record} record @param {Record | undefined} previous */
  function makeRow(model, id, record, previous) {
    const [row, sign, time, label, text] = fromTemplate("row");
    const level = record.level ?? "";
    row.id = `r${id}`;
    row.className = `row ${record.kind === "message" ? level : record.kind}`;
    sign.textContent = record.kind === "message" ? level.charAt(0).toUpperCase() : "";
    time.textContent = timeText(model, record, previous);
    label.textContent = record.operation ?? "";
    const isOrdinary = isPlain(record.plain);
    text.classList.toggle("odd", !isOrdinary);
    const ends = lineEnds(record.plain, wrapColumns(model));
    const end = ends[Math.min(ends.length, LINES_MAX) - 1];
    // The browser breaks where the height says, not where it would itself.
    fill(text, record, end, isOrdinary ? ends.filter((it) => record.plain[it - 1] !== "\n") : []);
    const more = `… ${ends.length - LINES_MAX} more, Enter opens`;
    if (ends.length > LINES_MAX) text.append(make("span", { className: "more", textContent: more }));
    // Nobody wants to hear milliseconds.
    const spoken = [level, time.textContent?.replace(/(:\d\d)\.\d+/, "$1"), record.operation, record.plain.slice(0, 500)];
    row.ariaLabel = spoken.filter(Boolean).join(", ");
    return row;
  }

  /** How many characters a line of the list has. @param {Model} model @param {number} label columns of the names */
  function columns(model, label) {
    rows.style.setProperty("--label", `${label}ch`);
    const [probe, , time, , text] = fromTemplate("row");
    time.textContent = timeText(model, PROBE, undefined);
    text.textContent = "x".repeat(100);
    probe.style.visibility = "hidden";
    rows.append(probe);
    const width = text.clientWidth || list.clientWidth;
    text.style.flex = "none";
    const letter = text.getBoundingClientRect().width / 100;
    probe.remove();
    return Math.max(10, Math.floor(width / (letter || 8)));
  }

  /** Marks what the search has found on screen. @param {Model} model */
  function highlight({ marks }) {
    if (!("highlights" in CSS)) return;
    /** @type {StaticRange[]} */
    const marked = [];
    for (const [id, row] of drawn) {
      const found = marks.get(id) ?? [];
      const parts = found.length > 0 ? document.createTreeWalker(row.lastChild ?? row, NodeFilter.SHOW_TEXT) : undefined;
      let [from, next] = [0, 0];
      for (let part = parts?.nextNode(); part && part.parentElement?.className !== "more"; part = parts?.nextNode()) {
        const to = from + (part.nodeValue?.length ?? 0);
        for (; next < found.length && found[next][0] < to && marked.length < MARKS_MAX; next += 1) {
          const [startOffset, endOffset] = [Math.max(found[next][0], from) - from, Math.min(found[next][1], to) - from];
          marked.push(new StaticRange({ startContainer: part, startOffset, endContainer: part, endOffset }));
          // What goes on in the next part is marked there, too.
          if (found[next][1] > to) break;
        }
        from = to;
      }
    }
    CSS.highlights.set("hit", new Highlight(...marked));
  }

  /** Scrolls to where the model is, and returns the line at the top. @param {Model} model */
  function moveTo(model) {
    const screen = height();
    // Where the list itself has moved, as an operation's line does it, what is read stays where it is.
    const moved = list.getBoundingClientRect().top - place;
    place += moved;
    if (moved !== 0 && !isFollowing(model)) placeTop(model, topLine(model, screen) + moved / LINE);
    const top = topLine(model, screen);
    const total = Math.min(model.viewport.total() * LINE, LONGEST);
    spacer.style.height = `${total}px`;
    const isIdle = performance.now() - scrolledAt > IDLE;
    const wanted = isFollowing(model) ? Math.max(0, total - list.clientHeight) : Math.min(top * LINE, LONGEST);
    if ((isIdle || isFollowing(model)) && Math.abs(list.scrollTop - wanted) >= 1) list.scrollTop = wanted;
    expected = list.scrollTop;
    const drawnNow = anchorAt(model, top);
    // The rows have gone on under a mouse that rests.
    if (isFollowing(model) && drawnNow?.id !== model.drawn?.id) hovered = undefined;
    model.drawn = drawnNow;
    return top;
  }

  /** Makes the rows around a line, and takes the others away. @param {Model} model @param {number} top */
  function drawRows(model, top) {
    const { viewport, records } = model;
    // Rows stand where the screen is, whatever the position says.
    const origin = list.scrollTop - top * LINE;
    const count = viewport.count();
    const from = count > 0 ? viewport.at(Math.max(0, top - BEYOND)) : 0;
    let to = from;
    while (to < count && viewport.top(to) < top + height() + BEYOND) to += 1;
    for (const [id, row] of drawn) {
      const index = viewport.indexOf(id);
      if (index >= from && index < to && viewport.idAt(index) === id) continue;
      row.remove();
      drawn.delete(id);
    }
    let isMeasured = false;
    let next = rows.firstElementChild;
    for (let index = from; index < to; index += 1) {
      const id = viewport.idAt(index);
      const record = records.get(id);
      if (!record) continue;
      let row = drawn.get(id);
      if (row) next = row.nextElementSibling;
      else {
        row = makeRow(model, id, record, index > 0 ? records.get(viewport.idAt(index - 1)) : undefined);
        drawn.set(id, row);
        // In their order, so that a selection goes through them as they are read.
        rows.insertBefore(row, next);
        const lines = isPlain(record.plain) ? 0 : Math.max(1, Math.round(row.offsetHeight / LINE));
        if (lines > 0 && lines !== viewport.lines(index)) {
          viewport.measure(index, lines);
          isMeasured = true;
        }
      }
      row.style.top = `${origin + viewport.top(index) * LINE}px`;
      row.ariaPosInSet = String(index + 1);
      row.ariaSetSize = String(count);
    }
    if (isMeasured) changed();
  }

  /** Shows what is in focus, and puts the buttons on that row, or where the mouse is. @param {Model} model */
  function drawFocus(model) {
    const inFocus = isFollowing(model) ? -1 : meant(model);
    for (const [id, row] of drawn) {
      row.classList.toggle("focus", id === inFocus);
      row.ariaSelected = String(id === inFocus);
    }
    const focused = drawn.get(inFocus);
    if (focused) list.setAttribute("aria-activedescendant", focused.id);
    else list.removeAttribute("aria-activedescendant");
    // Whoever goes on by keys has left the mouse where it is.
    if (model.focus !== focus) hovered = undefined;
    focus = model.focus;
    const owner = drawn.get(hovered ?? -1) ?? focused;
    const { top, bottom } = (owner ?? list).getBoundingClientRect();
    const line = (model.narrow ? top : Math.min(bottom, place + list.clientHeight) - LINE) - place;
    tools.hidden = !owner || line < 0 || top >= place + list.clientHeight || wasSelected;
    tools.style.top = `${line}px`;
    tools.dataset.id = owner?.id.slice(1);
  }

  return {
    height,
    /** Takes note of how much room there is, and returns whether it was another. @param {Model} model */
    measure(model) {
      const narrow = innerWidth <= NARROW;
      // A selection stays in its rows: they are not made anew for a name that is longer.
      const label = isSelected(rows) ? measured.label : labelWidth(model);
      const asked = [list.clientWidth, model.times, narrow, label].join();
      if (asked !== measured.asked) measured = { asked, label, columns: columns(model, label) };
      const isOther = narrow !== model.narrow || measured.columns !== model.columns;
      Object.assign(model, { narrow, columns: measured.columns });
      return isOther;
    },
    /**
     * Draws what is on screen, and returns the records whose hits are to be marked, if the worker tells where they are.
     * @param {Model} model
     */
    draw(model) {
      const newLook = [model.times, model.wraps, model.columns, model.narrow, model.lists, lightTheme.matches].join();
      if (newLook !== look || model !== current) {
        for (const row of drawn.values()) row.remove();
        drawn.clear();
        look = newLook;
        list.classList.toggle("cut", wrapColumns(model) === 0);
      }
      current = model;
      const isNow = isSelected(rows);
      if (isNow && isFollowing(model)) {
        // Selecting pauses; who follows again wants no selection any more.
        if (wasSelected) getSelection()?.removeAllRanges();
        else pause(model, height());
      }
      wasSelected = isNow && !isFollowing(model);
      // What is read stays on screen when it falls off, until somebody moves.
      const isHeld = model.anchor && model.anchor.id < model.records.first() && drawn.has(model.anchor.id);
      if (!isHeld) drawRows(model, moveTo(model));
      drawFocus(model);
      for (const id of model.marks.keys()) if (!drawn.has(id)) model.marks.delete(id);
      highlight(model);
      return model.search ? [...drawn.keys()].filter((id) => !model.marks.has(id)) : [];
    },
  };
}

/** Whether any of this is selected. @param {HTMLElement} element */
function isSelected(element) {
  const selection = getSelection();
  return !!selection && !selection.isCollapsed && selection.containsNode(element, true);
}

/** Copies rows as lines; a browser would give each part of a row a line. @param {ClipboardEvent} event */
function copyRows(event) {
  const selected = /** @type {Selection} */ (getSelection()).getRangeAt(0).cloneContents();
  if (!selected.querySelector(".text")) return;
  const found = selected.querySelectorAll(".row");
  const lines = [...(found.length > 0 ? found : [selected])].map((it) =>
    [...it.children].map((part) => part.textContent).filter(Boolean).join(" "),
  );
  event.clipboardData?.setData("text/plain", lines.join("\n"));
  event.preventDefault();
}

/** The columns of operations' names, which stand beside messages if there are several. @param {Model} model */
function labelWidth(model) {
  const names = model.operations.all().map((it) => it.name?.length ?? 0);
  return names.length < 2 ? 0 : Math.min(LABEL_MAX, Math.max(...names)) + 1;
}

/** @type {Record} */
const PROBE = { kind: "note", time: 1, arrived: 0, level: undefined, operation: undefined, plain: "", spans: [] };

/** Whether a text takes as many columns as it has characters. @param {string} text */
const isPlain = (text) => /^[\x20-\x7e\n]*$/.test(text);

/**
 * Fills in a record's text up to `end`, with its styles.
 * @param {HTMLElement} text
 * @param {Record} record
 * @param {number} end
 * @param {number[]} [breaks] where lines are broken
 */
export function fill(text, { plain, spans }, end, breaks = []) {
  let at = 0;
  let broken = 0;
  /** @param {HTMLElement} where @param {number} until */
  const put = (where, until) => {
    for (; breaks[broken] < until; broken += 1) {
      // Its line feed is the style sheet's, and no part of the text that is selected.
      where.append(plain.slice(at, breaks[broken]), make("span", { className: "break" }));
      at = breaks[broken];
    }
    where.append(plain.slice(at, until));
    at = until;
  };
  for (const span of spans) {
    if (span.start >= end) break;
    if (span.start > at) put(text, span.start);
    const part = make("span");
    put(part, Math.min(span.end, end));
    decorate(part, span);
    text.append(part);
  }
  if (at < end || at === 0) put(text, end);
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
  // Of what stands behind a row, the focus is nearest to its text.
  const front = wanted && isReadable(wanted, back || own.getPropertyValue("--focus")) ? wanted : "";
  // What could not be read has the page's own colours.
  const hasBack = back !== "" && isReadable(front || own.getPropertyValue("--front"), back);
  if (hasBack) part.style.backgroundColor = back;
  part.style.color = front || (hasBack ? "var(--front)" : "");
  const is = /** @type {const} */ (["bold", "dim", "italic", "underline", "strike"]).filter((it) => span[it]);
  part.className = [...is, span.inverse && !hasBack ? "inverse" : ""].join(" ");
}
