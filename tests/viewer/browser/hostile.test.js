// Hostile text of publishers stays text: everywhere it reads as in the vectors (text.test.js compares `safe` with
// them), and causes no element, dialog, navigation, request or report.

import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { safe, safeLine } from "../../../src/server/viewer/text.js";
import { hostileTexts, nameOf, watchOver } from "./hostile.js";
import { between, connect, open, publish, says, serve } from "./support.js";

const TEXTS = hostileTexts();
/** A size of the screen for more than a thousand texts. */
const WIDE = { width: 1400, height: 1000 };

/** Returns the rows of the whole list, by their place, as seen from page to page. */
const allRows = (page) =>
  page.evaluate(async () => {
    const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    const drawn = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const found = new Map();
    press("g");
    for (let last = -1; ; ) {
      await drawn();
      for (const row of document.querySelectorAll(".row")) {
        const [text, label] = [".text", ".label"].map((it) => row.querySelector(it).textContent);
        found.set(Number(row.getAttribute("aria-posinset")), { text, label, spoken: row.getAttribute("aria-label") });
      }
      if (document.getElementById("paused").textContent === "" && last >= 0) break;
      last = found.size;
      press("f");
    }
    return [...found].sort(([one], [other]) => one - other).map(([, it]) => it);
  });

/** Returns the text of the dialog of each message, from the first to the last one. */
const allDetails = (page, count) =>
  page.evaluate(async (count) => {
    const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    const drawn = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const next = () => [...document.querySelectorAll("#dialog button")].find((it) => it.textContent === "Next").click();
    press("g");
    await drawn();
    press("j");
    press("Enter");
    const found = [];
    while (found.length < count) {
      const names = [...document.querySelectorAll("#dialog dt")];
      found.push(Object.fromEntries(names.map((it) => [it.textContent, it.nextSibling.textContent])));
      next();
    }
    document.getElementById("dialog").close();
    return found;
  }, count);

/** The end of a message in the list that is longer than its row. */
const CUT = /… \d+ more, Enter opens$/;

/** Returns whether the list shows a text: all of it, or its beginning. */
function isShown(text, plain) {
  const cut = CUT.exec(text);
  return cut ? plain.startsWith(text.slice(0, cut.index)) : text === plain;
}

/** Compares rows and dialogs with the sent messages. */
async function compare(page, sent) {
  const rows = (await allRows(page)).slice(1);
  const details = await allDetails(page, sent.length);
  assert.equal(rows.length, sent.length);
  sent.forEach(({ message, operation, progress, fields, event }, at) => {
    const { plain } = safe(message.toWellFormed());
    const { text, label, spoken } = rows[at];
    assert.ok(isShown(text, plain || `(${progress.current}/${progress.total})`), JSON.stringify([message, text]));
    assert.equal(label, safeLine(operation));
    assert.ok(spoken.includes(plain.slice(0, 500)), JSON.stringify([message, spoken]));
    const told = details[at];
    assert.equal(told.message, CUT.test(text) ? plain : text);
    assert.equal(told.operation, safeLine(operation));
    assert.equal(told.progress, `${progress.current} of ${progress.total} ${safeLine(progress.unit)}`);
    assert.equal(told.event, event === undefined ? undefined : safeLine(event));
    const json = JSON.stringify(fields, null, 2);
    assert.equal(told.fields, json.split("\n").map(safeLine).join("\n"));
  });
}

/** Returns a message that has a text in every place that a publisher can fill. */
const message = (text, at) => ({
  message: text,
  operation: nameOf(text, 128),
  progress: { current: at, total: 1000, unit: nameOf(text, 32) },
  fields: JSON.parse(`{${JSON.stringify(text)}: ${JSON.stringify(text)}, "__proto__": {"polluted": ${JSON.stringify([text])}}}`),
});

test("a thousand hostile texts of publishers stay text in every place", async () => {
  const server = await serve(["--log-messages", "3000", "--log-bytes", "64MiB", "--max-message", "1MiB"]);
  const id = await connect(server);
  const page = await open(server, id, WIDE);
  const watched = await watchOver(page, server);
  // The server refuses what it does not accept: these are the other texts.
  const sent = TEXTS.map((text, at) => message(text.toWellFormed(), at));
  await publish(server, id, ...sent);
  await says(page, "received 1,000 ·");
  await compare(page, sent);
  await watched.ends();
});

