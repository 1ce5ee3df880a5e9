// Patterns are read as in src/watch/pane/state/query.rs and filter.rs.

import assert from "node:assert/strict";
import test from "node:test";

import { compile } from "../../src/server/viewer/text.js";

const hits = (pattern, text) => compile(pattern).ranges(text).length;

test("capitals make a pattern case-sensitive and classes do not", () => {
  assert.equal(hits("error", "Error error"), 2);
  assert.equal(hits("Error", "Error error"), 1);
  assert.equal(hits("error\\S", "Errors errors"), 2);
  assert.equal(hits("über", "Über über"), 2);
  assert.equal(hits("Über", "Über über"), 1);
  assert.equal(hits("\\\\S", "\\S \\s"), 1);
});

test("an empty match is no hit", () => {
  assert.deepEqual(compile("x*").ranges("axxb"), [[1, 3]]);
  assert.deepEqual(compile("^b").ranges("a\nb"), [[2, 3]]);
});

test("ranges count UTF-16 units, and a character is never cut", () => {
  assert.deepEqual(compile(".b").ranges("\u{1f600}b"), [[0, 3]]);
  assert.equal(compile("\\ude00").test("\u{1f600}"), false);
});

test("a test does not depend on the one before", () => {
  const { test: matches, ranges } = compile("a");
  assert.deepEqual([matches("a"), matches("a"), ranges("aa").length, matches("a")], [
    true, true, 2, true,
  ]);
});

test("a leading ! is for filters only, and an empty pattern is none", () => {
  const filter = (pattern) => compile(pattern, { negatable: true });
  assert.deepEqual([filter("app").not, filter("!app").not, compile("!app").not], [
    false, true, false,
  ]);
  assert.ok(filter("!app").test("apple") && !compile("!app").test("apple"));
  assert.ok(filter("!!").test("!"));
  assert.deepEqual([filter(""), filter("!"), compile("")], [undefined, undefined, undefined]);
});

test("an invalid pattern says why on one line, without the pattern itself", () => {
  assert.deepEqual(compile("(a"), { error: "unterminated group" });
  assert.deepEqual(compile("a/b: (/g: \n("), { error: "unterminated group" });
  assert.deepEqual(compile("!(", { negatable: true }), { error: "unterminated group" });
});
