// On a phone, 320 px wide: a finger scrolls, selects and presses, nothing moves sideways, and no field zooms the page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, open, publish, says, serve } from "./support.js";

const SIZE = { width: 320, height: 640 };
const PHONE = { hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
/** The smallest side of a target for a finger, in px (WCAG 2.2, 2.5.8). */
const TARGET = 24;

async function shown(...messages) {
  const server = await serve();
  const id = await connect(server);
  await publish(server, id, ...Array.from({ length: 200 }, (_, at) => `line ${at} end`), ...messages, "the last one");
  const page = await open(server, id, SIZE, PHONE);
  await says(page, "the last one");
  return { server, id, page, finger: await page.context().newCDPSession(page) };
}

/** Swipes over the list, from one height to another. */
async function swipe(finger, from, to) {
  const touch = (type, ...touchPoints) => finger.send("Input.dispatchTouchEvent", { type, touchPoints });
  await touch("touchStart", { x: 160, y: from });
  const steps = 12;
  for (let step = 1; step <= steps; step += 1) await touch("touchMove", { x: 160, y: from + ((to - from) * step) / steps });
  await touch("touchEnd");
}

/** Waits until the list has stopped. */
const rests = (page) =>
  page.evaluate(async () => {
    const list = document.getElementById("list");
    for (let last; last !== list.scrollTop; ) {
      last = list.scrollTop;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });

/** Returns the rows on screen, with their places. */
const rows = (page) =>
  page.locator(".row").evaluateAll((all) => all.map((it) => ({ text: it.textContent, top: it.getBoundingClientRect().top })));

/** Asserts that nothing is wider than the screen, and that the page is not zoomed. */
async function fits(page, what) {
  const wide = await page.evaluate(() =>
    [...document.querySelectorAll("*")]
      .filter((it) => it.checkVisibility() && !it.closest(".unseen") && !["visible", "hidden", "clip"].includes(getComputedStyle(it).overflowX))
      .filter((it) => it.scrollWidth > it.clientWidth)
      .map((it) => it.id || it.localName),
  );
  assert.deepEqual(wide, [], what);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320, what);
  assert.equal(await page.evaluate(() => visualViewport.scale), 1, what);
}

test("scrolling with a finger pauses, messages stay in place, and the end follows again", async () => {
  const { server, id, page, finger } = await shown();
  const follow = page.locator("#follow");
  const end = await page.evaluate(() => document.getElementById("list").scrollTop);
  await swipe(finger, 150, 550);
  await follow.waitFor();
  await rests(page);
  const top = await page.evaluate(() => document.getElementById("list").scrollTop);
  assert.ok(top < end - 300, `${top}, ${end}`);
  const before = (await rows(page)).filter(({ top }) => top > 150 && top < 450);
  await publish(server, id, ...Array.from({ length: 500 }, (_, at) => `more ${at}`));
  await says(page, /500 new/);
  const after = await rows(page);
  assert.ok(before.length > 3);
  for (const { text, top } of before) {
    // A browser scrolls in whole pixels of the screen.
    const moved = Math.abs(after.find((it) => it.text === text)?.top - top);
    assert.ok(moved <= 1, `${text}: ${moved}`);
  }
  await follow.tap();
  await says(page, "more 499");
  await follow.waitFor({ state: "hidden" });
  await swipe(finger, 150, 350);
  await follow.waitFor();
  // The last of them cannot scroll further: that is no press on a message, either.
  for (let at = 0; at < 4; at += 1) {
    await swipe(finger, 500, 100);
    await rests(page);
  }
  await follow.waitFor({ state: "hidden" });
  assert.deepEqual(page.errors, []);
});

test("a tap selects a message, and two taps in the menu open it", async () => {
  const { page } = await shown();
  const row = page.getByRole("option", { name: /line 198 end/ });
  await row.tap();
  await page.getByRole("option", { name: /line 198 end/, selected: true }).waitFor();
  await page.locator("#follow").waitFor();
  await page.getByRole("button", { name: "Menu" }).tap();
  await page.getByRole("menuitem", { name: /^Show the message whole/ }).tap();
  const dialog = page.getByRole("dialog", { name: "Message" });
  await dialog.getByText("line 198 end").waitFor();
  await fits(page, "message");
  await dialog.getByRole("button", { name: "Next" }).tap();
  await dialog.getByText("line 199 end").waitFor();
  await dialog.getByRole("button", { name: "Close" }).tap();
  await dialog.waitFor({ state: "hidden" });
});

/** Asserts that an element is completely on the screen, not covered, and large enough for a finger. */
async function canBePressed(one) {
  await one.scrollIntoViewIfNeeded();
  const { name, width, height, isOnTop } = await one.evaluate((it) => {
    const { left, top, right, bottom, width, height } = it.getBoundingClientRect();
    const hit = document.elementFromPoint(left + width / 2, top + height / 2);
    const isWhole = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
    return { name: it.id || it.textContent, width, height, isOnTop: isWhole && hit === it };
  });
  assert.ok(isOnTop, name);
  assert.ok(width >= TARGET && height >= TARGET, `${name}: ${width} x ${height}`);
}

test("each button is on the screen, large enough and not covered", async () => {
  const { page } = await shown({ message: "on", operation: "a-long-name-of-an-operation", progress: { current: 3, total: 7, unit: "files" } });
  for (const [opener, count] of [["Search", 8], ["Filter", 9]]) {
    await page.getByRole("button", { name: opener, exact: true }).tap();
    await fits(page, opener);
    const all = await page.locator("header, footer").locator("button:visible, input:visible, select:visible").all();
    assert.ok(all.length >= count, `${opener}: ${all.length}`);
    for (const one of all) await canBePressed(one);
  }
  await page.getByRole("button", { name: "All operations" }).tap();
  await canBePressed(page.getByRole("button", { name: "Cancel…" }));
  await page.getByRole("button", { name: "Cancel…" }).tap();
  await fits(page, "question");
  await page.getByRole("button", { name: "Keep running" }).tap();
  await page.getByRole("button", { name: "Menu" }).tap();
  await fits(page, "menu");
  for (const entry of await page.getByRole("menuitem").all()) assert.ok((await entry.boundingBox()).height >= TARGET);
  await page.getByRole("menuitem", { name: "Help" }).tap();
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await fits(page, "help");
});

test("fields have letters of 16 px, so that phones do not zoom in on them", async () => {
  const { page } = await shown();
  const sizes = await page.locator("input, select, textarea").evaluateAll((all) => all.map((it) => [it.id, parseFloat(getComputedStyle(it).fontSize)]));
  assert.ok(sizes.length >= 5);
  for (const [id, size] of sizes) assert.ok(size >= 16, `${id}: ${size}`);
  await page.getByRole("button", { name: "Search", exact: true }).tap();
  await page.getByLabel("Search", { exact: true }).tap();
  await page.keyboard.type("line 19");
  await page.locator("#hits", { hasText: /^11$/ }).waitFor();
  await page.getByRole("button", { name: "Next hit" }).tap();
  await page.getByRole("option", { name: /line 19 end/, selected: true }).waitFor();
  await fits(page, "hit");
});

test("wide text, names and numbers do not scroll sideways", async () => {
  const word = "x".repeat(400);
  const progress = { current: 123456789, total: 9_007_199_254_740_991, unit: "w".repeat(32) };
  const { page } = await shown({ message: word, level: "error", operation: word.slice(0, 128), progress, fields: { [word]: word } });
  await fits(page, "list");
  await page.keyboard.press("w");
  await fits(page, "cut");
  await page.getByRole("option", { name: /x{400}/ }).tap();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Message" }).waitFor();
  await fits(page, "message");
});
