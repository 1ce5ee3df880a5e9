// The fragment of the page's address, the message that it leads to, and the lines that a quiet stream leaves in the
// list.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createModel, pausedText, readAddress, receive, stateText } from "../../src/server/viewer/model.js";
import { openLink } from "../../src/server/viewer/viewport.js";

const ID = "3f2b8c1e-5d6a-4f70-8b9c-0d1e2f3a4b5c";

test("an address names nothing, a client, or one of its messages", () => {
  assert.deepEqual(readAddress(""), {});
  assert.deepEqual(readAddress(ID), { id: ID, seq: 0, time: 0 });
  assert.deepEqual(readAddress(ID.toUpperCase()), { id: ID, seq: 0, time: 0 });
  assert.deepEqual(readAddress(`${ID}/120`), { id: ID, seq: 120, time: 0 });
  assert.deepEqual(readAddress(`${ID}/120-1732262452866`), { id: ID, seq: 120, time: 1732262452866 });
});

test("every other address is malformed, and shown made safe", () => {
  const tail = ["/", "/0", "/07", "/abc", "/-1", "/1.5", "/1-", "/1-2-3", "/-1-2", "/1/2", "/1 ", "x", "/12345678901234567"].map((it) => ID + it);
  for (const fragment of ["/abc", "x y", "x%20y", "/", "/1", ID.slice(1), ` ${ID}`, `${ID}\n`, "__proto__", ...tail]) {
    const read = readAddress(fragment);
    assert.match(read.failure ?? "", /is no client ID/, fragment);
    assert.equal(read.id, undefined);
  }
  assert.match(readAddress("a\u202eb").failure ?? "", /"a<U\+202E>b" is no/);
});

const message = (seq, text = `line ${seq}`, system = false) => ({
  message: { id: `${seq}-1`, seq, time: 1, text, system, data: "" },
});

/** Returns a model whose address leads to a message. */
function leadingTo(seq) {
  const model = createModel({ id: ID, began: 0, offset: 0 });
  model.link = { seq, time: 0, next: 0, isGone: false };
  return model;
}

test("a message that has not arrived yet is waited for, and then opened", () => {
  const model = leadingTo(3);
  for (const seq of [1, 2]) receive(model, message(seq), 0);
  openLink(model, 10);
  assert.equal(pausedText(model), "message 3 is not here yet");
  receive(model, message(3), 0);
  receive(model, message(4), 0);
  openLink(model, 10);
  assert.equal(model.records.get(model.focus)?.plain, "line 3");
  assert.match(pausedText(model), /^paused/);
});

test("a message that is gone, or never arrived, is reported", () => {
  const model = leadingTo(3);
  receive(model, message(7), 0);
  openLink(model, 10);
  assert.equal(pausedText(model), "message 3 is gone");
  const ended = leadingTo(3);
  ended.connection = { kind: "ended" };
  assert.equal(pausedText(ended), "message 3 never came");
});

test("a message from before a restart is gone, even if another one has its number", () => {
  const came = (model, seq, time) =>
    receive(model, { message: { id: `${seq}-${time}`, seq, time, text: `line ${seq}`, system: false, data: "" } }, 0);
  const opened = (...messages) => {
    const model = leadingTo(3);
    model.link.time = 500;
    receive(model, message(0, "Starting server communication...", true), 0);
    for (const it of messages) came(model, ...it);
    openLink(model, 10);
    return model.focus === undefined ? pausedText(model) : model.records.get(model.focus).plain;
  };
  assert.equal(opened([1, 400], [2, 500]), "message 3 is not here yet");
  assert.equal(opened([1, 400], [2, 500], [3, 500]), "line 3");
  assert.equal(opened([1, 900]), "message 3 is gone");
  assert.equal(opened([1, 900], [2, 901], [3, 902]), "message 3 is gone");
});

test("a late message does not interrupt the reading of another one", () => {
  const model = leadingTo(3);
  for (const seq of [1, 2]) receive(model, message(seq), 0);
  model.anchor = { id: 0, line: 0 };
  model.focus = 0;
  receive(model, message(3), 0);
  openLink(model, 10);
  assert.equal(model.focus, 0);
});

test("a stream that repeatedly ends as idle leaves one line", () => {
  const model = createModel({ id: ID, began: 0, offset: 0 });
  const texts = () => Array.from({ length: model.records.end() }, (_, at) => model.records.get(at)?.plain);
  const cycle = () => {
    receive(model, message(0, "Starting server communication...", true), 0);
    receive(model, { end: "idle" }, 0);
  };
  for (let at = 0; at < 5; at += 1) cycle();
  const idle = "-- ended: nothing happened for the idle timeout --";
  assert.deepEqual(texts(), ["-- Starting server communication... --", idle]);
  // A message that is not part of the cycle is shown, and the next idle end after it too.
  receive(model, message(0, "Server shutting down...", true), 0);
  receive(model, message(1, "work"), 0);
  cycle();
  assert.deepEqual(texts().slice(2), ["-- Server shutting down... --", "work", "-- Starting server communication... --", idle]);
});

test("a state says what happens, and after half a minute without a server what to do", () => {
  const model = createModel({ id: ID, began: 0, offset: 0 });
  const says = (connection, now = 0) => stateText(Object.assign(model, { connection }), now);
  assert.equal(says({ kind: "connecting" }), "◌ connecting");
  assert.equal(says({ kind: "live" }), "● live · no message yet · heartbeat 0 s ago");
  const lost = { kind: "retrying", text: "no connection", attempt: 3, due: 31_200, since: 0 };
  assert.equal(says(lost, 30_000), "◐ reconnecting, try 3 in 2 s (no connection)");
  assert.equal(says(lost, 31_200), "◐ reconnecting, try 3 now (no connection); is the server running? `codechat serve`");
  assert.equal(says({ kind: "ended", text: "stopped" }), "■ ended (stopped)");
  assert.equal(says({ kind: "ended" }), "■ ended");
  assert.equal(says({ kind: "failed", text: "not from here" }), "■ not from here");
  assert.equal(says({ kind: "asleep" }), "◌ asleep while other tabs are looked at");
});
