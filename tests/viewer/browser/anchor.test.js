// Messages stay in place, however lines are broken and whatever is filtered, also beyond what a browser can scroll; and
// a hit is scrolled into view.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, open, publish, says, serve } from "./support.js";

const lines = (from, to) => Array.from({ length: to - from }, (_, at) => `line ${from + at} end`);
/** Waits for two frames, so that everything due has been drawn. */
const drawn = (page) => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));

/** Opens a page with these messages. */
async function shown(messages, size, flags) {
  const server = await serve(flags);
  const id = await connect(server);
  const page = await open(server, id, size);
  await says(page, "● live");
  await publish(server, id, ...messages);
  await says(page, `received ${messages.length.toLocaleString("en")}`);
  return { server, id, page };
}

/** Returns the number of the word that is first on screen. */
const topWord = (page) =>
  page.evaluate(() => {
    const { left, top } = document.getElementById("list").getBoundingClientRect();
    const row = [...document.querySelectorAll(".row")].find((it) => it.getBoundingClientRect().bottom > top + 10);
    const text = row.querySelector(".text").getBoundingClientRect();
    const at = document.caretPositionFromPoint(Math.max(left, text.left) + 2, Math.max(top, text.top) + 10);
    const behind = at.offsetNode.textContent.slice(at.offset);
    return Number(/^\w*? ?word(\d+)/.exec(behind)?.[1] ?? -1);
  });

const WORDS = Array.from({ length: 900 }, (_, at) => `word${at}`).join(" ");

test("the top message stays in place when the window, the wrapping or a column changes its width", async () => {
  const sent = [...lines(0, 50), { message: WORDS, operation: "a" }, ...lines(50, 200)];
  const { server, id, page } = await shown(sent);
  await page.keyboard.press("g");
  await page.locator("#list").evaluate((it) => (it.scrollTop = (51 + 30) * 20));
  await says(page, "paused");
  await drawn(page);
  const before = await topWord(page);
  assert.ok(before > 200, String(before));
  /** Lines begin elsewhere, and so does the list if what is above it changes its height. */
  const stays = async (what) => {
    await drawn(page);
    const now = await topWord(page);
    assert.ok(Math.abs(now - before) < 30, `${what}: word ${before}, then ${now}`);
  };
  await page.keyboard.press("w");
  await page.locator("#wrap[aria-pressed=false]").waitFor();
  await page.keyboard.press("w");
  await page.locator("#wrap[aria-pressed=true]").waitFor();
  await drawn(page);
  assert.equal(await topWord(page), before);
  await publish(server, id, { message: "x", operation: "a-longer-name" });
  await page.locator(".operation").nth(1).waitFor();
  await stays("a column for names");
  for (const width of [1600, 700, 320]) {
    await page.setViewportSize({ width, height: 600 });
    await stays(`${width} px`);
  }
  assert.deepEqual(page.errors, []);
});

test("text whose width only the browser knows stays in place, too", async () => {
  const words = Array.from({ length: 400 }, (_, at) => `wörd${at} 漢字`).join(" ");
  const { page } = await shown([...lines(0, 50), words, ...lines(50, 200)]);
  await page.keyboard.press("g");
  await page.getByText("line 49 end").waitFor({ state: "attached" }).catch(() => {});
  await page.locator("#list").evaluate((it) => (it.scrollTop = 51 * 20));
  await says(page, "wörd0 ");
  const middle = () =>
    page.evaluate(() => {
      const { top } = document.getElementById("list").getBoundingClientRect();
      const text = document.querySelector(".text.odd").getBoundingClientRect();
      return (top - text.top) / text.height;
    });
  await page.locator("#list").evaluate((it) => (it.scrollTop += 200));
  await drawn(page);
  const before = await middle();
  assert.ok(before > 0.1 && before < 0.9, String(before));
  await page.setViewportSize({ width: 600, height: 600 });
  await page.locator(".row .time").first().waitFor();
  await drawn(page);
  assert.ok(Math.abs((await middle()) - before) < 0.1, `${before}, then ${await middle()}`);
  assert.deepEqual(page.errors, []);
});

