// The rows: lines break as their height requires, the buttons belong to the row in focus, and hits are marked.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, open, publish, says, serve } from "./support.js";

/** Opens a page with these messages. */
async function shown(messages, size) {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id, size);
  await publish(server, id, ...messages);
  await says(page, `received ${messages.length}`);
  return { server, id, page };
}

/** Returns the lines of each row as laid out by the browser, its height and its place. */
const laidOut = (page) =>
  page.locator(".row").evaluateAll((all) =>
    all.map((row) => {
      const walker = document.createTreeWalker(row.querySelector(".text"), NodeFilter.SHOW_TEXT);
      const lines = [];
      let last;
      for (let part = walker.nextNode(); part; part = walker.nextNode()) {
        for (let at = 0; at < part.length; at += 1) {
          if (part.data[at] === "\n") continue;
          const range = new Range();
          range.setStart(part, at);
          range.setEnd(part, at + 1);
          const { top } = range.getBoundingClientRect();
          if (top !== last) lines.push("");
          last = top;
          lines[lines.length - 1] += part.data[at];
        }
      }
      const { top, bottom, right } = row.getBoundingClientRect();
      return { text: row.querySelector(".text").textContent, lines, top, bottom, right };
    }),
  );

test("words are not broken where they fit, and rows do not overlap whatever their text", async () => {
  const words = ["a", "word", "src/hub/channel.rs", "--flag=value", "x".repeat(150), "(end).", "   ", "e\u001b[31mr\u001b[0mr"];
  const texts = Array.from({ length: 40 }, (_, at) =>
    Array.from({ length: 12 }, (_, part) => words[(at * 7 + part * (at + 3)) % words.length]).join(at % 5 ? " " : "\n"),
  );
  for (const size of [{ width: 1000, height: 900 }, { width: 320, height: 900 }]) {
    const { page } = await shown(texts, size);
    await page.keyboard.press("k");
    const rows = await laidOut(page);
    assert.ok(rows.length > 5);
    const columns = Math.max(...rows.flatMap((it) => it.lines.map((line) => line.trimEnd().length)));
    for (const [at, { text, lines, bottom }] of rows.entries()) {
      assert.equal(lines.join(""), text.replaceAll("\n", ""));
      if (at + 1 < rows.length) assert.equal(rows[at + 1].top, bottom, text);
      for (const [line, content] of lines.entries()) {
        const next = lines[line + 1] ?? "";
        // A line that is not broken at a space has a word that is longer than a line.
        const isWord = !/[ \n]$/.test(content) && text.includes(content.slice(-1) + next.slice(0, 1));
        if (next && isWord) assert.ok(/\S*$/.exec(content)[0].length + /^\S*/.exec(next)[0].length > columns, content);
      }
    }
    assert.deepEqual(page.errors, []);
  }
});

test("copied text has its own line breaks and no others", async () => {
  const long = Array.from({ length: 60 }, (_, at) => `word${at}`).join(" ");
  const { page } = await shown([long, "two\nlines"]);
  const copied = (from, to) =>
    page.evaluate(([from, to]) => {
      const texts = [...document.querySelectorAll(".row .text")].slice(-2);
      getSelection().setBaseAndExtent(texts[from], 0, texts[to], texts[to].childNodes.length);
      const event = new ClipboardEvent("copy", { clipboardData: new DataTransfer(), bubbles: true, cancelable: true });
      texts[from].dispatchEvent(event);
      return event.clipboardData.getData("text/plain") || getSelection().toString();
    }, [from, to]);
  assert.equal(await copied(0, 0), long);
  const [one, other] = (await copied(0, 1)).split(/\n(?=\d\d:)/);
  assert.equal(one, long);
  assert.match(other ?? "", /^[\d:.]+ two\nlines$/);
});

test("the row in focus has buttons, by mouse and by keyboard, which are not part of an option", async () => {
  const { page } = await shown(["one", "two", "three"]);
  const tools = page.getByRole("toolbar", { name: "Message" });
  await says(page, "three");
  assert.equal(await tools.isVisible(), false);
  await page.keyboard.press("k");
  await page.keyboard.press("k");
  await tools.waitFor();
  const middle = async (where) => {
    const { y, height } = await where.boundingBox();
    return Math.round(y + height / 2);
  };
  const row = (name) => page.getByRole("option", { name });
  assert.equal(await middle(tools), await middle(row(/one$/)));
  assert.equal(await page.locator("[role=listbox] button").count(), 0);
  await page.locator("#list").focus();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Open");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Message" }).getByText("one").waitFor();
  await page.keyboard.press("Escape");
  await row(/three$/).hover();
  await page.waitForFunction((at) => {
    const { y, height } = document.querySelector("#row-tools").getBoundingClientRect();
    return Math.round(y + height / 2) === at;
  }, await middle(row(/three$/)));
  await tools.getByText("Link").click();
  await says(page, "copied the link to the message");
  await page.locator(".row.focus", { hasText: "three" }).waitFor();
  await page.keyboard.press("G");
  await tools.waitFor({ state: "hidden" });
  assert.deepEqual(page.errors, []);
});

