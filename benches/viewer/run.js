// The speed of the viewer page, compared with a naive page in the same run: an EventSource that appends an element for
// each message and scrolls down.
//
//   cargo build --release && (cd tests/viewer && npm ci)
//   node benches/viewer/run.js                 # all rows, about six minutes
//   node benches/viewer/run.js search paint    # some of: flood, burst, search, heap, paint, quiet
//
// It needs Linux, Node 20 or newer and Chromium (CHROMIUM=PATH, else /usr/bin/chromium). CODECHAT=PATH measures another
// program than target/release/codechat. It prints a table: the promises, the figures of the two pages, and whether the
// promises were kept. Times depend on what else the machine does, so compare them with the naive page's.

import { loadavg } from "node:os";
import { openBench } from "./bench.js";
import { burst, flood } from "./load.js";
import { paint, quiet } from "./idle.js";
import { heap, search } from "./records.js";

const ROWS = { flood, burst, search, heap, paint, quiet };

const asked = process.argv.slice(2);
const unknown = asked.find((it) => !(it in ROWS));
if (unknown !== undefined) throw new Error(`no row is named ${unknown}; there are ${Object.keys(ROWS).join(", ")}`);

const bench = await openBench();
try {
  console.log("| promise | naive | page | kept |\n| --- | --- | --- | --- |");
  for (const [name, measure] of Object.entries(ROWS)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    for (const { promise, naive = "–", page, kept } of await measure(bench)) {
      console.log(`| ${promise} | ${naive} | ${page} | ${kept ? "yes" : "**no**"} |`);
    }
  }
  console.log(`\nLoad average at the end: ${loadavg()[0].toFixed(1)}`);
} finally {
  await bench.close();
}
