// The list of messages. It has rows only for the records on screen. The scroll position is tied to a record, so that
// the screen does not move if records elsewhere are added, dropped or filtered.

import { element, fill, fromTemplate, make } from "./elements.js";
import { timeText } from "./model.js";
import {
  LINES_MAX, anchorAt, follow, isFollowing, isPlain, lineEnds, meant, pause, placeTop, topLine, wrapColumns,
} from "./viewport.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./records.js").Entry} Record */

/** The height of a line, in pixels, as the style sheet has it. */
const LINE = 20;
/** Upper bound of the scrolled area's height, in pixels: browsers do not lay out more. */
const LONGEST = 16_000_000;
/** Number of lines above and below the screen that have rows too. */
const BEYOND = 20;
/** Width below which a text is shown below its time, in pixels. */
const NARROW = 600;
/** Time without scrolling after which the position may be corrected, in ms. */
const IDLE = 150;
/** Upper bound of the marked hits: each costs a browser some µs per frame. */
const MARKS_MAX = 2000;
/** Upper bound of a line that is not wrapped, in characters: a browser lays out all of it. */
const CUT = 4000;
/** Upper bound of an operation's name, in columns. */
const LABEL_MAX = 14;

/**
 * Creates the list.
 * @param {() => void} changed is called when the user has scrolled, pointed or selected
 * @param {() => void} open shows the message in focus whole
 */
