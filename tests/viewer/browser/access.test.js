// The page for screen readers: the roles, names and values of what is on screen, and its announcements.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, kill, open, publish, says, serve } from "./support.js";

const TIME = String.raw`\d\d:\d\d:\d\d`;

/** Returns the accessibility tree as Chromium gives it to screen readers, without ignored nodes. */
async function tree(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Accessibility.enable");
  const { nodes } = await devtools.send("Accessibility.getFullAXTree");
  await devtools.detach();
  const known = new Map(nodes.map((it) => [it.nodeId, it]));
  /** Children, with those of ignored nodes in the place of these. */
  const children = ({ childIds = [] }) =>
    childIds.map((id) => known.get(id)).flatMap((it) => (it.ignored || it.role.value === "generic" ? children(it) : [it]));
  const property = ({ properties = [] }, name) => properties.find((it) => it.name === name)?.value.value;
  const read = (it) => ({
    role: it.role.value,
    name: it.name?.value ?? "",
    children: children(it).map(read),
    isFocusable: property(it, "focusable") === true,
    value: it.value?.value,
    isSelected: property(it, "selected"),
    live: property(it, "live"),
  });
  return read(nodes[0]);
}

/** Returns all parts of a tree with this role. */
const all = (part, role) => [...(part.role === role ? [part] : []), ...part.children.flatMap((it) => all(it, role))];
/** Returns all parts of a tree. */
const flat = (part) => [part, ...part.children.flatMap(flat)];

/** Opens a page with operations, and a message of each level. */
async function shown(options) {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id, undefined, options);
  await publish(server, id,
    { message: "Processed file 48 of 120", operation: "refresh-repo", level: "info", progress: { current: 48, total: 120, unit: "files" } },
    { message: "a link leads nowhere", operation: "check-links", level: "warn", progress: { current: 24, total: 120 } },
    { message: "cannot read objects/pack-7f3a.idx", operation: "refresh-repo", level: "error" },
    "plain",
  );
  await says(page, "plain");
  return { server, id, page };
}

test("the list is a listbox of options that say level, time, operation and text", async () => {
  const { page } = await shown();
  await page.keyboard.press("e");
  await page.locator('.row[aria-selected="true"]').waitFor();
  const root = await tree(page);
  const [list, ...others] = all(root, "listbox");
  assert.deepEqual(others, []);
  assert.equal(list.name, "Messages");
  const wanted = [
    `^${TIME}, -- Starting server communication\\.\\.\\. --$`,
    `^info, ${TIME}, refresh-repo, Processed file 48 of 120$`,
    `^warn, ${TIME}, check-links, a link leads nowhere$`,
    `^error, ${TIME}, refresh-repo, cannot read objects/pack-7f3a\\.idx$`,
    `^${TIME}, plain$`,
  ];
  const names = list.children.map((it) => it.name);
  assert.equal(names.length, wanted.length, names.join("\n"));
  wanted.forEach((it, at) => assert.match(names[at], new RegExp(it)));
  assert.ok(list.children.every((it) => it.role === "option"));
  assert.deepEqual(list.children.map((it) => it.isSelected), [false, false, false, true, false]);
});

test("each option has its place among all that are shown, and the list names the one in focus", async () => {
  const { server, id, page } = await shown();
  await publish(server, id, ...Array.from({ length: 3000 }, (_, at) => `line ${at} end`));
  await says(page, "line 2999 end");
  const places = () =>
    page.locator(".row").evaluateAll((rows) =>
      rows.map((it) => ({ text: it.querySelector(".text").textContent, place: it.getAttribute("aria-posinset"), size: it.getAttribute("aria-setsize") })),
    );
  const last = (await places()).find((it) => it.text === "line 2999 end");
  assert.deepEqual([last.place, last.size], ["3005", "3005"]);
  await page.keyboard.press("g");
  await page.getByRole("option", { selected: true, name: /Starting server/ }).waitFor();
  const rows = await places();
  assert.ok(rows.length > 10 && rows.length < 300);
  for (const { text, place, size } of rows) {
    const line = /^line (\d+) end$/.exec(text);
    if (line) assert.equal(place, String(Number(line[1]) + 6));
    assert.equal(size, "3005");
  }
  const focused = () =>
    page.locator("#list").evaluate((it) => document.getElementById(it.getAttribute("aria-activedescendant"))?.ariaSelected);
  assert.equal(await focused(), "true");
  await page.getByLabel("Filter", { exact: true }).fill("line 2\\d end");
  await page.locator('[aria-setsize="11"]').first().waitFor();
  assert.deepEqual((await places()).map((it) => Number(it.place)).sort((one, other) => one - other), Array.from({ length: 11 }, (_, at) => at + 1));
});