/** Waits for `count` marked texts on screen, and returns them. */
const marked = (page, count) =>
  page.waitForFunction((count) => {
    const found = [...(CSS.highlights.get("hit") ?? [])].map(({ startContainer, startOffset, endContainer, endOffset }) => {
      const range = new Range();
      range.setStart(startContainer, startOffset);
      range.setEnd(endContainer, endOffset);
      return String(range);
    });
    return found.length === count ? found : false;
  }, count).then((it) => it.jsonValue());

test("hits of a pattern are marked, also across styles and lines, and a slow pattern is removed", async () => {
  const { server, id, page } = await shown(["file 12 of 40", "one \u001b[31m7\u001b[0m8 two", "none"]);
  await page.getByLabel("Search", { exact: true }).fill("\\d+");
  assert.deepEqual((await marked(page, 4)).toSorted(), ["12", "40", "7", "8"]);
  await publish(server, id, "later 99");
  assert.ok((await marked(page, 5)).includes("99"));
  await page.getByLabel("Search", { exact: true }).fill("");
  await marked(page, 0);
  await publish(server, id, `${"n".repeat(60)}!`);
  await page.getByLabel("Search", { exact: true }).fill("(n+)+$");
  await says(page, "this pattern is too slow");
  assert.deepEqual(page.errors, []);
});

test("hits in styles that begin with a line are marked, and so are those after them", async () => {
  const words = Array.from({ length: 300 }, (_, at) => `${"-".repeat(1 + (at % 7))} \u001b[31mred\u001b[0m`).join(" ");
  const { page } = await shown([words]);
  await page.getByLabel("Search", { exact: true }).fill("red");
  assert.deepEqual(new Set(await marked(page, 300)), new Set(["red"]));
});

test("selecting pauses, and the selection stays until following again, even if its message was dropped", async () => {
  const { server, id, page } = await shown(Array.from({ length: 100 }, (_, at) => `line ${at} end`));
  await says(page, "line 99 end");
  const selected = () =>
    page.evaluate(() => [String(getSelection()), getSelection().getRangeAt(0).getBoundingClientRect().top]);
  await page.evaluate(() => getSelection().selectAllChildren([...document.querySelectorAll(".text")].at(-3)));
  await says(page, /^paused/);
  const before = await selected();
  assert.equal(before[0], "line 97 end");
  const big = "x".repeat(60_000);
  for (let batch = 0; batch < 14; batch += 1) await publish(server, id, ...Array.from({ length: 100 }, () => big));
  await says(page, /fell off \d/);
  assert.deepEqual(await selected(), before);
  await page.keyboard.press("G");
  await page.waitForFunction(() => getSelection().isCollapsed);
  assert.deepEqual(page.errors, []);
});

test("a long message says how much of it is not shown, and a double click shows it whole", async () => {
  const { page } = await shown([Array.from({ length: 440 }, (_, at) => `line ${at}.`).join("\n")]);
  await says(page, "… 340 more, Enter opens");
  assert.equal(await page.locator(".row").last().evaluate((it) => it.offsetHeight), 101 * 20);
  await page.getByText("line 99.").dblclick();
  await page.getByRole("dialog", { name: "Message" }).getByText("line 439.").waitFor();
  assert.equal(await page.evaluate(() => String(getSelection())), "");
});

test("right-to-left text is beside its time, and reorders nothing around it", async () => {
  const { page } = await shown([{ message: "שלום abc 123", operation: "שלום" }, { message: "two", operation: "b" }]);
  const [time, text] = await page.locator(".row", { hasText: "abc" }).evaluate((row) => {
    const box = (name) => {
      const range = new Range();
      range.selectNodeContents(row.querySelector(name));
      return range.getBoundingClientRect();
    };
    return [box(".time"), box(".text")];
  });
  assert.ok(text.left > time.right && text.left - time.right < 150, JSON.stringify([time, text]));
});

test("a selection stays when another operation adds a line and a column", async () => {
  const { server, id, page } = await shown([...Array.from({ length: 300 }, (_, at) => `line ${at} end`), { message: "a", operation: "build" }]);
  const selected = () =>
    page.evaluate(() => [String(getSelection()), getSelection().getRangeAt(0).getBoundingClientRect().top]);
  await page.getByText("line 290 end").click();
  await page.evaluate(() => {
    const texts = [...document.querySelectorAll(".text")].slice(-9);
    getSelection().setBaseAndExtent(texts[0].firstChild, 2, texts[3].firstChild, 5);
  });
  await says(page, /^paused/);
  const before = await selected();
  assert.match(before[0], /line 29\d end/);
  await publish(server, id, { message: "b", operation: "check-links" });
  await page.locator(".operation").nth(1).waitFor();
  await page.getByRole("button", { name: "↓ 1 new" }).waitFor();
  assert.deepEqual(await selected(), before);
  await page.keyboard.press("G");
  await page.waitForFunction(() => document.querySelector(".row:last-child .label").clientWidth > 50);
  assert.deepEqual(page.errors, []);
});

