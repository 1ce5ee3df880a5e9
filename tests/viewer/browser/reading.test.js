// Messages stay in place while they are read; keys, search and filter do what the pane's do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, open, publish, says, see, serve } from "./support.js";

const lines = (from, to) => Array.from({ length: to - from }, (_, at) => `line ${from + at} end`);

/** Returns the rows on screen, with their places. */
const rows = (page) =>
  page.locator(".row").evaluateAll((all) =>
    all.map((it) => ({ text: it.querySelector(".text").textContent, top: Math.round(it.getBoundingClientRect().top) })),
  );

test("the list follows, pauses and counts new messages, and visible messages do not move", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, ...lines(0, 500));
  await says(page, "line 499 end");
  await page.keyboard.press("Space");
  await page.keyboard.press("k");
  await says(page, "paused");
  const before = await rows(page);
  await publish(server, id, ...lines(500, 5500), { message: "broken", level: "error" });
  await page.getByRole("button", { name: "↓ 5,001 new, 1 error" }).waitFor();
  const after = await rows(page);
  for (const { text, top } of before.filter((it) => it.top > 150 && it.top < 500)) {
    const same = after.find((it) => it.text === text);
    assert.equal(same?.top, top, text);
  }
  await page.keyboard.press("G");
  await says(page, "broken");
  assert.ok((await page.locator("*").count()) < 1500);
  assert.deepEqual(page.errors, []);
});

test("a search finds hits, moves forward and back, and marks without elements of its own", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, ...lines(0, 300));
  await says(page, "line 299 end");
  await page.keyboard.press("/");
  await page.keyboard.type("line 4");
  await page.locator("#hits", { hasText: "11" }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator("#hits", { hasText: "1/11" }).waitFor();
  await page.keyboard.press("N");
  await page.locator("#hits", { hasText: "11/11" }).waitFor();
  await says(page, "line 49 end");
});

test("a filter shows matching messages, also later ones, and a level those that are at least as severe", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, ...lines(0, 100));
  await says(page, "line 99 end");
  await page.getByLabel("Filter", { exact: true }).fill("7 end$");
  await says(page, "shown 10 · filtered 90");
  await publish(server, id, "line 107 end", "line 108 end");
  await says(page, "shown 11 · filtered 91");
  await page.getByLabel("Filter", { exact: true }).fill("");
  await says(page, "filtered 0");
  await publish(server, id, { message: "bad", level: "error" });
  await page.getByLabel("Filter", { exact: true }).press("Escape");
  await page.keyboard.press("5");
  await says(page, "shown 1 ·");
});

test("a pattern that takes too long is removed, and the page continues", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, `${"a".repeat(60)}!`);
  await says(page, "received 1");
  await page.getByLabel("Search", { exact: true }).fill("(a+)+$");
  await says(page, "this pattern is too slow");
  await publish(server, id, "still here");
  await says(page, "still here");
});

test("one message is shown whole, by the keyboard alone", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, { message: "two\nlines", fields: { repo: "demo" }, operation: "build" });
  await says(page, "lines");
  await page.keyboard.press("p");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Message" });
  await dialog.getByText('"repo": "demo"').waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
});

test("publishers are asked for detail, and to cancel after a question", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, { message: "x", operation: "build" });
  await says(page, "build");
  await page.keyboard.press("x");
  const dialog = page.getByRole("dialog", { name: /cancel build/ });
  await dialog.getByRole("button", { name: "Keep running" }).press("Enter");
  await dialog.waitFor({ state: "hidden" });
  await page.keyboard.press("D");
  await says(page, "publishers were asked for debug detail");
});

test("on a narrow screen nothing scrolls sideways", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id, { width: 320, height: 600 });
  await publish(server, id, { message: "word ".repeat(60), operation: "refresh-repository", level: "error" });
  await says(page, "received 1");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
  assert.deepEqual(page.errors, []);
});

test("a link to a message opens paused there, or says that it is gone", async () => {
  const server = await serve(["--log-messages", "300"]);
  const id = await connect(server);
  await publish(server, id, ...lines(0, 500));
  const page = await open(server, `${id}/333`);
  await says(page, "paused");
  await page.getByRole("option", { name: /line 332 end/, selected: true }).waitFor();
  const gone = await open(server, `${id}/7`);
  await says(gone, "message 7 is gone");
});

test("a hidden page gives up its connection once five others were looked at, and continues by itself", async () => {
  const server = await serve();
  const id = await connect(server);
  const first = await open(server, id);
  await says(first, "Nothing has come yet");
  await see(first, "hidden");
  let last = first;
  for (let at = 0; at < 6; at += 1) {
    // The seventh would wait forever if the first still had its connection.
    last = await first.context().newPage();
    await last.goto(`${server.url}/#${id}`);
    await says(last, "● live");
    if (at === 4) await says(first, "asleep while other tabs are looked at");
    if (at < 5) await see(last, "hidden");
  }
  await publish(server, id, "to all");
  await says(last, "to all");
  await see(last, "hidden");
  await see(first, "visible");
  await says(first, "to all");
  assert.deepEqual(first.errors, []);
});

