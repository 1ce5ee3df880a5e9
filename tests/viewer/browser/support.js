// Shared by the browser tests: the real server on a port of its own, and Chromium.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

const SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];

/** Starts Chromium; `more` are further options of playwright. */
export function launch({ args = [], ...more } = {}) {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: [...SWITCHES, ...args], ...more });
}

/** Starts Chromium as for users, with a profile of its own, and returns its context. */
export async function launchPlain() {
  const profile = folder();
  const child = spawn(process.env.CHROMIUM ?? "/usr/bin/chromium", [...SWITCHES, "--headless=new", "--remote-debugging-port=0",
    `--user-data-dir=${profile}`, "about:blank"], { stdio: ["ignore", "ignore", "pipe"], detached: true });
  after(async () => {
    const isOver = once(child, "exit");
    process.kill(-child.pid, "SIGKILL");
    await isOver;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  for await (const line of createInterface({ input: child.stderr })) {
    const found = /DevTools listening on (ws:.*)/.exec(line);
    if (!found) continue;
    child.stderr.resume();
    const plain = await chromium.connectOverCDP(found[1], { noDefaults: true });
    return plain.contexts()[0];
  }
  throw new Error("Chromium does not start");
}

let browser;
// A hook of the file; within a test it would be one of that test.
after(() => browser?.close());

/** Opens a page of the server in a tab of its own; `more` are further options of its context. */
export async function open(server, fragment = "", size = { width: 1000, height: 600 }, more = {}) {
  browser ??= await launch();
  const context = await browser.newContext({ viewport: size, ignoreHTTPSErrors: true, ...more });
  after(() => context.close());
  return openIn(context, `${server.url}/${fragment ? `#${fragment}` : ""}`);
}

/** Opens an address in a new tab, and collects the tab's errors in its `errors`. */
export async function openIn(context, address) {
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      page.errors.push(message.text());
    }
  });
  await page.goto(address);
  return page;
}

/** Waits until the page shows this text. */
export async function says(page, text) {
  await page.getByText(text).filter({ visible: true }).first().waitFor({ timeout: 15_000 });
}

/** Sets whether a page is visible: in a headless browser all tabs are. */
export async function see(page, state) {
  await page.evaluate((it) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => it });
    Object.defineProperty(document, "hidden", { configurable: true, get: () => it === "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
}

/** Starts a proxy before the server. `answer` answers requests about a client; `undefined` passes them on. */
export const between = (server, answer) => before(server, (asked) => (asked.url.includes("/debug/") ? answer(asked) : undefined));

/** The same for all requests. */
export function before(server, answer) {
  const proxy = createServer((asked, reply) => {
    const own = answer(asked);
    if (own) {
      reply.writeHead(own.status, own.headers);
      if (own.body?.pipe) own.body.pipe(reply);
      else reply.end(own.body);
      return;
    }
    const onward = request(`${server.url}${asked.url}`, { method: asked.method, headers: asked.headers }, (got) => {
      reply.writeHead(got.statusCode, got.headers);
      got.pipe(reply);
    });
    onward.on("error", () => reply.destroy());
    asked.pipe(onward);
    reply.on("close", () => onward.destroy());
  });
  return listening(proxy);
}

/** Makes a server of node listen on a port of its own. */
export async function listening(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address();
  return { url: `http://127.0.0.1:${port}`, port };
}

/** Returns an answer that says what is wrong with a request. */
export const problem = (status, detail, headers = {}) => ({
  status,
  headers: { "Content-Type": "application/problem+json", ...headers },
  body: JSON.stringify({ detail }),
});

/** Makes a folder for a test's files. */
export const folder = () => mkdtempSync(join(tmpdir(), "viewer-"));

/** Starts a server that speaks HTTPS, and so HTTP/2, with a self-signed certificate. */
export function serveSecurely() {
  const where = folder();
  const [key, cert] = [join(where, "key.pem"), join(where, "cert.pem")];
  const wanted = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", [...wanted, ...name, "-keyout", key, "-out", cert], { stdio: "ignore" });
  return serve(["--tls-cert", cert, "--tls-key", key]);
}
