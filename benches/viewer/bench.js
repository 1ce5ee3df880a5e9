// What all rows share: the server, the browser, the two pages, and a publisher.

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { MEASURE } from "./measure.js";
import { NAIVE } from "./naive.js";

const { chromium } = createRequire(new URL("../../tests/viewer/package.json", import.meta.url))("playwright-core");
const BINARY = process.env.CODECHAT ?? new URL("../../target/release/codechat", import.meta.url).pathname;
const API = "api/v1/sse";
/** Time without an answer after which a page counts as dead, in ms. */
export const PATIENCE = 15_000;

/** Starts a server that keeps more than any row publishes at once. @param {string} origin of the naive page */
async function serve(origin) {
  const flags = ["--log-messages", "300000", "--log-bytes", "512MiB", "--cors-origin", origin];
  const child = spawn(BINARY, ["serve", "--listen", "127.0.0.1:0", ...flags], {
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "ignore", "pipe"],
  });
  for await (const line of createInterface({ input: child.stderr })) {
    const found = /listening on (http:\/\/[0-9.:]+)/.exec(line);
    if (!found) continue;
    child.stderr.resume();
    return { url: found[1], child };
  }
  throw new Error(`${BINARY} does not listen`);
}

/** Serves the naive page at `/`, and a page with a single word at `/empty`. */
async function serveNaive() {
  const server = createServer(({ url }, response) => {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(url === "/empty" ? "<!doctype html><title>empty</title><p>empty" : NAIVE);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

export async function openBench() {
  const naive = await serveNaive();
  const server = await serve(naive.url);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
  });

  return {
    browser,
    empty: `${naive.url}/empty`,
    /** Gets a new client ID. */
    async connect() {
      const response = await fetch(`${server.url}/${API}/connect`);
      return (await response.json()).clientId;
    },
    /** Returns the address that shows a client's messages. */
    address: (subject, id) => (subject === "page" ? `${server.url}/#${id}` : `${naive.url}/#${server.url}/${API}/debug/${id}`),
    /** Opens an address in a tab with a profile of its own. With `isMeasured`, its frames, keys and tasks are measured. */
    async open(address, isMeasured = true) {
      const context = await browser.newContext({ viewport: { width: 1000, height: 600 } });
      const tab = await context.newPage();
      if (isMeasured) await tab.addInitScript(MEASURE);
      await tab.goto(address, { waitUntil: "commit" });
      return tab;
    },
    /** Publishes texts in one request. */
    async publish(id, texts, signal) {
      const body = texts.map((it) => JSON.stringify(it)).join("\n");
      const headers = { "Content-Type": "application/x-ndjson" };
      const response = await fetch(`${server.url}/${API}/debug/${id}`, { method: "POST", headers, body, signal });
      if (!response.ok) throw new Error(await response.text());
    },
    async close() {
      await browser.close();
      naive.server.close();
      naive.server.closeAllConnections();
      server.child.kill();
    },
  };
}

/** Returns the value of a promise, or `undefined` if it takes too long or fails. @template T @param {Promise<T>} promise */
export function within(promise, limit = PATIENCE) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, limit)));
  return Promise.race([promise, late])
    .catch(() => undefined)
    .finally(() => clearTimeout(timer));
}

/** Returns messages `from` to `to` of 110 bytes. One in a hundred has the word "needle"; the pattern `(a+)+$` hangs in each. */
export function messages(from, to) {
  return Array.from({ length: to - from }, (_, at) => {
    const number = from + at;
    const text = `Processed file ${number}${number % 100 === 0 ? " needle" : ""}: src/server/handlers/of_a_project/`;
    return text.padEnd(109, "a").concat("!");
  });
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Returns the value below which this part of the values lies. */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}