export function createList(changed, open) {
  // The buttons of a row are outside the list, because an `option` must not contain buttons.
  const [list, spacer, rows, tools] = ["list", "spacer", "rows", "row-tools"].map(element);
  /** In the order of the records. @type {Map<number, HTMLElement>} */
  const drawn = new Map();
  /** The position that was set last: a scroll event at this position is not the user's. */
  let expected = -1;
  let scrolledAt = -Infinity;
  /** @type {Model | undefined} */
  let current;
  let look = "";
  /** The last measured size, in columns: measuring costs a layout. */
  let measured = { asked: "", label: 0, columns: 80 };
  /** The list's position in the window. */
  let place = 0;
  let wasSelected = false;
  /** Whether pressing has paused the list. */
  let isHeld = false;
  /** The record under the mouse. @type {number | undefined} */
  let hovered;
  /** @type {number | undefined} */
  let focus;

  /** The number of lines that fit; the last may be cut off. */
  const height = () => Math.max(1, list.clientHeight / LINE);

  list.addEventListener("scroll", () => {
    if (!current || Math.abs(list.scrollTop - expected) < 2) return;
    const by = (list.scrollTop - expected) / LINE;
    scrolledAt = performance.now();
    expected = list.scrollTop;
    const lines = current.viewport.total();
    // A list that is too long to be scrolled moves by steps relative to the screen; only a leap uses the scroll position.
    const isStep = lines * LINE > LONGEST && Math.abs(by) < 2 * height();
    if (isFollowing(current)) current.anchor = current.drawn;
    const line = isStep ? topLine(current, height()) + by : list.scrollTop / LINE;
    const end = isStep ? lines * LINE : list.scrollHeight;
    const isAtEnd = line * LINE + list.clientHeight >= end - 2;
    if (isAtEnd && !isSelected(rows)) follow(current);
    else placeTop(current, line);
    changed();
  });

  /** Focuses the record that the user points at. @param {number | undefined} id */
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
  // A finger that scrolls does not press.
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
  // A press does not move the focus, so that keys do not press the button again.
  tools.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("copy", copyRows);
  document.addEventListener("selectionchange", changed);
  // Another theme changes which colours of messages are readable.
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
    const seen = ends.slice(0, LINES_MAX);
    // Line breaks are those from which the height was computed, not the browser's own.
    const broken = isOrdinary ? seen.filter((it) => record.plain[it - 1] !== "\n") : [];
    const breaks = wrapColumns(model) === 0 ? cutsOf(record.plain, seen) : broken.map((it) => /** @type {[number, number]} */ ([it, it]));
    fill(text, record, seen[seen.length - 1], breaks);
    const more = `… ${ends.length - LINES_MAX} more, Enter opens`;
    if (ends.length > LINES_MAX) text.append(make("span", { className: "more", textContent: more }));
    // Milliseconds are left out for screen readers.
    const spoken = [level, time.textContent?.replace(/(:\d\d)\.\d+/, "$1"), record.operation, record.plain.slice(0, 500)];
    row.ariaLabel = spoken.filter(Boolean).join(", ");
    return row;
  }

  /** Returns the number of characters that fit into a line of the list. @param {Model} model @param {number} label columns of the names */
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

  /** Returns the elements with a record's text: in the dialog, and in its row. @param {number} id */
  const textsOf = (id) => [document.querySelector(`[open] #whole${id}`), drawn.get(id)?.lastElementChild].filter((it) => !!it);

  /** Marks the hits on screen. @param {Model} model */
  function highlight({ marks }) {
    /** @type {StaticRange[]} */
    const marked = [];
    for (const [id, found] of marks) {
      for (const text of textsOf(id)) marked.push(...rangesIn(text, found.slice(0, MARKS_MAX - marked.length)));
    }
    CSS.highlights.set("hit", new Highlight(...marked));
  }

  /** Scrolls to the hit that the user has gone to, once its place is known. @param {Model} model */
  function showHit(model) {
    const id = model.sought ?? -1;
    const found = model.marks.get(id);
    if (!found) return;
    model.sought = undefined;
    if (found.length === 0) return;
    const [text] = textsOf(id);
    const dialog = text.closest("dialog");
    const [hit] = rangesIn(text, found.slice(0, 1));
    const { top, bottom, left } = hit ? boxOf(hit) : { top: 0, bottom: 0, left: Infinity };
    if (dialog) dialog.scrollTop += top - dialog.clientHeight / 2;
    // A hit that the row does not show is beyond its last line, or beyond the right edge.
    else if (left > list.clientWidth) open();
    else if (top < place || bottom > place + list.clientHeight) {
      placeTop(model, topLine(model, height()) + (top - place) / LINE - height() / 2);
      changed();
    }
  }

  /** Scrolls to the model's position, and returns the line at the top. @param {Model} model */
  function moveTo(model) {
    const screen = height();
    // If the list itself has moved, for example because of an operation's line, its content stays where it was on
    // screen.
    const moved = list.getBoundingClientRect().top - place;
    place += moved;
    if (moved !== 0 && !isFollowing(model)) placeTop(model, topLine(model, screen) + moved / LINE);
    const top = topLine(model, screen);
    const length = model.viewport.total() * LINE;
    const total = Math.min(length, LONGEST);
    spacer.style.height = `${total}px`;
    const isIdle = performance.now() - scrolledAt > IDLE;
    // If the list is too long to be scrolled, there is always room for some more steps.
    const room = length > LONGEST ? 3 * list.clientHeight : 0;
    const wanted = isFollowing(model) ? Math.max(0, total - list.clientHeight) : Math.min(top * LINE, LONGEST - room);
    if ((isIdle || isFollowing(model)) && Math.abs(list.scrollTop - wanted) >= 1) list.scrollTop = wanted;
    expected = list.scrollTop;
    const drawnNow = anchorAt(model, top);
    // New rows have moved under a resting mouse.
    if (isFollowing(model) && drawnNow?.id !== model.drawn?.id) hovered = undefined;
    model.drawn = drawnNow;
    return top;
  }

  /**
   * Creates the rows around a line and removes the others. Returns whether the height of one differs from the computed
   * height. @param {Model} model @param {number} top
   */
  function drawRows(model, top) {
    const { viewport, records } = model;
    // Rows are placed where the screen is, independent of the scroll position.
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
        // In their order, so that a selection contains them in that order.
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
    return isMeasured;
  }

  /** Shows the focus, and puts the buttons on the focused row, or on the one under the mouse. @param {Model} model */
  function drawFocus(model) {
    const inFocus = isFollowing(model) ? -1 : meant(model);
    for (const [id, row] of drawn) {
      row.classList.toggle("focus", id === inFocus);
      row.ariaSelected = String(id === inFocus);
    }
    const focused = drawn.get(inFocus);
    if (focused) list.setAttribute("aria-activedescendant", focused.id);
    else list.removeAttribute("aria-activedescendant");
    // The user has moved the focus by keys, so the mouse no longer counts.
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
    /** Measures the list, and returns whether the size has changed. @param {Model} model */
    measure(model) {
      const narrow = innerWidth <= NARROW;
      // While text is selected, rows are not created again for a longer name.
      const label = isSelected(rows) ? measured.label : labelWidth(model);
      const asked = [list.clientWidth, model.times, narrow, label].join();
      if (asked !== measured.asked) measured = { asked, label, columns: columns(model, label) };
      const isOther = narrow !== model.narrow || measured.columns !== model.columns;
      Object.assign(model, { narrow, columns: measured.columns });
      return isOther;
    },
    /**
     * Draws the records on screen, and returns those whose hits should be marked once the worker has found them.
     * @param {Model} model
     */
    draw(model) {
      const newLook = [model.times, model.wraps, model.columns, model.narrow, model.lists, lightTheme.matches].join();
      if ((newLook !== look && !model.isWaiting) || model !== current) {
        for (const row of drawn.values()) row.remove();
        drawn.clear();
        look = newLook;
        list.classList.toggle("cut", wrapColumns(model) === 0);
      }
      current = model;
      const isNow = isSelected(rows);
      if (isNow && isFollowing(model)) {
        // Selecting pauses the list, so following again removes the selection.
        if (wasSelected) getSelection()?.removeAllRanges();
        else pause(model, height());
      }
      wasSelected = isNow && !isFollowing(model);
      // A record on screen stays there after it was dropped, until the user moves.
      const isHeld = model.anchor && model.anchor.id < model.records.first() && drawn.has(model.anchor.id);
      if (!isHeld && !model.isWaiting) while (drawRows(model, moveTo(model)));
      drawFocus(model);
      for (const id of model.marks.keys()) if (!drawn.has(id)) model.marks.delete(id);
      highlight(model);
      showHit(model);
      return model.search ? [...drawn.keys()].filter((id) => !model.marks.has(id)) : [];
    },
  };
}

