// A stream is read as WHATWG HTML 9.2.6 says, however its bytes are cut, and its events mean what they mean in
// src/client/subscribe/translate.rs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import {
  TooLong,
  createBackoff,
  createParser,
  createTranslator,
} from "../../src/server/viewer/stream.js";

const vectors = JSON.parse(
  readFileSync(new URL("vectors/stream.json", import.meta.url), "utf8"),
  (key, value) => (key === "chunks" ? value.map((it) => Buffer.from(it, "base64")) : value),
);


/** Reads chunks, each to its end. */
function read(chunks, last) {
  const parser = createParser(last);
  const events = [];
  let heartbeats = 0;
  for (const chunk of chunks) {
    parser.push(chunk);
    for (let it = parser.next(); it !== undefined; it = parser.next()) {
      if (it === "heartbeat") {
        heartbeats += 1;
      } else {
        events.push(it);
      }
    }
  }
  return { events, heartbeats, lastId: parser.lastId(), retry: parser.retry() ?? null };
}

/** The standard's parser, sentence by sentence. */
function byTheBook(bytes, last) {
  const text = new TextDecoder().decode(bytes).replace(/\r\n?/g, "\n");
  const events = [];
  let [name, data, id, lastId, retry] = ["", "", last, last, null];
  for (const line of text.split("\n").slice(0, -1)) {
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/su.exec(line);
    if (line === "") {
      lastId = id;
      if (data !== "") {
        events.push({ id, name: name || "message", data: data.slice(0, -1) });
      }
      [name, data] = ["", ""];
    } else if (field === "event") {
      name = value;
    } else if (field === "data") {
      data += `${value}\n`;
    } else if (field === "id" && !value.includes("\0")) {
      id = value;
    } else if (field === "retry" && /^[0-9]+$/.test(value)) {
      retry = Math.min(Number(value), Number.MAX_SAFE_INTEGER);
    }
  }
  return { events, lastId, retry };
}

/** Returns a generator of pseudo-random numbers, the same for each seed (mulberry32). */
function chance(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

for (const { name, chunks, last, events, heartbeats, lastId, retry } of vectors) {
  test(`stream: ${name}`, () => {
    const expected = { events, lastId, retry };
    assert.deepEqual(read(chunks, last), { ...expected, heartbeats });
    const whole = Buffer.concat(chunks);
    assert.deepEqual(byTheBook(whole, last), expected);
    const told = ({ heartbeats: any, ...rest }) => ({ ...rest, hasBeat: any > 0 });
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const parts = [whole.subarray(0, cut), whole.subarray(cut)];
      assert.deepEqual(told(read(parts, last)), { ...expected, hasBeat: heartbeats > 0 });
    }
    const single = Array.from(whole, (byte) => Uint8Array.of(byte));
    assert.deepEqual(told(read(single, last)), { ...expected, hasBeat: heartbeats > 0 });
  });
}

test("any bytes in any pieces are read as the standard says", () => {
  const fragments = [
    "data", "event", "id", "retry", "comment", ":", ": ", " ", "\n", "\r", "\r\n", "\n\n", "\0",
    "\ufeff", "data: ", "data: x\n\n", "id: 1", "event: e\n", "retry: 10\n", ": c\n", "ü",
    "\u{1f600}", "7", "event:\n", "id\n", "id: 3\nevent: e\ndata: plain\n\n", "\u2028",
    "data: plain\nid:4\n\n", "\xa0",
  ].map((it) => Buffer.from(it));
  const below = chance(1);
  const anything = () => Buffer.from(Array.from({ length: below(8) }, () => below(256)));
  for (let round = 0; round < 3000; round += 1) {
    const count = below(40);
    const fragment = () => (below(8) === 0 ? anything() : fragments[below(fragments.length)]);
    const stream = Buffer.concat(Array.from({ length: count }, fragment));
    const cuts = Array.from({ length: below(10) }, () => below(stream.length + 1));
    const ends = [0, ...cuts, stream.length].sort((a, b) => a - b);
    const pieces = ends.slice(1).map((end, index) => stream.subarray(ends[index], end));
    const { events, lastId, retry } = read(pieces, "seed");
    assert.deepEqual({ events, lastId, retry }, byTheBook(stream, "seed"), stream.toString("hex"));
  }
});