test("the number of marked hits is bounded", async () => {
  const { page } = await shown(Array.from({ length: 200 }, (_, at) => `${at} ${"e".repeat(600)}`));
  await says(page, "199 eee");
  await page.getByLabel("Search", { exact: true }).fill("e");
  await page.waitForFunction(() => CSS.highlights.get("hit")?.size >= 2000);
  assert.equal(await page.evaluate(() => CSS.highlights.get("hit").size), 2000);
});

test("a press on the buttons leaves the focus to the list, and the wheel over them scrolls it", async () => {
  const { page } = await shown(Array.from({ length: 300 }, (_, at) => `line ${at} end`));
  await page.keyboard.press("k");
  const tools = page.getByRole("toolbar", { name: "Message" });
  await tools.getByText("Link").click();
  await says(page, "copied the link to the message");
  await page.keyboard.press("Space");
  await page.locator("#notice").waitFor({ state: "hidden" });
  await page.keyboard.press("k");
  await tools.hover();
  const before = await page.locator("#list").evaluate((it) => it.scrollTop);
  await page.mouse.wheel(0, -200);
  await page.waitForFunction((it) => document.querySelector("#list").scrollTop === it - 200, before);
  assert.deepEqual(page.errors, []);
});

test("buttons under the mouse disappear when the rows move on", async () => {
  const { server, id, page } = await shown(Array.from({ length: 100 }, (_, at) => `line ${at} end`));
  await says(page, "line 99 end");
  const tools = page.getByRole("toolbar", { name: "Message" });
  await page.getByRole("option", { name: /line 95 end/ }).hover();
  await tools.waitFor();
  await publish(server, id, "the next one");
  await says(page, "the next one");
  await tools.waitFor({ state: "hidden" });
});

test("without breaks, a line is laid out up to a bound, and says how much more there is", async () => {
  const long = "x".repeat(50_000);
  const styled = "\u001b[31mr\u001b[32mg".repeat(5000);
  const sent = [long, `a\n${long}\n${"ö".repeat(5000)}\nneedle`, styled, `${"😀".repeat(3000)}!`, "short", `${"w ".repeat(1500)}end`];
  const { page } = await shown(sent);
  await page.keyboard.press("w");
  await page.locator("#list.cut").waitFor();
  await page.keyboard.press("k");
  const rows = await laidOut(page);
  const texts = rows.slice(1).map((it) => it.text);
  assert.equal(texts[0], `${"x".repeat(4000)}… 46,000 more`);
  assert.equal(texts[1], `a\n${"x".repeat(4000)}… 46,000 more\n${"ö".repeat(4000)}… 1,000 more\nneedle`);
  assert.equal(texts[2], `${"rg".repeat(2000)}… 6,000 more`);
  assert.equal(texts[3], `${"😀".repeat(2000)}… 2,001 more`);
  assert.deepEqual(texts.slice(4), sent.slice(4));
  for (const [at, { bottom }] of rows.entries()) if (at + 1 < rows.length) assert.equal(rows[at + 1].top, bottom, texts[at - 1]);
  assert.ok((await page.locator(".row span").count()) < 5000);
  // What is after the cut is visible in the whole message.
  await page.getByLabel("Search", { exact: true }).fill("needle");
  await page.locator("#hits", { hasText: "1" }).waitFor();
  await page.getByLabel("Search", { exact: true }).press("Enter");
  await page.getByRole("dialog", { name: "Message" }).waitFor();
  await page.waitForFunction(() => [...(CSS.highlights.get("hit") ?? [])].some((it) => it.startContainer.parentElement.closest("dialog")));
  assert.deepEqual(page.errors, []);
});

test("a unit and a name in right-to-left script reorder no figures", async () => {
  const { server, id, page } = await shown([{ message: "one", operation: "שלום", progress: { current: 8, total: 120, unit: "קבצים" } }]);
  await publish(server, id, { message: "two", operation: "שלום", progress: { current: 16, total: 120, unit: "קבצים" } });
  await page.locator(".facts", { hasText: "16/120" }).waitFor();
  // The places of these, from left to right.
  const lefts = await page.locator(".facts").evaluate((facts) => {
    const text = facts.firstChild;
    return ["16/120", "קבצים", "13 %"].map((it) => {
      const range = new Range();
      const start = text.data.indexOf(it);
      range.setStart(text, start);
      range.setEnd(text, start + it.length);
      return range.getBoundingClientRect().left;
    });
  });
  assert.deepEqual(lefts, lefts.toSorted((one, other) => one - other));
});
