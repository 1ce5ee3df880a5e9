// Behind nginx, below a path that the proxy strips: the page, its files, its stream and its requests.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { after, test } from "node:test";
import { folder, open, publish, says, serve } from "./support.js";

/** The path of Debian's nginx, which is not in every user's PATH. */
const NGINX = process.env.NGINX ?? "/usr/sbin/nginx";
const missing = existsSync(NGINX) || process.env.CI ? false : `there is no ${NGINX}: apt-get install nginx`;

/** Returns the configuration of Debian's nginx, with a plain `proxy_pass`. */
const configuration = (port, server) => `
  daemon off; master_process off; pid nginx.pid; error_log error.log;
  events { worker_connections 768; }
  http {
    sendfile on; tcp_nopush on; gzip on; access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {
      listen 127.0.0.1:${port};
      absolute_redirect off;
      location = /chat { return 301 /chat/; }
      location /chat/ { proxy_pass ${server.url}/; proxy_set_header Host $http_host; }
    }
  }`;

/** Returns a port that nothing listens on. */
async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/** Returns whether something listens on a port. */
const listens = (port) =>
  new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });

/** Starts nginx before a server. */
async function nginxBefore(server) {
  const [where, port] = [folder(), await freePort()];
  writeFileSync(`${where}/nginx.conf`, configuration(port, server));
  const child = spawn(NGINX, ["-p", where, "-c", `${where}/nginx.conf`, "-e", `${where}/error.log`], { stdio: "inherit" });
  after(() => child.kill("SIGKILL"));
  while (!(await listens(port))) assert.equal(child.exitCode, null);
  return { url: `http://127.0.0.1:${port}` };
}

test("below a path of nginx everything works, also from the path without its slash", { skip: missing }, async () => {
  const server = await serve();
  const nginx = await nginxBefore(server);
  const page = await open({ url: `${nginx.url}/chat` });
  await says(page, "Nothing has come yet");
  const { pathname, hash } = new URL(page.url());
  assert.equal(pathname, "/chat/");
  await says(page, `${nginx.url}/chat/api/v1/sse/debug/${hash.slice(1)}`);
  await publish({ url: `${nginx.url}/chat` }, hash.slice(1), "through nginx");
  await says(page, "through nginx");
  await page.getByLabel("Search", { exact: true }).fill("nginx");
  await page.locator("#hits", { hasText: /^1$/ }).waitFor();
  await page.getByRole("button", { name: "Ask detail" }).click();
  await says(page, "publishers were asked for debug detail");
  assert.deepEqual(page.errors, []);
});

test("a link through the path without its slash keeps its fragment", { skip: missing }, async () => {
  const server = await serve();
  const nginx = await nginxBefore(server);
  const { clientId } = await (await fetch(`${nginx.url}/chat/api/v1/sse/connect`)).json();
  await publish({ url: `${nginx.url}/chat` }, clientId, "first", "second");
  const page = await open({ url: `${nginx.url}` });
  await page.goto(`${nginx.url}/chat#${clientId}/1`);
  await page.getByRole("option", { name: /first/, selected: true }).waitFor();
  assert.equal(page.url(), `${nginx.url}/chat/#${clientId}/1`);
  assert.deepEqual(page.errors, []);
});
