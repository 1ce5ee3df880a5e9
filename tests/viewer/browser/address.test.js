// The fragment of the address: a malformed one is reported and never requested, and a link leads to its message.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, kill, open, publish, says, serve } from "./support.js";

test("a malformed address is reported and nothing is requested for it", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, "/abc");
  const asked = [];
  page.on("request", (it) => asked.push(it.url()));
  for (const fragment of ["x y", `${id}/0`, `${id}/abc`, "<img src=x>"]) {
    await page.evaluate((it) => (location.hash = it), fragment);
    await says(page, `■ "${encodeURI(fragment)}" is no client ID`);
  }
  assert.deepEqual(asked.filter((it) => !it.endsWith("/icon.svg")), []);
  await page.getByRole("button", { name: "New stream" }).click();
  await says(page, "Nothing has come yet");
  assert.match(new URL(page.url()).hash, /^#[0-9a-f-]{36}$/);
  assert.deepEqual(page.errors, []);
});

test("a link to a message that has not arrived yet waits for it, and opens it", async () => {
  const server = await serve();
  const id = await connect(server);
  await publish(server, id, "first");
  const page = await open(server, `${id}/3`);
  await says(page, "first");
  await says(page, "message 3 is not here yet");
  await publish(server, id, "second", "third", "fourth");
  await page.getByRole("option", { name: /third/, selected: true }).waitFor();
  await says(page, /^paused/);
});

test("another message in the address starts over with an empty page", async () => {
  const server = await serve(["--log-messages", "5"]);
  const id = await connect(server);
  const page = await open(server, id);
  await says(page, "Nothing has come yet");
  for (let at = 1; at <= 9; at += 1) await publish(server, id, `line ${at} end`);
  await says(page, "received 9 ·");
  await page.keyboard.press("?");
  await page.evaluate((it) => (location.hash = it), `${id}/8`);
  await page.getByRole("option", { name: /line 8 end/, selected: true }).waitFor();
  await says(page, "received 5 ·");
  assert.equal(await page.getByText("line 1 end").count(), 0);
  assert.ok(!(await page.getByRole("dialog", { name: "Keys" }).isVisible()));
  await page.evaluate((it) => (location.hash = it), `${id}/2`);
  await says(page, "message 2 is gone");
  assert.deepEqual(page.errors, []);
});

test("after a restart, a link does not lead to another message with the same number", async () => {
  const server = await serve();
  const id = await connect(server);
  await publish(server, id, "before");
  const page = await open(server, id);
  await says(page, "before");
  await page.keyboard.press("Space");
  await page.keyboard.press("L");
  await says(page, "copied the link to the message");
  const field = page.getByLabel("Search", { exact: true });
  await field.press("Control+v");
  const link = await field.inputValue();
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByRole("option", { name: /before/, selected: true }).waitFor();
  await kill(server);
  const next = await serve([], server.port);
  await page.reload();
  await says(page, "message 1 is not here yet");
  await publish(next, id, "after");
  await says(page, "after");
  await says(page, "message 1 is gone");
});