/** Returns whether any of this is selected. @param {HTMLElement} element */
function isSelected(element) {
  const selection = getSelection();
  return !!selection && !selection.isCollapsed && selection.containsNode(element, true);
}

/** Copies rows as lines; a browser would put each part of a row on its own line. @param {ClipboardEvent} event */
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

/**
 * Returns where lines that are not wrapped are cut, each with the beginning of the next line.
 * @param {string} plain
 * @param {number[]} ends of its lines
 * @returns {[cut: number, next: number][]}
 */
function cutsOf(plain, ends) {
  return ends.flatMap((end, at) => {
    const start = (ends[at - 1] ?? 0) + CUT;
    // A surrogate pair is not cut in two.
    const cut = start + Number((plain.codePointAt(start - 1) ?? 0) > 0xffff);
    const next = plain[end - 1] === "\n" ? end - 1 : end;
    return cut < next ? [[cut, next]] : [];
  });
}

/**
 * Returns the ranges of these places of a text in an element, as far as it shows them.
 * @param {Element} text
 * @param {[start: number, end: number][]} places in their order
 */
function rangesIn(text, places) {
  /** @type {StaticRange[]} */
  const ranges = [];
  const parts = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  let [from, next] = [0, 0];
  for (let part = parts.nextNode(); next < places.length && part; part = parts.nextNode()) {
    if (part.parentElement?.className === "more") break;
    const to = from + (part.nodeValue?.length ?? 0);
    for (; next < places.length && places[next][0] < to; next += 1) {
      const [startOffset, endOffset] = [Math.max(places[next][0], from) - from, Math.min(places[next][1], to) - from];
      ranges.push(new StaticRange({ startContainer: part, startOffset, endContainer: part, endOffset }));
      // A place that continues in the next part is handled there too.
      if (places[next][1] > to) break;
    }
    from = to;
  }
  return ranges;
}

/** Returns the position of a range in the window. @param {StaticRange} range */
function boxOf({ startContainer, startOffset, endContainer, endOffset }) {
  const range = new Range();
  range.setStart(startContainer, startOffset);
  range.setEnd(endContainer, endOffset);
  return range.getBoundingClientRect();
}

/** Returns the columns for operations' names, which are shown if there are several operations. @param {Model} model */
function labelWidth(model) {
  const names = model.operations.all().map((it) => it.name?.length ?? 0);
  return names.length < 2 ? 0 : Math.min(LABEL_MAX, Math.max(...names)) + 1;
}

/** @type {Record} */
const PROBE = { kind: "note", time: 1, arrived: 0, level: undefined, operation: undefined, plain: "", spans: [] };
