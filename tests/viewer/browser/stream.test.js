// The page shows a stream: messages, losses, its end, and what to do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, kill, open, publish, says, serve } from "./support.js";

test("a new page gets an ID, says what to do with it, and shows messages", async () => {
  const server = await serve();
  const page = await open(server);
  await says(page, "Nothing has come yet");
  const id = new URL(page.url()).hash.slice(1);
  assert.match(id, /^[0-9a-f-]{36}$/);
  await says(page, `codechat send --id ${id} --server ${server.url} hello`);
  await publish(server, id, { message: "Processed file 3 of 120", level: "warn", operation: "refresh" });
  const row = page.getByRole("option", { name: /warn, .*refresh, Processed file 3 of 120/ });
  await row.waitFor();
  await says(page, "received 1 · shown 1 · filtered 0 · lost 0");
  assert.deepEqual(page.errors, []);
});

test("an operation has a gauge with its figures, and its end is shown", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, { message: "a", operation: "build", progress: { current: 3, total: 12, unit: "files" } });
  const gauge = page.getByRole("progressbar", { name: "build" });
  await gauge.waitFor();
  assert.match(await gauge.getAttribute("aria-valuetext"), /^3\/12 files · 25 %/);
  await publish(server, id, { message: "b", operation: "build", outcome: "failed" });
  await page.locator(".operation .told", { hasText: "failed" }).waitFor();
  assert.equal(await page.title(), "failed · codechat");
  assert.deepEqual(page.errors, []);
});

test("lost messages are reported with their number", async () => {
  const server = await serve(["--log-messages", "10"]);
  const id = await connect(server);
  await publish(server, id, ...Array.from({ length: 30 }, (_, at) => `line ${at}`));
  const page = await open(server, id);
  await says(page, "-- 20 older messages are no longer held --");
  await says(page, "line 29");
});

test("an outage of the server is shown, and the stream continues", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, "before");
  await says(page, "before");
  await kill(server);
  await says(page, "reconnecting, try");
  const again = await serve([], server.port);
  await says(page, "the server restarted; messages may be lost");
  await publish(again, id, "after");
  await says(page, "after");
  await says(page, "lost ?");
});

test("an end is shown with its reason, and the messages stay", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, "kept");
  await says(page, "kept");
  await fetch(`${server.url}/api/v1/sse/debug/stop/${id}`, { method: "POST" });
  await says(page, "■ ended (stopped)");
  await says(page, "-- stopped --");
  assert.ok(await page.getByText("kept").isVisible());
});

test("an invalid client ID is reported and never requested", async () => {
  const server = await serve();
  const page = await open(server, "<img src=x>");
  await says(page, "is no client ID");
});

test("a token is asked for, sent, and kept in memory alone", async () => {
  const { mkdtemp, writeFile } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const folder = await mkdtemp(`${tmpdir()}/viewer-`);
  await writeFile(`${folder}/token`, "s3cret", { mode: 0o600 });
  const server = await serve(["--token-file", `${folder}/token`]);
  const page = await open(server);
  const field = page.getByLabel("Token", { exact: true });
  await field.fill("s3cret");
  await field.press("Enter");
  await says(page, "Nothing has come yet");
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0);
  assert.ok(!page.url().includes("s3cret"));
});

test("reconnecting keeps all messages, also those that the server has dropped", async () => {
  const server = await serve(["--log-messages", "5"]);
  const id = await connect(server);
  const page = await open(server, id);
  await says(page, "Nothing has come yet");
  for (let at = 0; at < 20; at += 1) await publish(server, id, `line ${at} end`);
  await says(page, "received 20 ·");
  await page.keyboard.press("r");
  await says(page, "● live");
  await publish(server, id, "after");
  await says(page, "received 21 · shown 21 · filtered 0 · lost 0");
  assert.ok(await page.getByText("line 3 end").isVisible());
});

test("another ID in the address shows that client alone", async () => {
  const server = await serve();
  const [one, other] = [await connect(server), await connect(server)];
  await publish(server, one, ...Array.from({ length: 20 }, (_, at) => `one ${at}`));
  await publish(server, other, ...Array.from({ length: 20 }, (_, at) => `other ${at}`));
  const page = await open(server, one);
  for (const [id, text] of [[other, "other 19"], [one, "one 19"], [other, "other 19"]]) {
    await page.evaluate((it) => (location.hash = it), id);
    await says(page, text);
    const texts = await page.locator(".row.message, .row:not(.system)").allTextContents();
    const name = text.split(" ")[0];
    assert.ok(texts.every((it) => new RegExp(`${name} \\d+`).test(it)), texts.join("\n"));
  }
  assert.deepEqual(page.errors, []);
});
