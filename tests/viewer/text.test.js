// The page's text is the pane's (vectors/text.json), safe for any input, and made in time.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { isReadable, safe, safeLine } from "../../src/server/viewer/text.js";

const cases = JSON.parse(readFileSync(new URL("vectors/text.json", import.meta.url), "utf8"));

/** Returns the spans with only what they set, as in the vectors. */
const short = (spans) =>
  spans.map((span) => {
    const isSet = ([, value]) => value !== undefined && value !== false;
    return Object.fromEntries(Object.entries(span).filter(isSet));
  });

test("text, lines and spans are those of the vectors", () => {
  for (const { input, plain, line, spans } of cases) {
    const made = safe(input);
    assert.equal(made.plain, plain, JSON.stringify(input));
    assert.deepEqual(short(made.spans), spans, JSON.stringify(input));
    assert.equal(safeLine(input), line, JSON.stringify(input));
  }
});

test("a lone surrogate is shown", () => {
  assert.equal(safe("a\ud800b\udc00").plain, "a<U+D800>b<U+DC00>");
  assert.equal(safeLine("\udc00\ud800"), "<U+DC00><U+D800>");
  assert.equal(safe("\u{1f469}\u{10ffff}").plain, "\u{1f469}\u{10ffff}");
});

/** A linear congruential generator, so that a failure can be repeated. */
function chance(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

test("safe text has no hidden characters, and its spans are in order", () => {
  const UNSEEN = /[\p{Cc}\p{Bidi_C}\p{DI}\p{Zl}\p{Zp}\p{Cs}]/u;
  const fragments = [
    ..."\x1b[]Pm018;:? \r\n\t\x07\x7f\0\\ab", "\x1b[", "\x1b]8;;", "\x1b\\", "38;5;", "\x1b[31m",
    "\x1b[0m", "\x1b[1;7m", "\x1b[48;2;1;2;3m", "\x1b[K", "\u009b", "\u202e", "\u200b", "\u200c",
    "\u200d", "\ufe0f", "\u20e3", "\u{e0041}", "\u0301", "\u{1f469}", "\u2764", "\u65e5", "\ud800",
    "\udc00", "\u0645\u06cc", "</script>", "&#x202e;", "__proto__",
  ];
  const below = chance(2024);
  for (let round = 0; round < 5000; round++) {
    const parts = Array.from({ length: below(24) }, () => fragments[below(fragments.length)]);
    const text = parts.join("");
    const { plain, spans } = safe(text);
    const hidden = plain.replace(/[\n\u200c\u200d\ufe0e\ufe0f]/g, "");
    assert.ok(!UNSEEN.test(hidden), JSON.stringify(text));
    assert.equal(safe(plain).plain, plain);
    assert.ok(!safeLine(text).includes("\n"));
    let end = 0;
    for (const span of spans) {
      assert.ok(span.start >= end && span.end > span.start && span.end <= plain.length);
      end = span.end;
    }
  }
});

test("hostile lines take no longer than others of their length", () => {
  const length = 1 << 16;
  const units = [
    "\x1b", "[", "\x1b[", "\x1b[3", "\x1b[;;;;;;;;", "\x1b]8;", "\x1b]8;;;;", "\x1b[31ma\x1b[32mb",
    "\r", "\r ", "\t", "a\u0301\t", "\u0301", "\u200d", "\u{1f469}\u200d", "\u202e", "\ud800", "\n",
  ];
  for (const unit of [...units.map((it) => it.repeat(length)), `\x1b]8;${";".repeat(length)}`]) {
    const began = performance.now();
    safe(unit);
    safeLine(unit);
    assert.ok(performance.now() - began < 5000, JSON.stringify(unit.slice(0, 20)));
  }
});

test("plain text is returned unchanged", () => {
  const text = "line 1\nof plain ~ text";
  assert.equal(safe(text).plain, text);
  assert.deepEqual(safe(text).spans, []);
});

test("a colour is readable from a contrast of 3 on", () => {
  assert.ok(isReadable("#000000", "#ffffff"));
  assert.ok(isReadable("#949494", "#ffffff"));
  assert.ok(!isReadable("#959595", "#ffffff"));
  assert.ok(!isReadable("#000000", "#000000"));
  assert.ok(!isReadable("#0000ff", "#000000"));
  assert.ok(isReadable("#00ff00", "#000000"));
});