/** Starts to collect the first text of each frame, "" for an empty list; returns what collects it. */
const watchTop = (page) =>
  page.evaluate(() => {
    window.tops = new Set();
    const look = () => {
      const { top } = document.getElementById("list").getBoundingClientRect();
      const row = [...document.querySelectorAll(".row")].find((it) => it.getBoundingClientRect().bottom > top + 1);
      window.tops.add(row?.querySelector(".text").textContent ?? "");
      requestAnimationFrame(look);
    };
    look();
  });

test("a filtered list stays in place during a new layout, and is never empty", async () => {
  const { page } = await shown(lines(0, 20_000), undefined, ["--log-messages", "30000"]);
  await page.getByLabel("Filter", { exact: true }).fill("[02468] end");
  await says(page, "shown 10,000 ·");
  await page.getByLabel("Filter", { exact: true }).press("Enter");
  for (let at = 0; at < 3; at += 1) await page.keyboard.press("b");
  await says(page, "paused,");
  await drawn(page);
  await watchTop(page);
  for (const width of [960, 900, 860]) {
    await page.setViewportSize({ width, height: 600 });
    await drawn(page);
  }
  for (const isWrapped of [false, true]) {
    await page.keyboard.press("w");
    await page.locator(`#wrap[aria-pressed=${isWrapped}]`).waitFor();
    await drawn(page);
  }
  // Another filter that passes the same messages replaces it.
  await page.getByLabel("Filter", { exact: true }).fill("[02468] en");
  await page.locator("#filter[aria-invalid=false]").waitFor();
  await says(page, "shown 10,000 ·");
  await drawn(page);
  const tops = await page.evaluate(() => [...window.tops]);
  // What is above the list takes another line in a narrower window.
  const numbers = tops.map((it) => Number(/^line (\d+) end$/.exec(it)?.[1]));
  assert.ok(Math.max(...numbers) - Math.min(...numbers) < 10, tops.join());
  assert.deepEqual(page.errors, []);
});

test("a notch of the wheel scrolls as far in a list that is taller than a browser can scroll", { timeout: 120_000 }, async () => {
  const server = await serve(["--log-messages", "200000", "--log-bytes", "64MiB"]);
  const id = await connect(server);
  const size = { width: 320, height: 640 };
  const page = await open(server, id, size);
  await says(page, "● live");
  // 101 lines and a time each, which is 20,400,000 px.
  const tall = "x\n".repeat(101);
  for (let batch = 0; batch < 10; batch += 1) {
    await publish(server, id, ...Array.from({ length: 1000 }, (_, at) => `n${batch * 1000 + at} ${tall}`));
  }
  await says(page, "received 10,000");
  const place = () =>
    page.evaluate(() => {
      const { top } = document.getElementById("list").getBoundingClientRect();
      const row = [...document.querySelectorAll(".row")].find((it) => it.getBoundingClientRect().bottom > top + 1);
      const number = Number(/^n(\d+)/.exec(row.querySelector(".text").textContent)[1]);
      return number * 102 * 20 + top - row.getBoundingClientRect().top;
    });
  await page.keyboard.press("k");
  await page.keyboard.press("k");
  await page.keyboard.press("k");
  await drawn(page);
  await page.mouse.move(160, 400);
  /** Turns the wheel, and waits until the list has stopped there. */
  const turn = async (by) => {
    const before = await place();
    await page.mouse.wheel(0, by);
    await page.waitForFunction(
      ([wanted]) => {
        const { top } = document.getElementById("list").getBoundingClientRect();
        const row = [...document.querySelectorAll(".row")].find((it) => it.getBoundingClientRect().bottom > top + 1);
        const number = Number(/^n(\d+)/.exec(row.querySelector(".text").textContent)[1]);
        return Math.abs(number * 102 * 20 + top - row.getBoundingClientRect().top - wanted) < 2;
      },
      [before + by],
      { timeout: 5000 },
    );
  };
  for (const by of [-60, -200, 100, -60]) await turn(by);
  await page.keyboard.press("b");
  await drawn(page);
  await turn(60);
  assert.deepEqual(page.errors, []);
});

