// Finding and creating elements, and elements for a message's text. Foreign text is put into text nodes only.

import { countOf } from "./format.js";
import { isReadable } from "./text.js";

/** @typedef {import("./records.js").Entry} Record */

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

/** Copies a template; returns its element followed by that one's children. @param {string} id @returns {HTMLElement[]} */
export function fromTemplate(id) {
  const template = /** @type {HTMLTemplateElement} */ (element(id));
  const made = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  return [made, .../** @type {HTMLElement[]} */ ([...made.children])];
}

/**
 * Fills in a record's text up to `end`, with its styles.
 * @param {HTMLElement} text
 * @param {Record} record
 * @param {number} end
 * @param {[end: number, next: number][]} [breaks] where lines end that are broken or cut, and where the text goes on
 */
export function fill(text, { plain, spans }, end, breaks = []) {
  let at = 0;
  let broken = 0;
  /** @param {HTMLElement} where @param {number} until */
  const put = (where, until) => {
    for (; broken < breaks.length && breaks[broken][0] < until; broken += 1) {
      const [cut, next] = breaks[broken];
      // The style sheet adds the line feed of a break, so it is not part of selected text.
      const mark = next > cut ? { className: "more", textContent: `… ${countOf(next - cut)} more` } : { className: "break" };
      where.append(plain.slice(at, cut), make("span", mark));
      at = next;
    }
    if (at < until) where.append(plain.slice(at, until));
    at = Math.max(at, until);
  };
  for (const span of spans) {
    if (span.start >= end) break;
    // The styles of text that is cut off are not shown.
    if (span.end <= at) continue;
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
  // Of the backgrounds that a row can have, that of the focus is closest to the text colour.
  const front = wanted && isReadable(wanted, back || own.getPropertyValue("--focus")) ? wanted : "";
  // Text that would not be readable gets the page's own colours.
  const hasBack = back !== "" && isReadable(front || own.getPropertyValue("--front"), back);
  if (hasBack) part.style.backgroundColor = back;
  part.style.color = front || (hasBack ? "var(--front)" : "");
  const is = /** @type {const} */ (["bold", "dim", "italic", "underline", "strike"]).filter((it) => span[it]);
  part.className = [...is, span.inverse && !hasBack ? "inverse" : ""].join(" ");
}
