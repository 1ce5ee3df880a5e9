// The page writes numbers and times as the pane does: vectors/figures.json.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as format from "../../src/server/viewer/format.js";

const cases = JSON.parse(readFileSync(new URL("vectors/figures.json", import.meta.url), "utf8"));

const WRITTEN_BY = {
  number: format.number,
  count_of: format.countOf,
  seconds: format.seconds,
  rate: format.rate,
  age: format.age,
  since: format.sinceText,
  clock: format.clock,
  count: (progress) => format.count({ progress }),
};

test("figures are those of the vectors", () => {
  assert.deepEqual(Object.keys(cases), Object.keys(WRITTEN_BY));
  for (const [name, rows] of Object.entries(cases)) {
    for (const row of rows) {
      const [input, text] = [row.slice(0, -1), row.at(-1)];
      assert.equal(WRITTEN_BY[name](...input), text, `${name} of ${JSON.stringify(input)}`);
    }
  }
});

test("times of a page's own, with fractions or before 0, are whole", () => {
  assert.equal(format.age(-1), "0 s");
  assert.equal(format.age(59_999.9), "59 s");
  assert.equal(format.seconds(1999.9), "1 s");
  assert.equal(format.sinceText(-0.4), "+0.000");
  assert.equal(format.sinceText(-1.6), "-0.001");
  assert.equal(format.clock(0.7, 0), "00:00:00.000");
  assert.equal(format.clock(1e300, 0).length, 12);
});

test("without progress there is no count", () => {
  assert.equal(format.count({ progress: undefined }), undefined);
});