/** Returns whether the marked hits on screen, or in the dialog, are visible: the place of each. */
const seen = (page) =>
  page.evaluate(() =>
    [...(CSS.highlights.get("hit") ?? [])].map(({ startContainer, startOffset, endContainer, endOffset }) => {
      const range = new Range();
      range.setStart(startContainer, startOffset);
      range.setEnd(endContainer, endOffset);
      const { left, right, top, bottom } = range.getBoundingClientRect();
      const dialog = startContainer.parentElement.closest("[open]");
      const box = (dialog ?? document.getElementById("list")).getBoundingClientRect();
      const isSeen = top >= box.top && bottom <= box.bottom && left >= box.left && right <= box.right;
      return `${dialog ? "dialog" : "list"} ${isSeen}`;
    }),
  );
/** Waits until a hit is visible there. */
async function hitIsSeen(page, where) {
  for (let round = 0; round < 100; round += 1) {
    if ((await seen(page)).includes(`${where} true`)) return;
    await drawn(page);
  }
  assert.fail(`${where}: ${await seen(page)}`);
}

test("the next hit is scrolled into view, and opened if its row does not show it", async () => {
  const trace = (length) => Array.from({ length }, (_, at) => (at === length - 10 ? "  at needle (x.js)" : `  at frame ${at}`)).join("\n");
  const odd = (length) => Array.from({ length }, (_, at) => `漢字 ${"ö".repeat(90)} ${at}`).join("\n");
  const wide = `${"x".repeat(2500)} needle`;
  for (const size of [undefined, { width: 320, height: 600 }]) {
    const tall = `${odd(size ? 15 : 60)}\nneedle\n${odd(9)}`;
    const texts = [trace(70), trace(300), tall, wide];
    const { page } = await shown(texts.flatMap((it, at) => [...lines(at * 50, at * 50 + 50), it]), size);
    await page.keyboard.press("/");
    await page.keyboard.type("needle");
    await page.locator("#hits", { hasText: "4" }).waitFor();
    await page.keyboard.press("Enter");
    await page.locator("#hits", { hasText: "1/4" }).waitFor();
    await hitIsSeen(page, "list");
    // Enter opens the whole message, at the hit.
    await page.keyboard.press("Enter");
    await hitIsSeen(page, "dialog");
    await page.keyboard.press("Escape");
    // Beyond the hundredth line, the next hit opens its message.
    await page.keyboard.press("n");
    await page.getByRole("dialog", { name: "Message" }).waitFor();
    await hitIsSeen(page, "dialog");
    await page.keyboard.press("Escape");
    await page.keyboard.press("n");
    await page.locator("#hits", { hasText: "3/4" }).waitFor();
    await hitIsSeen(page, "list");
    await page.keyboard.press("n");
    await page.locator("#hits", { hasText: "4/4" }).waitFor();
    await hitIsSeen(page, "list");
    if (!size) {
      // Without breaks it is beyond the right edge.
      await page.keyboard.press("g");
      await page.keyboard.press("w");
      await page.keyboard.press("N");
      await page.getByRole("dialog", { name: "Message" }).waitFor();
      await hitIsSeen(page, "dialog");
    }
    assert.deepEqual(page.errors, []);
    await page.close();
  }
});

test("another search does not return to a message that was shown whole", async () => {
  const trace = Array.from({ length: 300 }, (_, at) => (at === 290 ? "needle" : `frame ${at}`)).join("\n");
  const { page } = await shown([trace, ...lines(0, 50)]);
  await page.keyboard.press("g");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Message" });
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await page.getByLabel("Search", { exact: true }).fill("needle");
  await page.locator("#hits", { hasText: "1" }).waitFor();
  await page.waitForFunction(() => document.querySelector(".row.focus"));
  await drawn(page);
  await drawn(page);
  assert.ok(!(await dialog.isVisible()));
  assert.deepEqual(page.errors, []);
});
