// The ends of lines, the places of messages, and the neighbours of the focus.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createModel, pass, receive, relist, rewrap, toCancel } from "../../src/server/viewer/model.js";
import { anchorAt, follow, keptHits, lineEnds, meant, nextHit, pause, step, topLine, wrapColumns } from "../../src/server/viewer/viewport.js";

/** Returns the lines of a text; joined, they are the text. */
function lines(text, columns, most) {
  const ends = lineEnds(text, columns, most);
  return ends.map((end, at) => text.slice(ends[at - 1] ?? 0, end));
}

test("lines break between words, and within a word that is longer than a line", () => {
  assert.deepEqual(lines("", 10), [""]);
  assert.deepEqual(lines("one two", 10), ["one two"]);
  assert.deepEqual(lines("one two three", 10), ["one two ", "three"]);
  assert.deepEqual(lines("0123456789 a", 10), ["0123456789 ", "a"]);
  assert.deepEqual(lines("a 0123456789", 10), ["a ", "0123456789"]);
  assert.deepEqual(lines("a 0123456789012 b", 10), ["a ", "0123456789", "012 b"]);
  assert.deepEqual(lines("one    two", 4), ["one    ", "two"]);
  assert.deepEqual(lines("  0123456789", 10), ["  ", "0123456789"]);
});

test("lines end at line feeds, and are not broken without columns", () => {
  assert.deepEqual(lines("a\n\nb c", 10), ["a\n", "\n", "b c"]);
  assert.deepEqual(lines("a\n", 10), ["a\n"]);
  assert.deepEqual(lines("0123456789\nb", 10), ["0123456789\n", "b"]);
  assert.deepEqual(lines("0123456789  \nb", 10), ["0123456789  \n", "b"]);
  assert.deepEqual(lines("one two three\nfour", 0), ["one two three\n", "four"]);
});

test("only spaces make a line longer than the bound, and nothing is lost", () => {
  let seed = 1;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  for (let round = 0; round < 2000; round += 1) {
    const text = Array.from({ length: random(60) }, () => "abc  -/\n"[random(8)]).join("");
    const columns = 1 + random(12);
    const found = lines(text, columns);
    assert.equal(found.join(""), text);
    for (const [at, line] of found.entries()) {
      assert.ok(line.trimEnd().length <= columns, JSON.stringify([text, columns]));
      // The next line's first word did not fit.
      const next = (found[at + 1] ?? "").match(/^[^ \n]*/)[0];
      const isFull = line.endsWith("\n") || at + 1 === found.length || (line + next).length > columns;
      assert.ok(isFull, JSON.stringify([text, columns, found]));
    }
  }
});

test("at most the wanted number of lines is counted, and no character is cut in two", () => {
  assert.deepEqual(lines("a".repeat(1000), 10, 3), ["a".repeat(10), "a".repeat(10), "a".repeat(10)]);
  for (const line of lines("\u{1f600}".repeat(9), 3)) assert.ok(line.isWellFormed());
});

/** Returns a model with these texts. */
function withTexts(...texts) {
  const model = createModel({ id: "", began: 0, offset: 0 });
  texts.forEach((text, at) => {
    const message = { id: `${at + 1}-1`, seq: at + 1, time: 1, text, level: undefined, system: false, data: "" };
    receive(model, { message }, at);
  });
  return model;
}

test("a long message takes its shown lines, and one that says that there is more", () => {
  const model = withTexts("x\n".repeat(500), "one two three");
  model.columns = 10;
  relist(model);
  assert.deepEqual([model.viewport.lines(0), model.viewport.lines(1)], [101, 2]);
});

test("hits in dropped messages are neither counted nor moved to", () => {
  const big = "x".repeat(4 << 20);
  const model = withTexts(...Array.from({ length: 20 }, () => big));
  assert.equal(model.records.first(), 4);
  model.hits = [0, 2, 5, 9];
  assert.equal(nextHit(model, true), 5);
  assert.deepEqual(keptHits(model), [5, 9]);
});

