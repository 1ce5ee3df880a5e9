// The announcements to a screen reader: each once, only the newest about the same subject, and not too many at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createModel, receive, say, spoken } from "../../src/server/viewer/model.js";

const create = () => createModel({ id: "", began: 0, offset: 0 });
let seq = 0;
const come = (model, message) => receive(model, { message: { seq: (seq += 1), time: 1, text: "x", system: false, data: "{}", ...message } }, 0);

test("an outcome is announced once, with the operation's name made safe", () => {
  const model = create();
  assert.equal(spoken(model), "");
  come(model, { operation: "a\u202eb", outcome: "ok" });
  come(model, { operation: "check-links", outcome: "cancelled" });
  assert.equal(spoken(model), "a<U+202E>b done; check-links cancelled");
  assert.equal(spoken(model), "");
  come(model, { text: "the publisher of deploy is gone", operation: "deploy", level: "error", system: true });
  assert.equal(spoken(model), "the publisher of deploy is gone");
});

test("of many announcements only the newest are made, and only the last about the same subject", () => {
  const model = create();
  for (let at = 0; at < 50; at += 1) come(model, { operation: `part ${at}`, outcome: "ok" });
  assert.equal(spoken(model), "part 47 done; part 48 done; part 49 done");
  for (const text of ["times: clock", "times: off"]) say(model, "", text);
  assert.equal(spoken(model), "times: off");
  for (let at = 0; at < 2; at += 1) {
    say(model, "", "copied the message");
    assert.equal(spoken(model), "copied the message");
  }
});

test("changes are announced: of the connection, and of the number of new messages during a pause", () => {
  const model = create();
  const become = (connection) => {
    model.connection = connection;
    return spoken(model);
  };
  assert.equal(become({ kind: "live" }), "");
  assert.equal(become({ kind: "retrying" }), "lost the connection");
  assert.equal(become({ kind: "retrying", attempt: 2 }), "");
  assert.equal(become({ kind: "live" }), "connected again");
  assert.equal(become({ kind: "live" }), "");
  model.behind = { new: 26, errors: 2 };
  assert.equal(spoken(model), "26 new, 2 errors");
  assert.equal(spoken(model), "");
  model.behind.new = 27;
  assert.equal(spoken(model), "27 new, 2 errors");
  assert.equal(become({ kind: "ended", text: "stopped" }), "the stream has ended");
  assert.equal(become({ kind: "failed", text: "not from here" }), "not from here");
});
