// Shared by the tests of hostile text: the texts, and the check that they have had no effect.

import assert from "node:assert/strict";

/** The parts of the texts, by kind. */
const PARTS = [
  // Tags and their handlers.
  "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", '" onmouseover="alert(1)', "<iframe srcdoc='<script>alert(1)</script>'>",
  "<style>*{display:none}</style>", "<!--", "<base href=//127.0.0.1:9/>", "<a href=javascript:alert(1)>", "<template><b>",
  "</script><script>alert(1)</script>", "</title></textarea></option></dialog>", "<form action=//127.0.0.1:9/><button>",
  // Text with a meaning for other parsers.
  "&lt;b&gt;&#x3c;i&#x3e;&amp;", "javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "url(http://127.0.0.1:9/x)",
  "color:red;background:url(//127.0.0.1:9/)", "http://127.0.0.1:9/", "`${alert(1)}`", "';alert(1)//", "{{7*7}}", "%3Cscript%3E",
  // Terminal sequences.
  "\u001b]8;;http://127.0.0.1:9/\u0007link\u001b]8;;\u0007", "\u001b[31m<b>red\u001b[0m", "<\u001b[1mimg src=x onerror=alert(1)\u001b[m>",
  "\u001b[999999m", "\u001b[2J", "\u001b[38;2;1;2;3m", "\u001b[30;40m", "\u001b[48;5;231m", "\u001b[8m", "\u009b31m", "\u001b]0;title\u0007",
  // Characters that are invisible, or reorder others.
  "\u202egnp.exe\u202c", "\u2066\u2067\u2069", "\u200b\u200d\ufeff", "\u0000", "\u00ad", "\u{e0041}", "\ud800", "\udc00x", "\u05d0\u05d1", "e\u0301\u0301",
  // Names of properties of JavaScript objects, line ends, a field of a stream.
  "__proto__", "constructor", "toString", "\r", "\n", "\r\n\r\n", "\t", "\u2028", "\ndata: x\n\nevent: end\n", "\\", "\\ud800", '"', "",
];

/** A linear congruential generator, so that a failure can be repeated. */
function chance(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

/** Returns a thousand texts, all different; some have 64 KiB in a line. */
export function hostileTexts() {
  const below = chance(156);
  return Array.from({ length: 1000 }, (_, at) => {
    const parts = Array.from({ length: 1 + below(3) }, () => PARTS[below(PARTS.length)]);
    const text = `${PARTS[at % PARTS.length]}${at}${parts.join("")}`;
    return at % 250 === 249 ? text.padEnd(65_536, text.replace(/[\r\n]/g, " ")) : text;
  });
}

/** Returns a name of at most `most` characters that a server accepts. */
export const nameOf = (text, most) => [...text.toWellFormed().replace(/\p{Cc}/gu, "")].slice(0, most).join("") || "x";

/** The elements of the page itself. */
const KNOWN = [
  "html", "head", "meta", "title", "link", "script", "body", "div", "header", "main", "footer", "span", "p", "pre", "h1", "h2",
  "dl", "dt", "dd", "button", "label", "input", "select", "option", "progress", "form", "dialog", "template",
];

/** Starts to observe what a page does. `ends` fails if any of it is not the page's own. */
export async function watchOver(page, server) {
  const told = [];
  page.on("dialog", (dialog) => {
    told.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (it) => !isOwn(it.url(), server.url) && told.push(`request: ${it.url()}`));
  page.on("framenavigated", (frame) => !frame.url().startsWith(`${server.url}/`) && told.push(`navigation: ${frame.url()}`));
  page.context().on("page", () => told.push("another window"));
  page.on("download", () => told.push("a download"));
  await page.evaluate(() => {
    // There are tens of thousands of frames: they need not wait for a screen.
    globalThis.requestAnimationFrame = (draw) => setTimeout(draw);
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (it) => globalThis.violations.push(`${it.violatedDirective} ${it.blockedURI}`));
  });
  return {
    async ends() {
      assert.deepEqual(told, []);
      assert.deepEqual(page.errors, []);
      assert.deepEqual(await page.evaluate(() => globalThis.violations), []);
      await onlyKnown(page);
    },
  };
}

/** Returns whether the page itself requests an address. */
function isOwn(url, server) {
  if (!url.startsWith(`${server}/`)) return false;
  const path = url.slice(server.length).replace(/#.*/s, "");
  return /^\/($|viewer\/[0-9a-f]+\/[a-z]+\.(js|css|svg)$|api\/v1\/sse\/(connect$|debug\/(control\/)?[0-9a-f-]{36}(\?format=json)?$))/.test(path);
}

/** Fails if there are elements, handlers, addresses or styles that are not the page's own. */
export async function onlyKnown(page) {
  const odd = await page.evaluate((known) => {
    const all = [...document.querySelectorAll("*"), ...document.querySelector("template").content.querySelectorAll("*")];
    const addresses = (it) => ["src", "href", "action", "srcdoc", "formaction"].filter((name) => it.hasAttribute(name));
    const isOdd = (it) =>
      !known.includes(it.localName) ||
      [...it.attributes].some(({ name }) => name.startsWith("on")) ||
      (addresses(it).length > 0 && !document.head.contains(it)) ||
      /url|expression|@/.test(it.getAttribute("style") ?? "");
    return all.filter(isOdd).map((it) => it.outerHTML.slice(0, 200));
  }, KNOWN);
  assert.deepEqual(odd, []);
  assert.equal(await page.evaluate(() => ({}).polluted ?? Object.keys(Object.prototype).length), 0);
}