test("a pause keeps what was drawn last, whatever arrives", () => {
  const model = createModel({ id: "", began: 0, offset: 0 });
  const come = (count) => {
    for (let at = 0; at < count; at += 1) {
      const seq = model.records.end() + 1;
      receive(model, { message: { id: `${seq}-1`, seq, time: 1, text: `line ${seq}`, system: false, data: "" } }, 0);
    }
  };
  come(50);
  model.drawn = anchorAt(model, topLine(model, 10.5));
  come(80);
  pause(model, 10.5);
  assert.equal(topLine(model, 10.5), 39.5);
  assert.equal(model.focus, 49);
  follow(model);
  model.drawn = undefined;
  pause(model, 10.5);
  assert.deepEqual([topLine(model, 10.5), model.focus], [119.5, 129]);
});

test("keys act on the focus, on the next message if a filter hides it, or on the last while following", () => {
  const { model, show } = filtered();
  model.filter = "even";
  relist(model);
  pass(model, [0, 2]);
  assert.equal(meant(model), 2);
  show(0);
  model.focus = 1;
  assert.equal(meant(model), 2);
  assert.equal(toCancel(model), "even");
  model.focus = 3;
  assert.equal(meant(model), 2);
  relist(model);
  assert.equal(model.records.get(meant(model)), undefined);
});

/** Returns a model with five messages of two running operations, and a function that pauses at one of them. */
function filtered() {
  const model = createModel({ id: "", began: 0, offset: 0 });
  for (let seq = 1; seq <= 5; seq += 1) {
    const operation = seq % 2 ? "even" : "odd";
    receive(model, { message: { seq, text: `${seq - 1}`, operation, progress: { current: 1, total: 9 }, data: "{}" } }, 0);
  }
  const show = (focus) => Object.assign(model, { focus, anchor: anchorAt(model, 0) });
  return { model, show };
}

test("in whole messages, keys move to the next one and stop at the last", () => {
  const { model, show } = filtered();
  show(2);
  const seen = [1, 1, 1].map(() => {
    step(model, 1, 10, true);
    return model.focus;
  });
  assert.deepEqual(seen, [3, 4, 4]);
  step(model, 1, 10);
  assert.equal(model.focus, undefined);
});

test("the top message stays in place when lines break elsewhere", () => {
  const words = Array.from({ length: 300 }, (_, at) => `word${at}`).join(" ");
  const model = withTexts("first", words, "a\nb\nc", ...Array.from({ length: 400 }, (_, at) => `line ${at}`));
  const atTop = () => {
    const line = topLine(model, 20);
    const index = model.viewport.at(line);
    const own = Math.floor(line) - model.viewport.top(index) - Number(model.narrow);
    const { plain } = model.records.get(model.viewport.idAt(index));
    const start = lineEnds(plain, wrapColumns(model))[own - 1] ?? 0;
    return [plain, own, plain.slice(start, start + 20)];
  };
  const layOut = (columns, wraps = true, narrow = false) => {
    Object.assign(model, { columns, wraps, narrow });
    rewrap(model);
  };
  layOut(40);
  model.anchor = anchorAt(model, 1 + 30);
  const [, , read] = atTop();
  const place = words.indexOf(read);
  for (const [columns, narrow] of [[80, false], [28, false], [30, true], [40, true], [33, false]]) {
    layOut(columns, true, narrow);
    const [, own, now] = atTop();
    const start = words.indexOf(now);
    assert.ok(start <= place && place < start + columns + 10, `${columns}: ${read} | ${now}`);
    assert.ok(own >= 0 && own < model.viewport.lines(1));
  }
  layOut(40, false);
  assert.deepEqual(atTop(), [words, 0, words.slice(0, 20)]);
  layOut(40);
  assert.equal(atTop()[2], read);
  // The first line is the first one, and a record without breaks of its own keeps its line.
  model.anchor = anchorAt(model, 1.5);
  layOut(77, true, true);
  assert.equal(topLine(model, 20), model.viewport.top(1) + 0.5);
  model.anchor = anchorAt(model, model.viewport.top(2) + 2);
  layOut(40);
  assert.equal(topLine(model, 20), model.viewport.top(2) + 1);
});

test("a list that is rebuilt for another width has the same records and no new ones", () => {
  const { model } = filtered();
  model.filter = "even";
  relist(model);
  pass(model, [0, 2, 4]);
  model.anchor = anchorAt(model, 0);
  receive(model, { message: { seq: 6, text: "5", data: "{}" } }, 0);
  model.columns = 20;
  rewrap(model);
  assert.deepEqual(model.viewport.ids(), [0, 2, 4]);
  pass(model, [5]);
  assert.deepEqual(model.behind, { new: 1, errors: 0 });
});
