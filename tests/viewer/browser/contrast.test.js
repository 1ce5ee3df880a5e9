// All text can be read: in dark and in light, with forced colours and at 200 %; and nothing moves if motion is not
// wanted.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { between, connect, open, problem, publish, says, serve } from "./support.js";

const SCRIPT = readFileSync(new URL("contrast.js", import.meta.url), "utf8");
/** Returns what a function of the script returns on a page. */
const look = (page, name) => page.evaluate(`${SCRIPT}; ${name}()`);

const LEVELS = ["trace", "debug", "info", "warn", "error"];

/** Fails with every text that has too little contrast. */
async function isReadable(page, what) {
  const all = await look(page, "contrasts");
  assert.ok(all.length > 2, what);
  const poor = all.filter((it) => !(it.contrast >= it.needed));
  assert.equal(poor.slice(0, 9).map((it) => `${what}: ${JSON.stringify(it)}`).join("\n"), "");
}

/** Opens a page with a message of each level, and operations in each state. */
async function shown(more, size = { width: 1000, height: 700 }) {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id, size, more);
  await publish(server, id,
    ...LEVELS.map((level) => ({ message: `a message of level ${level}`, level, operation: "build" })),
    { message: "half", operation: "build", progress: { current: 3, total: 6, unit: "files" } },
    ...["ok", "failed", "cancelled"].map((outcome) => ({ message: "over", operation: outcome, outcome })),
    "without a level",
  );
  await says(page, "without a level");
  return { server, id, page };
}

/** Presses each key, and checks the text after it. */
async function walk(page, keys, what) {
  for (const key of keys) {
    await page.keyboard.press(key);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    await isReadable(page, `${what}, ${key}`);
  }
}

for (const colorScheme of ["dark", "light"]) {
  test(`every message can be read, also in focus and as a hit, in ${colorScheme}`, async () => {
    const { page } = await shown({ colorScheme });
    await isReadable(page, colorScheme);
    await page.keyboard.press("Enter");
    await page.keyboard.press("p");
    await walk(page, Array(11).fill("k"), "focus");
    await page.getByLabel("Search", { exact: true }).fill("e");
    await page.locator("#hits", { hasText: /^\d/ }).waitFor();
    await walk(page, ["Enter", "n", "n", "n"], "hit");
    await page.keyboard.press("t");
    await walk(page, ["t", "5", "1", "D"], "told");
  });

  test(`menu and dialogs can be read, in ${colorScheme}`, async () => {
    const { page } = await shown({ colorScheme });
    await page.getByRole("button", { name: "Menu" }).click();
    await walk(page, ["ArrowDown", "ArrowDown", "Escape"], "menu");
    await walk(page, ["?", "Escape", "p", "Enter", "Escape", "x", "Escape"], "dialogs");
    await page.evaluate(() => void Promise.reject(new Error("broken")));
    await page.getByRole("alert").waitFor();
    await isReadable(page, "broken");
  });

  test(`every state can be read, in ${colorScheme}`, async () => {
    const server = await serve();
    const id = await connect(server);
    let answer;
    const proxy = await between(server, () => answer);
    for (const [own, text] of [
      [undefined, "Nothing has come yet"], [problem(403, "not from here"), "not from here"], [problem(503, "soon"), "reconnecting"],
      [{ status: 204, headers: {} }, "■ ended"], [problem(401, "a token is needed"), "a token is needed"],
    ]) {
      answer = own;
      const page = await open(proxy, id, undefined, { colorScheme });
      await says(page, text);
      await isReadable(page, text);
    }
  });
}

const colours = (before, after) => Array.from({ length: 256 }, (_, at) => `\u001b[${before}${at}${after}m ${at} \u001b[0m`).join("");

