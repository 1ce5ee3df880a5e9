// The worker finds the shown messages and the hits, in batches, and can be ended at any time.

import assert from "node:assert/strict";
import test from "node:test";
import { Worker } from "node:worker_threads";

const MODULE = new URL("../../src/server/viewer/seek.js", import.meta.url).href;
/** What a browser's worker has and node's lacks. Node reads up to 1,000 messages of one port in a row,
 * while a browser takes them in the order of their arrival at any port. */
const START = `
  const { parentPort } = require("node:worker_threads");
  globalThis.self = globalThis;
  globalThis.postMessage = (data, { transfer } = {}) => parentPort.postMessage(data, transfer);
  globalThis.MessageChannel = class {
    port1 = {};
    port2 = { postMessage: () => setImmediate(() => this.port1.onmessage()) };
  };
  import("${MODULE}").then(() => parentPort.on("message", (data) => self.onmessage({ data })));`;
const NOTHING = { type: "set", search: "", filter: "", level: undefined, generation: 0 };
const PATIENCE = 10_000;


/** Runs the module; `posted` returns all that it posts up to the first match, with it. */
function start(context) {
  const worker = new Worker(START, { eval: true });
  context.after(() => worker.terminate());
  const waiting = [];
  let wake = () => {};
  worker.on("message", (it) => {
    waiting.push(it);
    wake();
  });
  async function posted(isWanted) {
    const all = [];
    const late = AbortSignal.timeout(PATIENCE);
    for (;;) {
      while (waiting.length > 0) {
        all.push(waiting.shift());
        if (isWanted(all.at(-1))) {
          return all;
        }
      }
      await new Promise((resolve, reject) => {
        wake = () => resolve();
        late.onabort = () => reject(new Error("the worker is silent"));
      });
    }
  }
  return { post: (it) => worker.postMessage(it), posted, end: () => worker.terminate() };
}

/** Waits for the end of a generation; returns everything found. */
async function found({ posted }, generation) {
  const isEnd = (it) => it.done && it.generation === generation;
  const all = (await posted(isEnd)).filter((it) => it.generation === generation);
  const ids = (type) => all.flatMap((it) => Array.from(it[type]));
  return { shown: ids("shown"), hits: ids("hits") };
}

/** Returns a message with records, given by their texts, or by text and level. */
function push(first, ...records) {
  const plains = records.map((it) => it.plain ?? it);
  return { type: "push", first, plains, levels: records.map((it) => it.level) };
}

function many(count) {
  const plains = Array.from({ length: count }, (_, id) => `Processed file ${id} of ${count}`);
  return { type: "push", first: 0, plains, levels: plains.map(() => undefined) };
}

test("records pushed before and after a search are found among the shown ones", async (context) => {
  const seek = start(context);
  seek.post(push(0, "apple", "berry", "apple pie"));
  seek.post({ ...NOTHING, search: "a", filter: "!pie", generation: 1 });
  assert.deepEqual(await found(seek, 1), { shown: [0, 1], hits: [0] });
  seek.post(push(3, "banana", "pie", "cherry"));
  assert.deepEqual(await found(seek, 1), { shown: [3, 5], hits: [3] });
  seek.post({ ...NOTHING, generation: 2 });
  assert.deepEqual(await found(seek, 2), { shown: [0, 1, 2, 3, 4, 5], hits: [] });
});

test("a missing level counts as info, and records that are not messages are always shown", async (context) => {
  const seek = start(context);
  const levels = ["trace", "debug", "info", "warn", "error", undefined];
  const records = levels.map((level) => ({ plain: "x", level }));
  for (let other = 0; other < 3; other += 1) records.push({ plain: "y", level: "always" });
  seek.post(push(0, ...records));
  const others = [6, 7, 8];
  let generation = 0;
  for (const [level, shown] of [
    [undefined, [0, 1, 2, 3, 4, 5]],
    ["trace", [0, 1, 2, 3, 4, 5]],
    ["debug", [1, 2, 3, 4, 5]],
    ["info", [2, 3, 4, 5]],
    ["warn", [3, 4]],
    ["error", [4]],
  ]) {
    generation += 1;
    seek.post({ ...NOTHING, level, generation });
    assert.deepEqual((await found(seek, generation)).shown, [...shown, ...others]);
  }
  seek.post({ ...NOTHING, filter: "z", search: "y", generation: 9 });
  assert.deepEqual(await found(seek, 9), { shown: others, hits: others });
});