test("events are parsed when they are asked for, and the last ID with them", () => {
  const parser = createParser("");
  parser.push(Buffer.from("id: 1\ndata: a\n\nid: 2\ndata: b\n\n"));
  assert.equal(parser.next()?.data, "a");
  assert.equal(parser.lastId(), "1");
  assert.equal(parser.next()?.data, "b");
  assert.equal(parser.next(), undefined);
});

test("a heartbeat is reported again after the available bytes were read", () => {
  const parser = createParser("");
  for (const told of ["heartbeat", "heartbeat"]) {
    parser.push(Buffer.from(":\n\n:\n\n"));
    assert.equal(parser.next(), told);
    assert.equal(parser.next(), undefined);
  }
});

test("a line beyond the bound is an error, and the events before it are not", () => {
  const parser = createParser("");
  parser.push(Buffer.from("data: a\n\ndata: "));
  const megabyte = Buffer.alloc(1 << 20, "x");
  for (let count = 0; count <= 64; count += 1) {
    parser.push(megabyte);
  }
  assert.equal(parser.next()?.data, "a");
  assert.throws(() => parser.next(), TooLong);
});

test("an event beyond the bound is an error, and one within it is read", () => {
  const line = Buffer.from(`data:${"x".repeat(1 << 20)}\n`);
  for (const [lines, isTooLong] of [[63, false], [64, true]]) {
    const parser = createParser("");
    for (let count = 0; count < lines; count += 1) {
      parser.push(line);
    }
    parser.push(Buffer.from("\n"));
    if (isTooLong) {
      assert.throws(() => parser.next(), TooLong);
    } else {
      assert.equal(parser.next().data.length, lines * ((1 << 20) + 1) - 1);
    }
  }
});


function event(id, data, name = "debug") {
  return { id, name, data };
}

/** Returns an event of a message, whose data are a message object. */
function json(id, text, more = {}) {
  return event(id, JSON.stringify({ id, message: text, ...more }));
}

/** Returns the message that is read from an object, without its data. */
function said(members) {
  const translator = createTranslator("");
  translator.begin(false);
  const { data, ...told } = translator.read(event("1-5", JSON.stringify(members))).message;
  return JSON.parse(JSON.stringify(told));
}

const SYSTEM = { system: true };
const HELLO = "Starting server communication...";
const BYE = "Server shutting down...";

test("a message has all members of its object", () => {
  const translator = createTranslator("");
  translator.begin(false);
  const data =
    '{"id":"17-1732262400123","time":"2024-11-22T08:00:00.123Z","message":"a","level":"warn",' +
    '"operation":"o","progress":{"current":3,"total":120,"unit":"files"},"outcome":"failed",' +
    '"event":"step","fields":{"__proto__":1},"system":true}';
  const { message } = translator.read({ id: "17-1732262400123", name: "step", data });
  assert.deepEqual({ ...message, fields: undefined }, {
    id: "17-1732262400123",
    seq: 17,
    time: 1732262400123,
    text: "a",
    level: "warn",
    operation: "o",
    progress: { current: 3, total: 120, unit: "files" },
    outcome: "failed",
    event: "step",
    fields: undefined,
    system: true,
    data,
  });
  assert.deepEqual(Object.keys(message.fields), ["__proto__"]);
});

test("unknown members of a newer server lose no message", () => {
  const plain = { id: "1-5", seq: 1, time: 5, text: "a", system: false };
  assert.deepEqual(said({ message: "a", colour: "red" }), plain);
  const progress = { current: 3, total: 4 };
  assert.deepEqual(said({ message: "a", progress: { ...progress, rate: 1 } }).progress, progress);
  const odd = { level: 3, operation: {}, progress: "half", outcome: "so-so", event: [], fields: 1 };
  assert.deepEqual(said({ message: "a", ...odd, system: "no" }), plain);
  assert.deepEqual(said({ message: "a", level: null, progress: null, system: null }), plain);
  assert.deepEqual(said({ message: "a", level: "WARN", fields: [1] }), plain);
});