test("text in any colour can be read, also after the theme has changed", async () => {
  const { server, id, page } = await shown({ colorScheme: "dark" });
  const rgb = ["0;0;0", "20;23;28", "255;255;255", "35;64;94", "127;127;127", "0;0;255", "255;0;0"];
  const pairs = rgb.flatMap((one) => rgb.map((other) => `\u001b[38;2;${one};48;2;${other}m ${one} on ${other} \u001b[0m`)).join("");
  const texts = [colours("38;5;", ""), colours("2;38;5;", ""), colours("48;5;", ""), colours("7;38;5;", ""), colours("7;48;5;", ""), pairs];
  const plain = ["\u001b[2mdim\u001b[0m", "\u001b[7minverse\u001b[0m", "\u001b[30;40mblack on black\u001b[0m"].join(" ");
  const levels = LEVELS.map((level) => ({ message: plain, level }));
  for (const message of [...texts.map((it) => ({ message: it, level: "error" })), ...levels]) {
    await publish(server, id, message, "the last");
    await says(page, "the last");
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.waitForFunction((it) => matchMedia(`(prefers-color-scheme: ${it})`).matches, colorScheme);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      await isReadable(page, colorScheme);
      await walk(page, ["p", "k", "G"], colorScheme);
    }
    await publish(server, id, ...Array(30).fill("next"));
  }
});

test("forced colours show all text, and what is pressed or in focus", async () => {
  for (const colorScheme of ["dark", "light"]) {
    const { page } = await shown({ colorScheme, forcedColors: "active" });
    await isReadable(page, "forced");
    await page.getByLabel("Search", { exact: true }).fill("message");
    await page.locator("#hits", { hasText: /^\d/ }).waitFor();
    await walk(page, ["Enter", "n", "Enter", "Escape"], "forced");
    const looks = (name) =>
      page.getByRole("button", { name, exact: true }).evaluate((it) => {
        const { borderTopWidth, outlineStyle, textDecorationLine, backgroundColor } = getComputedStyle(it);
        return [borderTopWidth, outlineStyle, textDecorationLine, backgroundColor].join();
      });
    assert.notEqual(await looks("Wrap"), await looks("Ask detail"));
    const focused = await page.locator(".row.focus").evaluate((it) => getComputedStyle(it).outlineStyle);
    assert.equal(focused, "solid");
    await page.getByRole("button", { name: "Menu" }).click();
    await walk(page, ["ArrowDown", "Escape", "?", "Escape"], "forced");
  }
});

test("nothing moves with prefers-reduced-motion", async () => {
  const { server, id, page } = await shown({ reducedMotion: "reduce" });
  const moving = () =>
    page.evaluate(() => {
      const styles = [...document.querySelectorAll("*")].flatMap((it) => ["", "::before", "::after"].map((part) => getComputedStyle(it, part || null)));
      const isMoving = (it) => it.animationName !== "none" || !/^0s(, 0s)*$/.test(it.transitionDuration) || it.scrollBehavior !== "auto";
      return document.getAnimations().length + styles.filter(isMoving).length;
    });
  assert.equal(await moving(), 0);
  for (const key of ["?", "Escape", "p", "Enter"]) {
    await page.keyboard.press(key);
    await publish(server, id, { message: "on", operation: "build", progress: { current: 4, total: 6 } });
    assert.equal(await moving(), 0);
  }
});

for (const [zoom, width, height] of [[1, 1000, 600], [2, 500, 300], [2, 640, 512]]) {
  test(`nothing is cut off at ${zoom * 100} % of ${width * zoom} x ${height * zoom}`, async () => {
    const { server, id, page } = await shown({ deviceScaleFactor: zoom }, { width, height });
    const message = "cannot read objects/pack-7f3a.idx: permission denied, so the index is made without it ".repeat(4);
    await publish(server, id, { message, level: "error", operation: "refresh-repo", progress: { current: 48, total: 120, unit: "files" } }, "the last one");
    await says(page, "the last one");
    const isWhole = async (what) => assert.deepEqual(await look(page, "cutOff"), [], what);
    await isWhole("following");
    for (const key of ["p", "k", "k", "Enter", "Escape", "?", "Escape", "x", "Escape", "t"]) {
      await page.keyboard.press(key);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      await isWhole(key);
    }
    assert.ok((await page.locator("#list").boundingBox()).height >= 100);
    await page.getByRole("button", { name: "Menu" }).click();
    await isWhole("menu");
    await page.keyboard.press("Escape");
    for (const name of ["Search", "Filter"]) {
      const opener = page.getByRole("button", { name, exact: true });
      if (await opener.isVisible()) await opener.click();
      await page.getByLabel(name, { exact: true }).fill("x");
      await isWhole(name);
    }
  });
}
