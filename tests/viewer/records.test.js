// Received messages are kept up to the bounds, and dropped ones are counted.

import assert from "node:assert/strict";
import test from "node:test";

import { BYTES_MAX, RECORDS_MAX, createRecords } from "../../src/server/viewer/records.js";

function record(plain, more = {}) {
  const said = { kind: "message", time: 0, arrived: 0, level: undefined, operation: undefined };
  return { ...said, plain, spans: [], ...more };
}

test("records have numbers from 0, and a missing one is undefined", () => {
  const records = createRecords();
  assert.deepEqual([records.first(), records.end(), records.get(0)], [0, 0, undefined]);
  assert.deepEqual([records.push(record("a")), records.push(record("b"))], [0, 1]);
  assert.equal(records.get(1)?.plain, "b");
  for (const id of [-1, 2, RECORDS_MAX, 0.5]) {
    assert.equal(records.get(id), undefined);
  }
});

test("the oldest are dropped beyond the number of records", () => {
  const records = createRecords();
  const extra = 12_345;
  for (let id = 0; id < RECORDS_MAX + extra; id += 1) {
    records.push(record(String(id)));
  }
  const { first, end, get } = records;
  assert.deepEqual([first(), end()], [extra, RECORDS_MAX + extra]);
  assert.equal(get(extra - 1), undefined);
  for (const id of [extra, RECORDS_MAX, RECORDS_MAX + extra - 1]) {
    assert.equal(get(id)?.plain, String(id));
  }
});

test("the oldest are dropped beyond the bound in bytes, and the newest always stays", () => {
  const records = createRecords();
  const big = "x".repeat(4 << 20);
  for (let count = 0; count < 20; count += 1) {
    records.push(record(big));
  }
  assert.deepEqual([records.first(), records.end(), records.bytes()], [4, 20, BYTES_MAX]);
  records.push(record("x".repeat(BYTES_MAX + 1)));
  assert.deepEqual([records.first(), records.bytes()], [20, BYTES_MAX + 1]);
  records.push(record("x"));
  assert.deepEqual([records.first(), records.end(), records.bytes()], [21, 22, 1]);
});

test("the size of a record is that of its text in UTF-8, as received and as shown, and its styles", () => {
  const bytes = (...given) => {
    const records = createRecords();
    records.push(record(...given));
    return records.bytes();
  };
  const bounds = "\0\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff";
  for (const text of ["", "plain", "aü\u20ac\u{1f600}", bounds]) {
    assert.equal(bytes(text), Buffer.byteLength(text));
  }
  assert.equal(bytes("a", { message: { data: '{"message":"ü"}' } }), 16);
  assert.equal(bytes("<U+202E>", { message: { data: "\u202e" } }), 8);
  assert.ok(bytes("a", { spans: [{}, {}] }) > 100);
});
