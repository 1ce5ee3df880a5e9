// On a phone's screen: operations take one line, fields can be opened, and nothing scrolls sideways.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, open, publish, says, serve } from "./support.js";

/** Opens a page of 320 px with two operations; returns it with checks that hold whatever is open. */
async function narrow() {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id, { width: 320, height: 568 });
  const step = (operation, current) => ({ message: `at ${current}`, operation, progress: { current, total: 120, unit: "files" } });
  await publish(server, id, step("refresh-repo", 48), step("a-name-that-is-longer-than-a-line-of-it", 24));
  await page.getByText("+1 ▾").waitFor();
  const fits = async () => {
    const outside = await page.evaluate(() => {
      const isOutside = (it) => it.getBoundingClientRect().right > 320 && getComputedStyle(it).visibility === "visible";
      return [...document.querySelectorAll("header *, footer *, main *")].filter(isOutside).map((it) => it.outerHTML.slice(0, 80));
    });
    assert.deepEqual(outside, []);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
  };
  return { server, id, page, fits };
}

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

test("operations take one line, which unfolds to all their details", async () => {
  const { page, fits } = await narrow();
  const lines = page.locator(".operation");
  assert.deepEqual(await lines.locator(".facts").allTextContents(), ["40 %"]);
  assert.equal(await page.getByRole("progressbar", { name: "refresh-repo" }).count(), 1);
  assert.ok((await lines.first().boundingBox()).height <= 32);
  await fits();
  await press(page, "All operations");
  await page.getByRole("button", { name: "All operations", expanded: true }).getByText("▴").waitFor();
  assert.equal(await lines.count(), 2);
  assert.match(await lines.last().locator(".facts").textContent(), /^24\/120 files · 20 %/);
  assert.equal(await page.getByRole("button", { name: "Cancel…" }).count(), 2);
  await fits();
  await press(page, "All operations");
  await page.getByText("+1 ▾").waitFor();
  assert.deepEqual(page.errors, []);
});

test("on a wide screen four operations are shown, and the others are unfolded", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, ...[1, 2, 3, 4, 5, 6].map((it) => ({ message: "at work", operation: `part-${it}` })));
  await page.getByText("+2 ▾").waitFor();
  assert.equal(await page.locator(".operation").count(), 4);
  await press(page, "All operations");
  await page.getByText("▴").waitFor();
  assert.equal(await page.locator(".operation").count(), 6);
});

test("new messages during a pause are a button in the footer, which follows again", async () => {
  const { server, id, page, fits } = await narrow();
  await press(page, "Pause");
  await says(page, "paused ·");
  const height = (await page.locator("footer").boundingBox()).height;
  const news = Array.from({ length: 26 }, (_, at) => ({ message: `news ${at}`, level: at < 2 ? "error" : "info" }));
  await publish(server, id, ...news);
  await page.getByRole("button", { name: "↓ 26 new, 2 errors" }).waitFor();
  await fits();
  assert.equal((await page.locator("footer").boundingBox()).height, height);
  await page.getByRole("button", { name: "↓ 26 new, 2 errors" }).click();
  await says(page, "news 25");
  await page.getByText("paused").waitFor({ state: "hidden" });
  // Nothing to press moves away because a pause takes more room.
  assert.equal((await page.locator("footer").boundingBox()).height, height);
});

test("Search and Filter open their fields, one at a time, and close them", async () => {
  const { page, fits } = await narrow();
  const [search, filter] = ["Search", "Filter"].map((it) => page.getByLabel(it, { exact: true }));
  assert.ok(!(await search.isVisible()));
  await press(page, "Search");
  await page.keyboard.type("at 4");
  await page.locator("#hits", { hasText: "1" }).waitFor();
  assert.ok(!(await filter.isVisible()));
  await fits();
  await press(page, "Filter");
  await page.keyboard.type("at 2");
  await says(page, "at 24");
  await page.getByText("at 48").waitFor({ state: "hidden" });
  assert.ok(!(await search.isVisible()));
  await fits();
  assert.equal(await page.getByRole("button", { name: "Filter", expanded: true }).count(), 1);
  await press(page, "Filter");
  assert.ok(!(await filter.isVisible()));
  await page.keyboard.press("/");
  assert.equal(await search.inputValue(), "at 4");
  await page.keyboard.press("Escape");
  await search.waitFor({ state: "hidden" });
  assert.deepEqual(page.errors, []);
});

test("the lines to paste are completely visible, and so is the search below a hundred unfolded operations", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id, { width: 320, height: 568 });
  const isWhole = (selector) =>
    page.locator(selector).evaluate((it) => {
      const { top, bottom } = it.getBoundingClientRect();
      const within = it.closest("main, header").getBoundingClientRect();
      return it.scrollHeight <= it.clientHeight && top >= within.top && bottom <= within.bottom;
    });
  await says(page, "Nothing has come yet");
  assert.ok(await isWhole("#empty"));
  await publish(server, id, ...Array.from({ length: 100 }, (_, at) => ({ message: "at work", operation: `part-${at}` })));
  await page.getByText("+99 ▾").waitFor();
  await press(page, "Search");
  await press(page, "All operations");
  await page.getByText("▴").waitFor();
  assert.ok(await isWhole("#tools"));
  const [list, header] = await Promise.all([page.locator("#list").boundingBox(), page.locator("header").boundingBox()]);
  assert.ok(list.height >= 100 && header.height <= 568 / 2 + 1, `${list.height} ${header.height}`);
});
