// Every key has a button or an entry in the menu, and the effects of keys on the list are right without a page.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MOVES, TABLE, action } from "../../src/server/viewer/keys.js";
import { createModel, levelBy, pass, receive, relist } from "../../src/server/viewer/model.js";

const sources = new URL("../../src/server/viewer/", import.meta.url);
const page = readFileSync(new URL("index.html", sources), "utf8");
const main = readFileSync(new URL("main.js", sources), "utf8");
const onPage = [...page.matchAll(/data-does="(\w+)"/g)].map((it) => it[1]);

/** Keys for which the browser itself has a control. */
const NATIVE = {
  "the list scrolls, and a press on a message puts it in focus": ["Down", "Up", "HalfDown", "HalfUp", "PageDown", "PageUp"],
  "the field": ["Search", "Filter"],
  "the choice beside Level": ["ShowTrace", "ShowDebug", "ShowInfo", "ShowWarn"],
  "a button with the same use": ["Space"],
  "a dialog's Close, and the field's cross": ["Back"],
};

test("every key has a button, an entry in the menu, or a part of the page that does the same", () => {
  const native = Object.values(NATIVE).flat();
  const pressed = new Set(onPage);
  for (const { action, keys } of TABLE) {
    assert.notEqual(pressed.has(action), native.includes(action), `${keys} ${action}`);
  }
});

test("everything that can be pressed has an effect", () => {
  const acts = [...main.matchAll(/^  (\w+)[:,]/gm)].map((it) => it[1]);
  for (const name of [...onPage, ...TABLE.map((it) => it.action)]) {
    const isLevel = ["ShowTrace", "ShowDebug", "ShowInfo", "ShowWarn", "ShowError"].includes(name);
    assert.ok(name in MOVES || isLevel || acts.includes(name), name);
  }
});

test("an entry of the menu has the words of the key that does the same", () => {
  const entries = [...page.matchAll(/role="menuitem"[^>]*data-does="(\w+)">([^<]*)</g)].map(([, name, label]) => [name, label]);
  const does = new Map(TABLE.map((it) => [it.action, it.does]));
  // The effect of Open depends on whether the list follows, and its two texts describe it in another order.
  const withKey = entries.filter(([name]) => does.has(name) && name !== "Open");
  assert.ok(withKey.length > 15);
  for (const [name, label] of withKey) {
    assert.equal(label[0].toLowerCase() + label.slice(1), does.get(name), name);
  }
});

test("no key has two uses", () => {
  const keys = TABLE.flatMap((it) => it.keys);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(action("x"), "Cancel");
  assert.equal(action("q"), undefined);
});

/** Returns a model with messages of these levels. */
function withLevels(...levels) {
  const model = createModel({ id: "", began: 0, offset: 0 });
  levels.forEach((level, at) => {
    const message = { id: `${at + 1}-1`, seq: at + 1, time: 1, text: `line ${at + 1}`, level, system: false, data: "" };
    receive(model, { message }, at);
  });
  return model;
}

test("keys move between errors and wrap around, and say if there is none", () => {
  const model = withLevels("info", "error", "warn", "error");
  const focus = [1, 2, 3].map(() => {
    assert.equal(MOVES.NextError(model, 10), undefined);
    return model.focus;
  });
  assert.deepEqual(focus, [1, 3, 1]);
  MOVES.PreviousError(model, 10);
  assert.equal(model.focus, 3);
  assert.equal(MOVES.NextError(withLevels("info"), 10), "no error");
});

test("errors and failures are found, also from a message that is filtered out", () => {
  const model = withLevels("info", "error", "info", "error", "info");
  model.focus = 2;
  model.filter = "line [1245]";
  relist(model);
  pass(model, [0, 1, 3, 4]);
  MOVES.NextError(model, 10);
  assert.equal(model.focus, 3);
  Object.assign(model, { focus: 2 });
  MOVES.PreviousError(model, 10);
  assert.equal(model.focus, 1);
  Object.assign(model, { focus: 2 });
  MOVES.Down(model, 10);
  assert.equal(model.focus, 3);
  const message = { id: "1-1", seq: 1, time: 1, text: "x", level: undefined, outcome: "failed", system: false, data: "" };
  const failed = withLevels("info");
  receive(failed, { message }, 1);
  assert.equal(MOVES.NextError(failed, 10), undefined);
  assert.equal(failed.focus, 1);
});

test("the lowest shown level goes up and down between all and error", () => {
  const model = withLevels();
  const up = [1, 2, 3, 4, 5].map(() => (model.level = levelBy(model, 1)));
  assert.deepEqual(up, ["debug", "info", "warn", "error", "error"]);
  const down = [1, 2, 3, 4, 5].map(() => (model.level = levelBy(model, -1)));
  assert.deepEqual(down, ["warn", "info", "debug", "", ""]);
});