/** Starts a server whose streams have exactly what the test writes. */
async function scripted() {
  const server = await serve();
  const id = await connect(server);
  const stream = new PassThrough();
  const headers = { "Content-Type": "text/event-stream" };
  const proxy = await between(server, ({ method }) => (method === "GET" ? { status: 200, headers, body: stream } : undefined));
  stream.write(`id: 0-1\ndata: {"message":"begins","system":true}\n\n`);
  const page = await open(proxy, id, WIDE);
  await says(page, "● live");
  return { page, stream, watched: await watchOver(page, proxy) };
}

test("a thousand hostile texts of a server without checks stay text in every place", async () => {
  const { page, stream, watched } = await scripted();
  const sent = TEXTS.map((text, at) => ({ ...message(text, at), level: text, outcome: text, event: text }));
  sent.forEach((it, at) => stream.write(`id: ${at + 1}-1\nevent: ${nameOf(it.event, 64)}\ndata: ${JSON.stringify(it)}\n\n`));
  await says(page, "received 1,000 ·");
  // An invalid name of an event is left out, and half a surrogate pair is shown as the replacement character.
  const isName = (it) => /^[\w.-]{1,64}$/.test(it);
  const told = (text, at) => ({ ...message(text.toWellFormed(), at), event: isName(text) ? text : undefined });
  await compare(page, TEXTS.map(told));
  await watched.ends();
});

test("a thousand hostile IDs and plain texts stay text, and hostile names of events are left out", async () => {
  const { page, stream, watched } = await scripted();
  const lines = TEXTS.map((it) => it.toWellFormed().replace(/[\r\n]/g, ""));
  // By the standard, a line with NUL is no ID: with it, this would be the previous message once more.
  const ids = lines.map((it) => ` ${it.replaceAll("\0", "")}`);
  lines.forEach((it, at) => stream.write(`id: ${ids[at]}\nevent:  ${it}\ndata:  ${it}\n\n`));
  await says(page, "received 1,000 ·");
  const details = await allDetails(page, 1000);
  lines.forEach((it, at) => {
    assert.equal(details[at].message, safe(` ${it}`).plain);
    assert.equal(details[at].event, undefined);
    assert.equal(details[at].id, safeLine(ids[at]));
  });
  await watched.ends();
});

test("a thousand hostile names of operations stay text in gauges, questions and the title", async () => {
  const { page, stream, watched } = await scripted();
  const say = (text, at) => stream.write(`id: ${at + 1}-1\ndata: ${JSON.stringify(message(text, at))}\n\n`);
  for (let at = 0; at < TEXTS.length; at += 4) {
    const four = TEXTS.slice(at, at + 4);
    four.forEach((text, by) => say(text, at + by));
    const wanted = four.map((it) => safeLine(nameOf(it, 128)));
    const got = await page.evaluate(async (last) => {
      const names = () => [...document.querySelectorAll(".operation")];
      while (names().at(-1)?.querySelector(".name").textContent !== last) await new Promise(requestAnimationFrame);
      return names().map((line) => {
        const gauge = line.querySelector("progress");
        line.querySelector("button").click();
        const question = document.getElementById("dialog-title").textContent;
        document.getElementById("dialog").close();
        const name = line.querySelector(".name").textContent;
        const told = line.querySelector(".facts").textContent;
        return { name, told, label: gauge.getAttribute("aria-label"), value: gauge.getAttribute("aria-valuetext"), question };
      });
    }, wanted.at(-1));
    wanted.forEach((name, by) => {
      const { name: shown, told, label, value, question } = got[by];
      const unit = safeLine(nameOf(four[by], 32));
      assert.equal(shown.replace(/ \(\+\d+\)$/, ""), name);
      assert.equal(label, name);
      assert.equal(question, `Ask publishers to cancel ${name}?`);
      const done = `${at + by}/1,000 ${unit}`;
      // A unit in right-to-left script reorders nothing.
      const isolated = /[^ -~]/.test(unit) ? `\u2066${done}\u2069` : done;
      assert.ok(told.startsWith(`${isolated} · `) && value === told, `${told} | ${unit}`);
    });
    assert.match(await page.title(), /^\d+ % .* · codechat$/s);
  }
  await watched.ends();
});
