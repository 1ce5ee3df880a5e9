// Hostile errors, addresses and patterns stay text, too, and have no effect.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readAddress } from "../../../src/server/viewer/model.js";
import { compile, safeLine } from "../../../src/server/viewer/text.js";
import { hostileTexts, watchOver } from "./hostile.js";
import { between, connect, open, problem, publish, says, serve } from "./support.js";

const TEXTS = hostileTexts();
/** Returns what a page shows of a detail. */
const told = (detail) => safeLine(detail.slice(0, 500));

/** Opens a page of a server whose requests about its client are answered by `answer`. */
async function setUp(answer) {
  const server = await serve();
  const id = await connect(server);
  const proxy = await between(server, answer);
  const page = await open(proxy, id);
  await says(page, "● live");
  return { server, id, page, watched: await watchOver(page, proxy) };
}

test("a thousand hostile details of refused requests stay text", async () => {
  let at = 0;
  const { page, watched } = await setUp(({ method }) => (method === "POST" ? problem(400, TEXTS[at++]) : undefined));
  const notices = await page.evaluate(async (count) => {
    const notice = document.getElementById("notice");
    const found = [];
    while (found.length < count) {
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "D", bubbles: true }));
      while (notice.textContent === "" || notice.textContent === found.at(-1)) await new Promise(requestAnimationFrame);
      found.push(notice.textContent);
    }
    return found;
  }, TEXTS.length);
  TEXTS.forEach((it, index) => assert.equal(notices[index], `publishers could not be asked: ${told(it)}`));
  await watched.ends();
});

test("hostile details of refused streams stay text in the state and in the token's dialog", async () => {
  const texts = TEXTS.slice(0, 120);
  let [status, at] = [undefined, 0];
  const { page, id, watched } = await setUp(() => status && problem(status, texts[at]));
  for (at = 0; at < texts.length; at += 1) {
    status = [400, 401, 503][at % 3];
    await page.evaluate((it) => (location.hash = it), `${id}/${at + 1}`);
    const text = told(texts[at]);
    const place = status === 401 ? "token-reason" : "state";
    const wanted = status === 503 ? `(503 ${text})` : text;
    await page.waitForFunction(([id, it]) => document.getElementById(id).textContent.includes(it), [place, wanted]);
    if (status === 401) await page.keyboard.press("Escape");
  }
  await watched.ends();
});

test("a pattern that exceeds the browser's memory is removed, and the page continues", async () => {
  const server = await serve(["--max-message", "8MiB", "--log-bytes", "64MiB"]);
  const id = await connect(server);
  const page = await open(server, id);
  const watched = await watchOver(page, server);
  await publish(server, id, "abc".repeat(1.3 * 2 ** 20), "one line");
  await says(page, "one line");
  for (const name of ["Search", "Filter"]) {
    const field = page.getByLabel(name, { exact: true });
    await field.fill("^(?:(a)|(b)|(c))*d");
    // The notice may be that of the other field, so the field itself is checked.
    await page.waitForFunction((it) => it.value === "", await field.elementHandle());
    await says(page, "this pattern is too slow, or too large");
    await says(page, "filtered 0");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
  }
  await watched.ends();
});

test("a detail that is not text is shown safely", async () => {
  let detail = "";
  const { page, watched } = await setUp(({ method }) => (method === "POST" ? problem(400, detail) : undefined));
  for (detail of [{ toString: 1 }, ["<b>"], null, 7, { toString: { toString: 2 }, __proto__: 3 }]) {
    await page.keyboard.press("D");
    await says(page, /^publishers could not be asked: /);
    await page.keyboard.press("Escape");
    await page.locator("#notice").waitFor({ state: "hidden" });
  }
  await watched.ends();
});

test("a thousand hostile fragments are shown as text and never requested", async () => {
  const { page, watched } = await setUp(() => undefined);
  const asked = [];
  page.on("request", (it) => asked.push(it.url()));
  const states = await page.evaluate(async (texts) => {
    const found = [];
    const state = document.getElementById("state");
    let told = "";
    for (const text of texts) {
      const before = location.hash;
      location.hash = text;
      if (location.hash !== before) await new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
      // A busy machine may need some frames until the page has drawn.
      for (let frames = 0; frames < 2 || (state.textContent === told && frames < 100); frames++) await new Promise(requestAnimationFrame);
      told = state.textContent;
      found.push([location.hash, told]);
    }
    return found;
  }, TEXTS);
  for (const [hash, state] of states) {
    const { failure } = readAddress(hash.slice(1));
    assert.equal(state, `■ ${failure}`);
    assert.ok(failure.startsWith(`"${safeLine(hash.slice(1, 81))}"`), failure);
  }
  assert.deepEqual(asked.filter((it) => !it.endsWith("/icon.svg")), []);
  await watched.ends();
});

for (const name of ["search", "filter"]) {
  test(`a thousand hostile patterns to ${name} are shown as text`, async () => {
    const { server, id, page, watched } = await setUp(() => undefined);
    await publish(server, id, ...TEXTS.slice(0, 40).map((it) => it.toWellFormed()));
    await says(page, "received 40 ·");
    const seen = await page.evaluate(async ([name, texts]) => {
      const field = document.getElementById(name);
      const notice = document.getElementById("notice");
      const drawn = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const found = [];
      for (const text of texts) {
        field.value = text.slice(0, field.maxLength);
        field.dispatchEvent(new Event("input"));
        await drawn();
        const error = notice.hidden ? "" : notice.textContent;
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "n", bubbles: true }));
        await drawn();
        found.push({ value: field.value, error, isInvalid: field.ariaInvalid === "true", next: notice.textContent });
      }
      return found;
    }, [name, TEXTS]);
    for (const { value, error, isInvalid, next } of seen) {
      const query = compile(value, { negatable: name === "filter" });
      const isBroken = query !== undefined && "error" in query;
      assert.equal(isInvalid, isBroken, value);
      assert.equal(error, isBroken ? safeLine(query.error) : "", value);
      if (name === "search" && !isBroken && next !== "") assert.equal(next, safeLine(`nothing matches ${value}`));
    }
    await says(page, "received 40 ·");
    await watched.ends();
  });
}
