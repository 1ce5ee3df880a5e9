// Many messages at once: all are counted, few elements are made, and dropped messages are reported.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, open, publish, says, serve } from "./support.js";

test("five thousand messages a second are all received, with few elements", async () => {
  const server = await serve(["--log-messages", "50000", "--log-bytes", "64MiB"]);
  const id = await connect(server);
  const page = await open(server, id);
  await says(page, "Nothing has come yet");
  for (let batch = 0; batch < 10; batch += 1) {
    const lines = Array.from({ length: 2000 }, (_, at) => `message ${batch * 2000 + at} of a flood`);
    await publish(server, id, ...lines);
    if (batch === 4) await page.keyboard.press("Space");
  }
  await says(page, "received 20,000 ·");
  await says(page, "lost 0");
  assert.ok((await page.locator("*").count()) < 1500);
  assert.deepEqual(page.errors, []);
});

test("messages beyond the bound are dropped and counted", async () => {
  const server = await serve(["--log-messages", "250000", "--log-bytes", "256MiB"]);
  const id = await connect(server);
  for (let batch = 0; batch < 21; batch += 1) {
    await publish(server, id, ...Array.from({ length: 10_000 }, (_, at) => `m ${batch * 10_000 + at}`));
  }
  const page = await open(server, id);
  await page.getByText("received 210,000 ·").waitFor({ timeout: 60_000 });
  await says(page, "fell off 10,001");
  await page.keyboard.press("g");
  await says(page, "m 10000");
  assert.deepEqual(page.errors, []);
});

test("a pattern that takes too long is removed while messages arrive", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, `${"a".repeat(60)}!`);
  await says(page, "received 1");
  await page.getByLabel("Search", { exact: true }).fill("(a+)+$");
  let isOver = false;
  const told = says(page, "this pattern is too slow").finally(() => (isOver = true));
  while (!isOver) await publish(server, id, "and more");
  await told;
  assert.deepEqual(page.errors, []);
});
