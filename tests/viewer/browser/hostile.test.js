// Hostile text is text: no element, no dialog, no navigation, no request and no report comes of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, open, publish, says, serve } from "./support.js";

const PARTS = [
  "<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "&lt;b&gt;&#x3c;i&#x3e;", "javascript:alert(1)",
  "data:text/html,<script>alert(1)</script>", "url(http://127.0.0.1:9/x)", "\u001b]8;;http://127.0.0.1:9/\u0007link\u001b]8;;\u0007",
  "\u001b[31m<b>red\u001b[0m", "\u202egnp.exe", "\u200b", "\u0000", "__proto__", "constructor", "\u001b[999999m", "<style>*{display:none}</style>",
  '" onmouseover="alert(1)', "'", "`${alert(1)}`", "\r\n\r\n", "<svg/onload=alert(1)>",
];

test("a thousand hostile strings are inert in every place", async () => {
  const server = await serve(["--log-messages", "3000"]);
  const id = await connect(server);
  const page = await open(server, id);
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("dialog", (dialog) => assert.fail(dialog.message()));
  await page.evaluate(() => {
    globalThis.reports = [];
    document.addEventListener("securitypolicyviolation", (event) => globalThis.reports.push(event.violatedDirective));
  });
  const clean = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "") || "x";
  const strings = Array.from({ length: 1000 }, (_, at) => {
    const [one, other] = [PARTS[at % PARTS.length], PARTS[Math.floor(at / PARTS.length) % PARTS.length]];
    return `${one}${at}${other}`;
  });
  const messages = strings.map((text, at) => ({
    message: text,
    operation: clean(text).slice(0, 100),
    progress: { current: at, total: 1000, unit: clean(text).slice(0, 20) },
    fields: { [text]: text },
  }));
  await publish(server, id, ...messages, "the last one");
  await says(page, "the last one");
  await page.keyboard.press("p");
  for (let step = 0; step < 60; step += 1) await page.keyboard.press("b");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  const known = new Set(await page.evaluate(() => [...document.querySelectorAll("*")].map((it) => it.localName)));
  for (const name of ["img", "iframe", "object", "a", "svg"]) assert.ok(!known.has(name), name);
  assert.deepEqual(await page.evaluate(() => globalThis.reports), []);
  assert.deepEqual(asked.filter((it) => !it.startsWith(server.url)), []);
  assert.deepEqual(page.errors, []);
});