test("a member that breaks its rule is left out", () => {
  const operation = (it) => said({ message: "", operation: it }).operation;
  for (const good of ["o", "\u{1f600}".repeat(128), "\u202e"]) {
    assert.equal(operation(good), good);
  }
  for (const bad of ["", "x".repeat(129), "\u{1f600}".repeat(129), "a\nb", "\u0085"]) {
    assert.equal(operation(bad), undefined);
  }
  const progress = (it) => said({ message: "", progress: it }).progress;
  assert.deepEqual(progress({ current: 0, total: null, unit: "" }), { current: 0, unit: "" });
  for (const bad of [{ total: "2" }, { unit: "\n" }, { unit: "x".repeat(33) }, { current: -1 }]) {
    assert.equal(progress({ current: 1, ...bad }), undefined);
  }
  assert.equal(progress({}), undefined);
  const name = (it) => said({ message: "", event: it }).event;
  assert.equal(name("a.B_c-1"), "a.B_c-1");
  for (const bad of ["", "gap", "end", "control", "a b", "x".repeat(65)]) {
    assert.equal(name(bad), undefined);
  }
});

test("half a surrogate pair loses no message", () => {
  const text = (escaped) => {
    const translator = createTranslator("");
    return translator.read(event("", `{"message":"${escaped}","fields":{"${escaped}":1}}`)).message;
  };
  for (const [escaped, plain] of [
    ["cut \\ud83d", "cut \ufffd"],
    ["\\uDCE9!", "\ufffd!"],
    ["\\ud83d\\ude00", "\u{1f600}"],
    ["\\ud83d\\ud83d\\ude00", "\ufffd\u{1f600}"],
    ["\\\\ud83d", "\\ud83d"],
    ["\\ud83d\\\\ude00", "\ufffd\\ude00"],
  ]) {
    assert.equal(text(escaped).text, plain);
    assert.deepEqual(Object.keys(text(escaped).fields), [plain]);
  }
});

/** Reads connections, each given by its events; returns the texts of messages, and everything else as it is. */
function told(connections, last = "") {
  const translator = createTranslator(last);
  let resuming = last !== "";
  return connections.flatMap((events) => {
    translator.begin(resuming);
    resuming = true;
    const all = events.map((it) => translator.read(it)).filter((it) => it !== undefined);
    return all.map((it) => ("message" in it ? it.message.text : it));
  });
}

test("repeats are dropped and the server's own messages are not", () => {
  const first = [
    json("0-10", HELLO, SYSTEM),
    json("1-8", "a"),
    json("2-11", "b"),
    json("2-11", BYE, SYSTEM),
  ];
  const second = [json("1-8", "a"), json("2-11", "b"), json("3-12", "c"), json("3-12", "c")];
  assert.deepEqual(told([first, second]), [HELLO, "a", "b", BYE, "c"]);
  assert.deepEqual(told([second], "2-11"), ["c"]);
});

test("the server's own messages have no number, except those in the log", () => {
  const translator = createTranslator("");
  translator.begin(false);
  const events = [
    json("0-10", HELLO, SYSTEM),
    json("1-11", "Publisher disconnected before it finished.", SYSTEM),
    json("1-11", BYE, SYSTEM),
    json("x", "no ID"),
  ];
  const places = events.map((it) => translator.read(it).message).map((it) => [it.seq, it.time]);
  assert.deepEqual(places, [[0, 10], [1, 11], [0, 11], [0, 0]]);
});

test("in text the server's own messages are recognised by their place", () => {
  const translator = createTranslator("");
  translator.begin(false);
  const first = [event("0-10", HELLO), event("1-8", HELLO), event("2-9", BYE), event("2-9", BYE)];
  const second = [event("1-8", HELLO), event("2-9", "repeated"), event("3-9", "c")];
  const own = (events) =>
    events.map((it) => translator.read(it)?.message).map((it) => it && [it.id, it.system]);
  assert.deepEqual(own(first), [["0-10", true], ["1-8", false], ["2-9", false], ["2-9", true]]);
  translator.begin(true);
  assert.deepEqual(own(second), [undefined, undefined, ["3-9", false]]);
});

