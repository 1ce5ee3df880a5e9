// Everything works without a mouse: after loading, the focus moves in reading order, and is restored after each dialog.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, open, publish, says, serve } from "./support.js";

/** Returns the ID or the text of what has the focus. */
const focused = (page) =>
  page.evaluate(() => {
    const { id, textContent, localName } = document.activeElement;
    return localName === "body" ? "" : id || textContent.trim();
  });
const isFocused = (page, what) =>
  page.waitForFunction((it) => [document.activeElement.id, document.activeElement.textContent.trim()].includes(it), what);

async function shown() {
  const server = await serve();
  const id = await connect(server);
  await publish(server, id,
    { message: "begins", operation: "build", progress: { current: 1, total: 3 } },
    ...Array.from({ length: 60 }, (_, at) => `line ${at} end`),
    { message: "cannot read", level: "error", operation: "build" },
  );
  const page = await open(server, id);
  await says(page, "cannot read");
  return { server, id, page };
}

/** Presses a key until the focus has been everywhere; returns the stops and their places, from the top of the screen on. */
async function tour(page, key) {
  const stops = [];
  let begin = 0;
  for (;;) {
    await page.keyboard.press(key);
    const stop = await page.evaluate(() => {
      const { id, textContent, localName } = document.activeElement;
      const { left, top, width, height } = document.activeElement.getBoundingClientRect();
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return { name: localName === "body" ? "" : id || textContent.trim(), left, middle: top + height / 2, width, outline: `${outlineStyle} ${outlineWidth}` };
    });
    if (stops.some(({ name }) => name === stop.name)) return [...stops.slice(begin), ...stops.slice(0, begin)];
    if (stop.name === "") begin = stops.length;
    else stops.push(stop);
  }
}

const isBefore = (one, other) => (Math.abs(one.middle - other.middle) < 10 ? one.left < other.left : one.middle < other.middle);
/** Fails unless the stops are in the order of the screen. */
const areInOrder = (stops) => stops.slice(1).forEach((it, at) => assert.ok(isBefore(stops[at], it), `${stops[at].name}, ${it.name}`));

const ORDER = [
  "copy-id", "copy-link", "menu-button", "Cancel…", "search", "previous-hit", "next-hit", "filter", "level", "times", "wrap",
  "detail", "list", "pause", "help",
];

test("Tab moves in the order of the screen, and each stop is visible", async () => {
  const { page } = await shown();
  const stops = await tour(page, "Tab");
  assert.deepEqual(stops.map(({ name }) => name), ORDER);
  areInOrder(stops);
  for (const { name, width, outline } of stops) assert.ok(width > 0 && outline === "solid 2px", `${name} ${outline}`);
  const back = await tour(page, "Shift+Tab");
  assert.deepEqual(back.map(({ name }) => name).toReversed(), ORDER);
});

test("on a narrow screen Tab moves in order, too, with the search open", async () => {
  const { page } = await shown();
  await page.setViewportSize({ width: 320, height: 640 });
  await page.getByRole("button", { name: "Search", exact: true }).press("Enter");
  const stops = await tour(page, "Tab");
  areInOrder(stops);
  const names = stops.map(({ name }) => name);
  for (const it of ["menu-button", "search", "list", "pause"]) assert.ok(names.includes(it), it);
});

test("reading, searching, filtering, opening and closing work by keys alone and restore the focus", async () => {
  const { page } = await shown();
  assert.equal(await focused(page), "");
  await page.keyboard.press("k");
  await page.getByRole("option", { name: /line 59 end/, selected: true }).waitFor();
  await page.keyboard.press("Enter");
  const message = page.getByRole("dialog", { name: "Message" });
  await message.getByText("line 59 end").waitFor();
  await page.keyboard.press("Enter");
  await message.getByText("line 58 end").waitFor();
  await isFocused(page, "Previous");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await message.getByText("line 59 end").waitFor();
  await page.keyboard.press("Escape");
  await message.waitFor({ state: "hidden" });
  await page.waitForFunction(() => document.activeElement === document.body);

  await page.keyboard.press("/");
  await isFocused(page, "search");
  await page.keyboard.type("line 3");
  await page.locator("#hits", { hasText: /^11$/ }).waitFor();
  await page.keyboard.press("Enter");
  await isFocused(page, "list");
  await page.getByRole("option", { name: /line 3 end/, selected: true }).waitFor();
  await page.keyboard.press("n");
  await page.getByRole("option", { name: /line 30 end/, selected: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator("#hits", { hasText: /^$/ }).waitFor({ state: "attached" });
  await isFocused(page, "list");

  await page.keyboard.press("&");
  await isFocused(page, "filter");
  await page.keyboard.type("7 end$");
  await says(page, "shown 6 ·");
  await page.keyboard.press("Escape");
  await isFocused(page, "list");
  assert.deepEqual(page.errors, []);
});

test("menu, help and questions restore the focus", async () => {
  const { page } = await shown();
  for (const start of ["menu-button", "list"]) {
    await page.locator(`#${start}`).focus();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await isFocused(page, start);
    await page.keyboard.press("x");
    await isFocused(page, "Keep running");
    await page.keyboard.press("Enter");
    await isFocused(page, start);
  }
  await page.locator("#menu-button").press("Enter");
  await isFocused(page, "Copy the client ID");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await page.keyboard.press("Escape");
  await isFocused(page, "menu-button");
  await page.getByRole("button", { name: "Cancel…" }).press("Enter");
  await isFocused(page, "Keep running");
  await page.keyboard.press("Escape");
  await isFocused(page, "Cancel…");
  assert.deepEqual(page.errors, []);
});

test("an open menu receives the keys, wherever the focus is", async () => {
  const { page } = await shown();
  await page.locator("#menu-button").press("Enter");
  await isFocused(page, "Copy the client ID");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("ArrowDown");
  await isFocused(page, "Copy the client ID");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("Escape");
  await page.getByRole("menu").waitFor({ state: "hidden" });
});

test("a dialog keeps the focus inside", async () => {
  const { page } = await shown();
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Message" }).waitFor();
  for (let at = 0; at < 12; at += 1) {
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("dialog") !== null));
  }
});

test("a second Ctrl+F is the browser's own", async () => {
  const { page } = await shown();
  await page.evaluate(() => document.addEventListener("keydown", (it) => (globalThis.isTaken = it.defaultPrevented)));
  await page.keyboard.press("Control+f");
  await isFocused(page, "search");
  assert.equal(await page.evaluate(() => globalThis.isTaken), true);
  await page.keyboard.press("Control+f");
  assert.equal(await page.evaluate(() => globalThis.isTaken), false);
});