test("a filter that hangs at a later message is removed too, and old messages do not count as new", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, ...lines(0, 50));
  await says(page, "line 49 end");
  await page.keyboard.press("p");
  await page.getByLabel("Filter", { exact: true }).fill("(n+)+d$");
  await says(page, "shown 50 ·");
  assert.equal(await page.locator("#follow").textContent(), "↓ Follow");
  await publish(server, id, `${"n".repeat(60)}!`);
  await says(page, "this pattern is too slow");
  await says(page, "filtered 0");
});

test("a search works by the keyboard alone, and a question names an operation safely", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, ...lines(0, 30), { message: "x", operation: "deploy\u202egpj.exe" });
  await says(page, "deploy<U+202E>gpj.exe");
  await page.keyboard.press("/");
  await page.keyboard.type("line 2");
  await page.locator("#hits", { hasText: "11" }).waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("n");
  await page.locator("#hits", { hasText: "2/11" }).waitFor();
  await page.keyboard.press("x");
  await page.getByRole("dialog", { name: "Ask publishers to cancel deploy<U+202E>gpj.exe?" }).waitFor();
});

test("the worker that was prepared for a search stays during a new layout", async () => {
  const server = await serve();
  const page = await open(server, await connect(server));
  await says(page, "● live");
  await page.getByLabel("Search", { exact: true }).focus();
  const worker = page.workers()[0] ?? (await page.waitForEvent("worker"));
  await page.setViewportSize({ width: 800, height: 500 });
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  await page.getByLabel("Search", { exact: true }).fill("none");
  await page.locator("#hits", { hasText: "0" }).waitFor();
  assert.deepEqual(page.workers(), [worker]);
});

test("a message that is filtered out is neither opened nor copied, and no message is skipped", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  const level = "error";
  await publish(server, id, { message: "first", level }, { message: "hidden" }, { message: "second", level }, { message: "also hidden" });
  await says(page, "received 4");
  await page.keyboard.press("k");
  await page.locator(".row.focus", { hasText: "second" }).waitFor();
  await page.keyboard.press("k");
  await page.locator(".row.focus", { hasText: "hidden" }).waitFor();
  await page.keyboard.press("5");
  await says(page, "shown 2");
  await page.locator(".row.focus", { hasText: "second" }).waitFor();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Message" });
  const shows = (text) => dialog.locator("dd").first().getByText(text, { exact: true }).waitFor();
  await shows("second");
  await dialog.getByText("Next").click();
  await shows("second");
  await publish(server, id, { message: "third", level }, { message: "fourth", level });
  await says(page, "shown 4");
  await dialog.getByText("Next").click();
  await shows("third");
  await dialog.getByText("Next").click();
  await shows("fourth");
  await page.getByText("paused,").waitFor();
  assert.deepEqual(page.errors, []);
});

test("a tab that is reloaded repeatedly counts as one other tab, also after another address", async () => {
  const server = await serve();
  const id = await connect(server);
  const first = await open(server, id);
  await says(first, "Nothing has come yet");
  await see(first, "hidden");
  await first.evaluate(() => {
    window.names = [];
    new BroadcastChannel("codechat").onmessage = ({ data }) => window.names.push(data);
  });
  const other = await first.context().newPage();
  await other.goto(`${server.url}/#${id}`);
  for (let at = 0; at < 7; at += 1) {
    await says(other, "● live");
    if (at % 2) await other.evaluate((it) => (location.hash = it), `${id}/${at}`);
    await other.reload();
  }
  await first.waitForFunction(() => window.names.length === 8);
  assert.equal(new Set(await first.evaluate(() => window.names)).size, 1);
  await publish(server, id, "to both");
  await says(first, "to both");
  assert.deepEqual([await first.evaluate(() => localStorage.length + sessionStorage.length), first.errors], [0, []]);
});

test("a duplicated tab gets a name of its own", async () => {
  const server = await serve();
  const id = await connect(server);
  const first = await open(server, id);
  await says(first, "● live");
  const name = await first.evaluate(() => history.state);
  const copy = await first.context().newPage();
  await copy.goto(`${server.url}/#${id}`);
  await says(copy, "● live");
  await copy.evaluate((it) => history.replaceState(it, ""), name);
  await copy.reload();
  await first.waitForFunction((it) => history.state !== it, name);
  assert.equal(await copy.evaluate(() => history.state), name);
});
