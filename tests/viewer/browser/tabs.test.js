// Over HTTP/2 all pages share one connection, so that none gives its own up.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { open, says, serve } from "./support.js";

test("over HTTP/2 a hidden page keeps its stream, however many others are looked at", async () => {
  const folder = mkdtempSync(`${tmpdir()}/viewer-`);
  const [key, cert] = [`${folder}/key.pem`, `${folder}/cert.pem`];
  const wanted = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", [...wanted, ...name, "-keyout", key, "-out", cert], { stdio: "ignore" });
  const server = await serve(["--tls-cert", cert, "--tls-key", key]);
  const first = await open(server);
  await says(first, "● live");
  assert.equal(await first.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol), "h2");
  await see(first, "hidden");
  for (let at = 0; at < 7; at += 1) {
    const other = await first.context().newPage();
    await other.goto(server.url);
    await says(other, "● live");
    await see(other, "hidden");
  }
  // Over HTTP/1.1 the first would be asleep by now; what is hidden is not drawn, so it is looked at.
  const states = [];
  await first.exposeFunction("told", (text) => states.push(text));
  await first.evaluate(() => {
    const state = document.getElementById("state");
    new MutationObserver(() => window.told(state.textContent)).observe(state, { childList: true, characterData: true, subtree: true });
  });
  let asked = 0;
  first.on("request", () => (asked += 1));
  await see(first, "visible");
  await says(first, "● live");
  assert.equal(asked, 0);
  assert.deepEqual(states.filter((it) => !it.startsWith("● live")), []);
  assert.deepEqual(first.errors, []);
});

/** Tells a page whether it is seen: a headless browser shows all of its tabs. */
async function see(page, state) {
  await page.evaluate((it) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => it });
    Object.defineProperty(document, "hidden", { configurable: true, get: () => it === "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
}
