// Over HTTP/2 all pages share one connection, so that none closes its stream.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, openIn, says, see, serveSecurely } from "./support.js";

test("over HTTP/2 a hidden page keeps its stream, however many others are looked at", async () => {
  const server = await serveSecurely();
  const first = await open(server);
  await says(first, "● live");
  assert.equal(await first.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol), "h2");
  await see(first, "hidden");
  for (let at = 0; at < 7; at += 1) {
    const other = await openIn(first.context(), server.url);
    await says(other, "● live");
    await see(other, "hidden");
  }
  // Over HTTP/1.1 the first page would be asleep by now. A hidden page is not drawn, so it is shown first.
  const states = [];
  await first.exposeFunction("told", (text) => states.push(text));
  await first.evaluate(() => {
    const state = document.getElementById("state");
    new MutationObserver(() => window.told(state.textContent)).observe(state, { childList: true, characterData: true, subtree: true });
  });
  let asked = 0;
  first.on("request", () => (asked += 1));
  await see(first, "visible");
  await says(first, "● live");
  assert.equal(asked, 0);
  assert.deepEqual(states.filter((it) => !it.startsWith("● live")), []);
  assert.deepEqual(first.errors, []);
});

test("over HTTP/2 eight pages show messages at once", async () => {
  const server = await serveSecurely();
  const first = await open(server);
  await says(first, "Nothing has come yet");
  const pages = [first];
  for (let at = 0; at < 7; at += 1) pages.push(await openIn(first.context(), first.url()));
  for (const page of pages) await says(page, "● live");
  const status = await first.evaluate(async () => {
    const path = `api/v1/sse/debug/${location.hash.slice(1)}`;
    return (await fetch(path, { method: "POST", body: "to all" })).status;
  });
  assert.ok(status < 300, String(status));
  for (const page of pages) {
    await page.getByRole("option", { name: /to all/ }).waitFor();
    assert.deepEqual(page.errors, []);
  }
  const protocols = await first.evaluate(() => performance.getEntriesByType("resource").map((it) => it.nextHopProtocol));
  assert.deepEqual([...new Set(protocols)], ["h2"]);
});
