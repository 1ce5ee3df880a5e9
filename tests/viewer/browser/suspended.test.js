// A page that the browser suspends, frozen or in the back/forward cache, continues where it was: nothing is lost, and
// nothing is shown twice. The browser is started as for users: playwright's options never hide or cache a page.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { before, connect, launchPlain, openIn, publish, says, serve } from "./support.js";

const lines = (from, to) => Array.from({ length: to - from }, (_, at) => `line ${from + at} end`);

/** Opens a page with one message, and another tab. */
async function shown(server, id) {
  const context = await launchPlain();
  const page = await openIn(context, `${server.url}/#${id}`);
  await says(page, "Nothing has come yet");
  await publish(server, id, "line 0 end");
  await says(page, "line 0 end");
  return { context, page };
}

/** Waits until the page has exactly `count` messages, in order. */
async function hasLines(page, count) {
  await says(page, `received ${count.toLocaleString("en")} · shown ${count.toLocaleString("en")} · filtered 0 · lost 0`);
  const texts = await page.locator(".row:not(.system)").evaluateAll((all) => {
    const place = (it) => Number(it.ariaPosInSet);
    return all.sort((one, other) => place(one) - place(other)).map((it) => it.querySelector(".text").textContent);
  });
  assert.deepEqual(texts, lines(count - texts.length, count));
}

/** Freezes a page, as browsers do after it has been hidden for long. */
async function freeze(context, page) {
  const devtools = await context.newCDPSession(page);
  await page.evaluate(() => {
    globalThis.steps = 0;
    setInterval(() => (globalThis.steps += 1), 10);
    document.addEventListener("freeze", () => (globalThis.isFrozen = true));
  });
  const other = await openIn(context, "about:blank");
  await other.bringToFront();
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  const steps = () => page.evaluate(() => globalThis.steps);
  const begun = await steps();
  assert.ok(await page.evaluate(() => globalThis.isFrozen && document.hidden));
  return async ({ isLookedAt = true } = {}) => {
    assert.equal(await steps(), begun);
    await devtools.send("Page.setWebLifecycleState", { state: "active" });
    await page.waitForFunction((it) => globalThis.steps > it, begun, { polling: 10 });
    if (isLookedAt) await page.bringToFront();
  };
}

/** Starts a proxy that records where each stream begins and when it ends, and can cut all of them. */
async function tapped(server) {
  const streams = [];
  const proxy = await before(server, ({ url, headers, socket }) => {
    if (url.includes("format=json")) streams.push({ cursor: headers["last-event-id"], socket, isOver: once(socket, "close") });
    return undefined;
  });
  return { url: proxy.url, streams, cut: () => streams.forEach(({ socket }) => socket.destroy()) };
}

const CURSOR = /^\d+-\d+$/;

test("a frozen page continues with the messages received meanwhile", async () => {
  const server = await serve();
  const id = await connect(server);
  const { context, page } = await shown(server, id);
  const thaw = await freeze(context, page);
  await publish(server, id, ...lines(1, 500));
  await thaw();
  await hasLines(page, 500);
  await publish(server, id, "line 500 end");
  await hasLines(page, 501);
  assert.deepEqual(page.errors, []);
});

test("a frozen page whose connection was cut resumes by its cursor", async () => {
  const server = await serve();
  const id = await connect(server);
  const tap = await tapped(server);
  const { context, page } = await shown(tap, id);
  const thaw = await freeze(context, page);
  await publish(server, id, ...lines(1, 300));
  tap.cut();
  await publish(server, id, ...lines(300, 500));
  assert.equal(tap.streams.length, 1);
  await thaw();
  await hasLines(page, 500);
  await publish(server, id, "line 500 end");
  await hasLines(page, 501);
  for (const { cursor } of tap.streams.slice(1)) assert.match(cursor, CURSOR);
  assert.deepEqual(page.errors, []);
});

test("a frozen page that had given up its connection opens none before it is looked at", async () => {
  const server = await serve();
  const id = await connect(server);
  const tap = await tapped(server);
  const { context, page } = await shown(tap, id);
  const [first] = tap.streams;
  for (let at = 0; at < 5; at += 1) {
    const other = await openIn(context, `${tap.url}/#${id}`);
    await other.bringToFront();
    await says(other, "line 0 end");
  }
  await first.isOver;
  const thaw = await freeze(context, page);
  await publish(server, id, ...lines(1, 100));
  const begun = tap.streams.length;
  await thaw({ isLookedAt: false });
  assert.equal(tap.streams.length, begun);
  await page.bringToFront();
  await hasLines(page, 100);
  assert.match(tap.streams.at(-1).cursor, CURSOR);
  assert.deepEqual(page.errors, []);
});

test("messages that the server has dropped when a page thaws are reported with their number", async () => {
  const server = await serve(["--log-messages", "100"]);
  const id = await connect(server);
  const tap = await tapped(server);
  const { context, page } = await shown(tap, id);
  const thaw = await freeze(context, page);
  tap.cut();
  await publish(server, id, ...lines(1, 500));
  await thaw();
  await says(page, "received 101 · shown 101 · filtered 0 · lost 399");
  await page.keyboard.press("g");
  await says(page, "-- 399 messages lost (2–400) --");
  assert.deepEqual(page.errors, []);
});

/** Goes to another address of the server and back; returns the IDs after which the page resumed. */
async function awayAndBack(server, page, meanwhile) {
  await page.evaluate(() => addEventListener("pageshow", ({ persisted }) => (globalThis.isBack = persisted)));
  const asked = [];
  page.on("request", (it) => it.url().includes("format=json") && asked.push(it.headers()["last-event-id"]));
  await page.goto(`${server.url}/healthz`);
  await meanwhile();
  await page.goBack({ waitUntil: "commit" });
  const reasons = await page.evaluate(() => JSON.stringify(performance.getEntriesByType("navigation")[0].notRestoredReasons));
  assert.ok(await page.evaluate(() => globalThis.isBack), reasons);
  return asked;
}

test("a page that comes back from the cache resumes by its cursor", async () => {
  const server = await serve();
  const id = await connect(server);
  const { page } = await shown(server, id);
  const asked = await awayAndBack(server, page, () => publish(server, id, ...lines(1, 500)));
  await hasLines(page, 500);
  await publish(server, id, "line 500 end");
  await hasLines(page, 501);
  assert.equal(asked.length, 1);
  assert.match(asked[0], CURSOR);
  assert.deepEqual(page.errors, []);
});

test("a page from the cache resumes after many messages, and after another page was looked at", async () => {
  const server = await serve(["--log-bytes", "64MiB"]);
  const id = await connect(server);
  const { context, page } = await shown(server, id);
  await page.getByLabel("Filter", { exact: true }).fill("end$");
  await awayAndBack(server, page, async () => {
    // More than a browser receives for a page in its cache.
    for (let at = 0; at < 40; at += 1) await publish(server, id, `${"x".repeat(60_000)} big`);
    await publish(server, id, "line 1 end");
    const other = await openIn(context, `${server.url}/#${id}`);
    await says(other, "line 1 end");
    await other.close();
  });
  await says(page, "received 42 · shown 2 · filtered 40 · lost 0");
  assert.deepEqual(page.errors, []);
});