test("operations are progressbars whose text is their figures", async () => {
  const { page } = await shown();
  const gauges = all(await tree(page), "progressbar");
  assert.deepEqual(gauges.map(({ name, value }) => [name, value.toFixed(2)]), [["refresh-repo", "0.40"], ["check-links", "0.20"]]);
  // Chromium's tree for developers leaves this out, for any element.
  const texts = await page.getByRole("progressbar").evaluateAll((its) => its.map((it) => it.getAttribute("aria-valuetext")));
  assert.match(texts[0], /^48\/120 files · 40 % · .*1 error$/);
  assert.match(texts[1], /^24\/120 · 20 %/);
});

/** Asserts that all controls have names; returns their roles and names. */
function areNamed(root) {
  const usable = flat(root).filter((it) => it.isFocusable && it.role !== "RootWebArea");
  for (const it of usable) assert.notEqual(it.name, "", JSON.stringify(it));
  return usable.map(({ role, name }) => `${role} ${name}`);
}

test("every control has a role and a name", async () => {
  const { page } = await shown();
  const usable = areNamed(await tree(page));
  for (const it of ["button Menu", "searchbox Search", "searchbox Filter", "combobox Level", "button Previous hit", "listbox Messages", "button Help"]) {
    assert.ok(usable.includes(it), `${it}: ${usable.join()}`);
  }
  await page.getByRole("button", { name: "Menu" }).click();
  const root = await tree(page);
  const [menu] = all(root, "menu");
  assert.equal(menu.name, "Menu");
  assert.ok(menu.children.length > 10 && menu.children.every((it) => it.role === "menuitem" && it.name !== ""));
  areNamed(root);
  await page.keyboard.press("Escape");
  for (const [key, name] of [["?", "Keys"], ["x", /^Ask publishers to cancel/]]) {
    await page.keyboard.press(key);
    const dialog = page.getByRole("dialog", { name });
    await dialog.waitFor();
    const [open] = all(await tree(page), "dialog");
    assert.ok(open.children.length > 0);
    areNamed(open);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
  }
});

test("only one part of the page is a live region, and it is polite", async () => {
  const { page } = await shown();
  const live = flat(await tree(page)).filter((it) => it.live);
  assert.deepEqual(live.map(({ role, live }) => [role, live]), [["status", "polite"]]);
});

/** Collects the announcements to screen readers, from now on. */
async function told(page) {
  const sentences = [];
  await page.exposeFunction("tellTest", (text) => sentences.push(text));
  await page.evaluate(() => {
    const status = document.querySelector("[role=status]");
    new MutationObserver(() => window.tellTest(status.textContent)).observe(status, { childList: true, characterData: true, subtree: true });
  });
  return async (text) => {
    const isTold = () => sentences.some((it) => it.includes(text));
    for (let round = 0; !isTold() && round < 200; round += 1) await page.waitForTimeout(100);
    assert.ok(isTold(), `${text}: ${sentences.join(" | ")}`);
  };
}

test("a screen reader announces outcomes, results of keys, new messages and the connection", { timeout: 90_000 }, async () => {
  const { server, id, page } = await shown();
  const isTold = await told(page);
  await page.keyboard.press("t");
  await isTold("times: since the start");
  await publish(server, id, { message: "all there", operation: "refresh-repo", outcome: "ok" },
    { message: "broken", operation: "check-links", outcome: "failed" });
  await isTold("refresh-repo done; check-links failed");
  await page.keyboard.press("p");
  await publish(server, id, "news", { message: "bad", level: "error" });
  await isTold("2 new, 1 error");
  await kill(server);
  await isTold("lost the connection");
  await serve([], server.port);
  await isTold("connected again");
  assert.deepEqual(page.errors, []);
});
