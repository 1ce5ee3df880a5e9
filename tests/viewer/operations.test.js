// The page counts operations as the pane does (vectors/operations.json), up to a number.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { createOperations } from "../../src/server/viewer/operations.js";

const cases = JSON.parse(readFileSync(new URL("vectors/operations.json", import.meta.url), "utf8"));

const message = (more) => ({ time: 0, text: "", system: false, ...more });

/** Returns what is known of an operation, as in the vectors. */
function figures(state, now) {
  const all = {
    name: state.name,
    messages: state.messages,
    errors: state.errors || undefined,
    progress: state.progress && JSON.parse(JSON.stringify(state.progress)),
    outcome: state.outcome,
    lost: state.lost || undefined,
    endedAt: state.endedAt,
    fraction: state.fraction(),
    rate: state.rate(now),
    eta: state.eta(now),
    elapsed: state.elapsed(now),
    stalled: state.stalled(now),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

for (const { name, guess, steps } of cases) {
  test(`operations: ${name}`, () => {
    const operations = createOperations(guess);
    for (const [index, { now, message: told, states }] of steps.entries()) {
      if (told) {
        operations.update(message(told), now);
      }
      const all = operations.all();
      assert.deepEqual(all.map((it) => figures(it, now)), states, `step ${index}`);
      assert.deepEqual(operations.running(), all.filter((it) => it.endedAt === undefined));
    }
  });
}

test("the number of operations is bounded, and ended ones are forgotten first", () => {
  const operations = createOperations(true);
  const told = (operation) => message({ operation, progress: { current: 1, total: 2 } });
  for (let number = 0; number < 100; number++) {
    operations.update(told(`${number}`), 0);
  }
  operations.update(message({ operation: "7", outcome: "ok" }), 1000);
  operations.update(told("x"), 2000);
  operations.update(told("y"), 2000);
  const names = operations.all().map((it) => it.name);
  assert.equal(names.length, 100);
  assert.deepEqual([names[0], names.includes("7"), names.at(-1)], ["1", false, "y"]);
  operations.update(told("0"), 3000);
  assert.deepEqual([names.length, operations.all()[98].name], [100, "y"]);
  assert.equal(operations.all()[99].messages, 1, "it was forgotten");
});

test("a long text full of numbers takes no longer than others", () => {
  const operations = createOperations(true);
  const began = performance.now();
  for (const unit of ["1 ", "1,111", " ", "1/", "% ", "1 of "]) {
    operations.update(message({ text: `1${unit.repeat(20_000)}/` }), 0);
    operations.update(message({ text: `1${unit.repeat(490 / unit.length)}/` }), 0);
  }
  assert.ok(performance.now() - began < 5000);
});
