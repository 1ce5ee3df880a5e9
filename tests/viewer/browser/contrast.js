// What is visible of a page's text. A script that runs in the page.

/** Returns the visible part of the page: an open dialog covers everything else. */
function looked() {
  return [...document.querySelectorAll("dialog")].findLast((it) => it.open) ?? document.body;
}

function isSeen(element) {
  const isDrawn = element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  return isDrawn && !element.closest(".unseen, option");
}

/** Yields the visible text nodes. */
function* textNodes() {
  const walker = document.createTreeWalker(looked(), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.nodeValue.trim() !== "" && isSeen(node.parentElement)) yield node;
  }
}

/** Returns red, green, blue and alpha of a computed colour. */
function parts(colour) {
  const numbers = colour.match(/[\d.]+/g).map(Number);
  const [red, green, blue, alpha = 1] = colour.startsWith("color(") ? numbers.map((it, at) => (at < 3 ? it * 255 : it)) : numbers;
  return [red, green, blue, alpha];
}

function over([red, green, blue, alpha], behind) {
  return [red, green, blue].map((it, at) => it * alpha + behind[at] * (1 - alpha));
}

function luminance(colour) {
  const [red, green, blue] = colour.map((it) => (it / 255 <= 0.04045 ? it / 255 / 12.92 : ((it / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Returns the contrast of two colours, rounded down (WCAG 2.2). */
function contrastOf(one, other) {
  const [more, less] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return Math.floor(((more + 0.05) / (less + 0.05)) * 100) / 100;
}

/** Returns the colour behind an element's text. */
function behind(element) {
  if (element) return over(parts(getComputedStyle(element).backgroundColor), behind(element.parentElement));
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "Canvas";
  const canvas = parts(getComputedStyle(probe).color).slice(0, 3);
  probe.remove();
  return canvas;
}

function opacity(element) {
  return element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1;
}

/** Returns the contrast that a colour has on another one, and the contrast that it needs. */
function measured(text, element, colour, back, needed) {
  const [red, green, blue, alpha] = parts(colour);
  const front = over([red, green, blue, alpha * opacity(element)], back);
  const colours = [front, back].map((it) => it.map(Math.round)).join(" on ");
  return { text: text.slice(0, 60), contrast: contrastOf(front, back), needed, colours };
}

/** Returns each visible text, with its contrast and the contrast that it needs (1.4.3). */
function contrasts() {
  const found = [];
  const marked = CSS.highlights.get("hit") ?? new Set();
  for (const node of textNodes()) {
    const element = node.parentElement;
    const needed = element.matches(".text span, dd span") ? 3 : 4.5;
    found.push(measured(node.nodeValue, element, getComputedStyle(element).color, behind(element), needed));
    for (const range of marked) {
      if (range.startContainer !== node) continue;
      const { color, backgroundColor } = getComputedStyle(element, "::highlight(hit)");
      found.push(measured(`marked: ${range}`, element, color, over(parts(backgroundColor), behind(element)), needed));
    }
  }
  for (const element of looked().querySelectorAll("button, input, select")) {
    if (!isSeen(element)) continue;
    const { content, color } = getComputedStyle(element, "::after");
    if (!["none", "normal"].includes(content)) found.push(measured(content, element, color, behind(element), 4.5));
    if (element.matches("button")) continue;
    const own = getComputedStyle(element);
    found.push(measured(element.value, element, own.color, behind(element), 4.5));
    // The edge of a field must be visible, too (1.4.11).
    found.push(measured(`edge of ${element.id}`, element, own.borderTopColor, behind(element.parentElement), 3));
  }
  return found;
}

/** Returns what hides a part of an element: the window's edge, or an element around it. Scrolling sideways does not count. */
function hiding(element, { left, right, top, bottom }) {
  const by = [];
  let isScrolled = false;
  for (let outer = element; outer; outer = outer.parentElement) {
    const isRoot = outer === document.documentElement;
    const { overflowX, overflowY } = getComputedStyle(outer);
    const edge = isRoot ? new DOMRect(0, 0, innerWidth, innerHeight) : outer.getBoundingClientRect();
    const name = outer.id || outer.className || outer.localName;
    if ((isRoot || overflowX !== "visible") && (left < edge.left - 1 || right > edge.right + 1)) by.push(`sideways, ${name}`);
    isScrolled ||= ["auto", "scroll"].includes(overflowY);
    const isCut = isRoot || overflowY !== "visible";
    if (isCut && !isScrolled && (top < edge.top - 1 || bottom > edge.bottom + 1)) by.push(`up or down, ${name}`);
  }
  return by;
}

/** Returns the words of which a part is hidden, and what hides it. */
function cutOff() {
  const found = [];
  for (const node of textNodes()) {
    for (const { index, 0: word } of node.nodeValue.matchAll(/\S+/g)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const by = [...range.getClientRects()].flatMap((it) => hiding(node.parentElement, it));
      found.push(...by.map((it) => `${word}: ${it}`));
    }
  }
  return found;
}