test("dropped records are not found, and numbers continue", async (context) => {
  const seek = start(context);
  seek.post(push(0, "a", "b", "c"));
  seek.post({ type: "drop", first: 2 });
  seek.post({ ...NOTHING, search: "[abc]", generation: 1 });
  assert.deepEqual(await found(seek, 1), { shown: [2], hits: [2] });
  seek.post({ type: "drop", first: 3 });
  seek.post(push(3, "a"));
  assert.deepEqual(await found(seek, 1), { shown: [3], hits: [3] });
});

test("a worker that starts later gets all kept records", async (context) => {
  const seek = start(context);
  seek.post({ ...NOTHING, search: "b", generation: 7 });
  assert.deepEqual(await found(seek, 7), { shown: [], hits: [] });
  seek.post(push(1_000_000, "a", "b"));
  assert.deepEqual(await found(seek, 7), { shown: [1_000_000, 1_000_001], hits: [1_000_001] });
});

test("results are posted in small batches", async (context) => {
  const seek = start(context);
  const count = 200_000;
  seek.post(many(count));
  seek.post({ ...NOTHING, search: "file 1", generation: 1 });
  const all = await seek.posted((it) => it.done);
  assert.ok(all.length >= 20 && all.every((it) => it.shown.length <= 10_000));
  const ids = all.flatMap((it) => Array.from(it.shown));
  assert.ok(ids.length === count && ids.every((id, index) => id === index));
});

test("a new pattern stops the search for the one before", async (context) => {
  const seek = start(context);
  seek.post(many(200_000));
  seek.post({ ...NOTHING, search: "(x|.)*(y|.)*z", generation: 1 });
  await seek.posted(() => true);
  seek.post({ ...NOTHING, search: "file 199999 ", generation: 2 });
  const all = await seek.posted((it) => it.done);
  assert.deepEqual([all.at(-1).generation, Array.from(all.at(-1).hits)], [2, [199_999]]);
  assert.ok(!all.some((it) => it.generation === 1 && it.done));
});

test("a pattern that takes too long posts nothing, and a new worker continues", async (context) => {
  const slow = start(context);
  const records = push(0, "a".repeat(50) + "!", "b");
  slow.post(records);
  slow.post({ ...NOTHING, search: "(a+)+$", generation: 1 });
  const silence = new Promise((resolve) => setTimeout(resolve, 300, "silence"));
  assert.equal(await Promise.race([slow.posted(() => true), silence]), "silence");
  await slow.end();
  const seek = start(context);
  seek.post(records);
  seek.post({ ...NOTHING, search: "b", generation: 2 });
  assert.deepEqual(await found(seek, 2), { shown: [0, 1], hits: [1] });
});

test("marks have the hits of existing records only", async (context) => {
  const seek = start(context);
  const marks = async (ids) => {
    seek.post({ type: "mark", ids });
    return (await seek.posted((it) => it.marks)).at(-1);
  };
  seek.post(push(0, "gone", "file 12 of 40", "none"));
  seek.post({ ...NOTHING, search: "\\d+", generation: 3 });
  seek.post({ type: "drop", first: 1 });
  const { generation, marks: found, until } = await marks([0, 1, 2, 3]);
  assert.deepEqual([generation, found, until], [3, [[1, [[5, 7], [11, 13]]], [2, []]], 3]);
  seek.post(push(3, "9".repeat(5000)));
  seek.post({ ...NOTHING, search: "9", generation: 4 });
  assert.equal((await marks([3])).marks[0][1].length, 1000);
});