test("a restarted server's new numbers are no repeats", () => {
  const before = [json("1-11", "a"), json("2-12", "b")];
  const unknown = { gap: { joining: false } };
  const gap = event("0-20", '{"missed":null}', "gap");
  const after = [gap, json("1-5", "by a clock that was set back")];
  assert.deepEqual(told([before, after]), ["a", "b", unknown, "by a clock that was set back"]);
  assert.deepEqual(told([before, [json("1-21", "c")]]), ["a", "b", "c"]);
});

test("a fresh stream gives all messages, whatever was read before", () => {
  const translator = createTranslator("2-12");
  translator.begin(false);
  assert.equal(translator.read(json("1-11", "a"))?.message.text, "a");
});

test("gaps say what is lost, and the first one after joining is of older messages", () => {
  const older = event("3-5", '{"from":1,"to":3,"missed":3}', "gap");
  const gap = (joining) => ({ gap: { from: 1, to: 3, missed: 3, joining } });
  assert.deepEqual(told([[older, older]]), [gap(true), gap(false)]);
  assert.deepEqual(told([[json("0-1", HELLO, SYSTEM), older]]), [HELLO, gap(true)]);
  assert.deepEqual(told([[older]], "0-1"), [gap(false)]);
  assert.deepEqual(told([[], [older]]), [gap(false)]);
  const later = event("9-5", '{"from":4,"to":9}', "gap");
  const four = { gap: { from: 4, to: 9, missed: 6, joining: false } };
  assert.deepEqual(told([[later, json("9-5", "gone"), json("10-5", "a")]]), [four, "a"]);
  const halves = ['{"from":2}', '{"from":3,"to":2}', '{"from":"1","to":2}'];
  for (const bad of ["", "{}", "null", "[1]", ...halves]) {
    assert.deepEqual(told([[event("9-5", bad, "gap")]]), [{ gap: { joining: false } }]);
  }
});

test("the end has its reason", () => {
  const end = (data) => told([[event("3-5", data, "end")]]);
  for (const reason of ["stopped", "idle", "quit"]) {
    assert.deepEqual(end(reason), [{ end: reason }]);
  }
  assert.deepEqual(end("of a newer server"), [{ end: "stopped" }]);
});

test("an event ID is read strictly", () => {
  const places = (id) => {
    const { seq, time } = createTranslator("").read(json(id, "a")).message;
    return [seq, time];
  };
  assert.deepEqual(places("17-1732262400123"), [17, 1732262400123]);
  const beyond = `${"9".repeat(20)}-1`;
  for (const bad of ["", "-", "17", "17-", "-5", "+1-2", "1-2-3", "a-b", "1 -2", beyond]) {
    assert.deepEqual(places(bad), [0, 0], bad);
  }
});


test("delays grow within their bounds and are reset", () => {
  const backoff = createBackoff();
  const delays = (chance) => Array.from({ length: 9 }, () => backoff.next({ chance }).delay);
  assert.deepEqual(delays(0), [250, 250, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
  assert.equal(backoff.next({ chance: 1 }).attempt, 10);
  backoff.reset();
  assert.deepEqual(delays(1), [375, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  for (let count = 0; count < 2000; count += 1) {
    assert.equal(backoff.next({ chance: 1 }).delay, 30000);
  }
});

test("a floor counts within the bounds, and Retry-After up to a minute", () => {
  const first = (given) => createBackoff().next({ chance: 0, ...given });
  assert.deepEqual(first({ floor: 0 }), { attempt: 1, delay: 250 });
  assert.equal(first({ floor: 2000 }).delay, 2000);
  assert.equal(first({ floor: Number.MAX_SAFE_INTEGER }).delay, 30000);
  assert.equal(first({ floor: 2000, chance: 1 }).delay, 2125);
  assert.equal(first({ retryAfter: 40_000 }).delay, 40_000);
  assert.equal(first({ retryAfter: 86_400_000 }).delay, 60_000);
});
