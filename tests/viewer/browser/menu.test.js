// The menu and the buttons: everything that keys do can be pressed, and the menu works as in WAI-ARIA.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, open, publish, says, serve } from "./support.js";

const menu = (page) => page.getByRole("menu", { name: "Menu" });
const opener = (page) => page.getByRole("button", { name: "Menu", exact: true });
/** Returns the text of what has the focus. */
const focused = (page) => page.evaluate(() => document.activeElement.textContent);
const isFocused = (page, text) => page.waitForFunction((it) => document.activeElement.textContent === it, text);

/** Opens a page that shows messages; returns it with its server and its client. */
async function shown(...messages) {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, ...messages, "the last");
  await says(page, "the last");
  return { server, id, page };
}

/** Opens the menu and presses an entry. */
async function choose(page, name) {
  await opener(page).click();
  await menu(page).getByRole("menuitem", { name, exact: true }).click();
  await menu(page).waitFor({ state: "hidden" });
}

test("arrow keys, Home and End move through the menu and wrap around, and Esc restores the focus", async () => {
  const { page } = await shown();
  await opener(page).press("Enter");
  await isFocused(page, "Copy the client ID");
  assert.equal(await page.getByRole("button", { name: "Menu", expanded: true }).count(), 1);
  await page.keyboard.press("ArrowUp");
  assert.equal(await focused(page), "Help");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(page), "Copy a curl line that sends the client ID along");
  await page.keyboard.press("End");
  assert.equal(await focused(page), "Help");
  await page.keyboard.press("Home");
  assert.equal(await focused(page), "Copy the client ID");
  // Meanwhile letters are not keys of the page.
  await page.keyboard.press("w");
  assert.ok(await menu(page).isVisible());
  await page.getByRole("button", { name: "Wrap", pressed: true }).waitFor();
  await page.keyboard.press("Escape");
  await menu(page).waitFor({ state: "hidden" });
  assert.ok(await opener(page).evaluate((it) => it === document.activeElement));
  assert.deepEqual(page.errors, []);
});

test("a press outside closes the menu, and Tab too", async () => {
  const { page } = await shown();
  await opener(page).click();
  await menu(page).waitFor();
  await page.mouse.click(100, 500);
  await menu(page).waitFor({ state: "hidden" });
  await opener(page).click();
  await isFocused(page, "Copy the client ID");
  await page.keyboard.press("Tab");
  await menu(page).waitFor({ state: "hidden" });
});

for (const width of [1000, 320]) {
  test(`the menu fits on the screen, or scrolls, at ${width} px`, async () => {
    const { page } = await shown();
    await page.setViewportSize({ width, height: 400 });
    await opener(page).click();
    const { x, y, width: wide, height } = await menu(page).boundingBox();
    assert.ok(x >= 0 && y >= 0 && x + wide <= width && y + height <= 400, JSON.stringify({ x, y, wide, height }));
    await menu(page).getByRole("menuitem", { name: "Help" }).click();
    await page.getByRole("dialog", { name: "Keys" }).getByText("reconnect now").waitFor();
    await page.keyboard.press("Escape");
  });
}

test("errors, operations and levels can be selected without keys", async () => {
  const { page } = await shown({ message: "broken", level: "error" }, { message: "begins", operation: "build" });
  await choose(page, "Next error, wrapping around");
  await page.getByRole("option", { name: /broken/, selected: true }).waitFor();
  await choose(page, "Next operation's first message");
  await page.getByRole("option", { name: /begins/, selected: true }).waitFor();
  await choose(page, "To the first message");
  await page.getByRole("option", { name: /Starting/, selected: true }).waitFor();
  await choose(page, "Show errors only");
  await says(page, "shown 1 ·");
  await choose(page, "Lower the level shown");
  await says(page, "warn and worse");
  await choose(page, "Ask publishers to cancel (asks first)");
  await page.getByRole("dialog", { name: "Ask publishers to cancel build?" }).getByRole("button", { name: "Keep running" }).click();
  await page.getByRole("button", { name: "Cancel…" }).click();
  await page.getByRole("dialog", { name: "Ask publishers to cancel build?" }).getByRole("button", { name: "Ask to cancel" }).click();
  await says(page, "publishers were asked to cancel build");
});

test("a stream is ended from the menu after a question, and another one begins", async () => {
  const { page, id } = await shown();
  await choose(page, "End this stream…");
  const question = page.getByRole("dialog", { name: /^End this stream\?/ });
  await isFocused(page, "Keep it");
  await page.keyboard.press("Escape");
  await question.waitFor({ state: "hidden" });
  await choose(page, "End this stream…");
  await question.getByRole("button", { name: "End it" }).click();
  await says(page, "■ ended (stopped)");
  await choose(page, "Start a new stream");
  await says(page, "Nothing has come yet");
  assert.ok(!page.url().includes(id));
  assert.deepEqual(page.errors, []);
});

test("a token is given from the menu, and sent with the next request", async () => {
  const { page } = await shown();
  await choose(page, "Give the server's token…");
  const dialog = page.getByRole("dialog", { name: "The server's token" });
  const field = dialog.getByLabel("Token", { exact: true });
  await field.fill("two words");
  await field.press("Enter");
  assert.ok(await dialog.isVisible());
  await field.fill("s3cret");
  const sent = page.waitForRequest((it) => it.headers().authorization === "Bearer s3cret");
  await field.press("Enter");
  await page.waitForFunction(() => document.getElementById("token").value === "");
  await page.keyboard.press("D");
  await sent;
});

test("each button says what it does and by which key", async () => {
  const { page } = await shown();
  const without = await page.locator("button[data-does]:not([title], [data-keys])").evaluateAll((all) => all.map((it) => it.dataset.does));
  assert.deepEqual(new Set(without), new Set(["Reload", "New", "Token", "Stop"]));
  assert.equal(await page.getByRole("button", { name: "Wrap" }).getAttribute("title"), "wrap long lines, or cut them (w)");
});

test("a message's link is copied from its dialog", async () => {
  const { page, server, id } = await shown();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.url });
  await page.getByRole("option", { name: /the last/ }).dblclick();
  await page.getByRole("dialog", { name: "Message" }).getByRole("button", { name: "Copy link" }).click();
  await says(page, "copied the link to the message");
  await page.keyboard.press("Escape");
  const pasted = page.getByLabel("Search", { exact: true });
  await pasted.press("Control+v");
  const link = await pasted.inputValue();
  assert.ok(link.startsWith(`${server.url}/#${id}/1-`), link);
});
