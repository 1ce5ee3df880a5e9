// What the browser tests share: the real server on a port of its own, and Chromium.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { chromium } from "playwright-core";

const BINARY = process.env.CODECHAT ?? new URL("../../../target/debug/codechat", import.meta.url).pathname;

/** Starts `codechat serve` with these flags, and waits until it listens. */
export async function serve(flags = [], port = 0) {
  const child = spawn(BINARY, ["serve", "--listen", `127.0.0.1:${port}`, ...flags], {
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "ignore", "pipe"],
  });
  after(() => child.kill("SIGKILL"));
  for await (const line of createInterface({ input: child.stderr })) {
    const found = /listening on (https?:\/\/[0-9.:]+)/.exec(line);
    if (found) {
      const url = found[1];
      child.stderr.resume();
      return { url, child, port: Number(new URL(url).port) };
    }
  }
  throw new Error("the server does not listen");
}

/** Ends a server at once. */
export async function kill(server) {
  server.child.kill("SIGKILL");
  await once(server.child, "exit");
}

/** Gets a client ID. */
export async function connect(server, token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(`${server.url}/api/v1/sse/connect`, { headers });
  return (await response.json()).clientId;
}

/** Publishes messages, objects or texts, in one body. */
export async function publish(server, id, ...messages) {
  const body = messages.map((it) => JSON.stringify(it)).join("\n");
  const headers = { "Content-Type": "application/x-ndjson" };
  const response = await fetch(`${server.url}/api/v1/sse/debug/${id}`, { method: "POST", headers, body });
  if (!response.ok) throw new Error(await response.text());
}

let browser;

/** Opens a page of the server in a tab of its own; errors of the page fail the test. */
export async function open(server, fragment = "", size = { width: 1000, height: 600 }) {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
  });
  const context = await browser.newContext({ viewport: size, ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      page.errors.push(message.text());
    }
  });
  await page.goto(`${server.url}/${fragment ? `#${fragment}` : ""}`);
  after(() => context.close());
  return page;
}

after(() => browser?.close());

/** Waits until the page says so. */
export async function says(page, text) {
  await page.getByText(text).first().waitFor({ timeout: 15_000 });
}
