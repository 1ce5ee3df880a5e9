// A page of another origin cannot show the page in a frame, read it, run its modules or hold its window; nor can one
// that differs only in the port. Two things prevent it, each on its own: the server refuses requests that a browser
// marks as coming from another origin, and the header fields of its answers inform the browser. Each refusal is tested
// beside the same request of the page's own, which succeeds.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { before, connect, listening, open, publish, says, serve } from "./support.js";

/** Starts a foreign server, with a page, a module, a style sheet and a picture. */
function stranger() {
  const files = new Map([
    ["/own.js", ["text/javascript", "export const own = 1;"]],
    ["/own.css", ["text/css", "body { margin: 0 }"]],
    ["/own.svg", ["image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>']],
  ]);
  const server = createServer(({ url }, reply) => {
    const [type, body] = files.get(url) ?? ["text/html", "<title>other</title><p>other page"];
    reply.writeHead(200, { "Content-Type": type });
    reply.end(body);
  });
  return listening(server);
}

/** Hides from a server where a browser's requests come from. */
const unsaid = (server) =>
  before(server, ({ headers }) => {
    for (const it of ["origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"]) delete headers[it];
  });

/** Starts the server with a client that has a message, and opens a foreign page, at this name of the machine. */
async function setUp({ name, isUnsaid }) {
  const direct = await serve();
  const server = isUnsaid ? await unsaid(direct) : direct;
  const id = await connect(server);
  await publish(server, id, "secret words");
  const text = await (await fetch(server.url)).text();
  const [, build] = /data-build="([0-9a-f]+)"/.exec(text);
  const { port } = await stranger();
  const own = `http://${name}:${port}`;
  const page = await open({ url: own });
  await says(page, "other page");
  return { server, id, files: `${server.url}/viewer/${build}`, page, own };
}

const CASES = [
  { name: "localhost", isUnsaid: false, what: "another host" },
  { name: "localhost", isUnsaid: true, what: "another host, by the header fields alone," },
  { name: "127.0.0.1", isUnsaid: false, what: "another port" },
  { name: "127.0.0.1", isUnsaid: true, what: "another port, by the header fields alone," },
];

for (const { what, ...how } of CASES) {
  test(`a page of ${what} cannot show the page in a frame`, async () => {
    const { server, id, page, own } = await setUp(how);
    /** Returns what an element of the page in a frame shows. */
    const shown = async (address, element) => {
      await page.evaluate(async (it) => {
        const frame = document.createElement("iframe");
        frame.src = it;
        await new Promise((resolve) => {
          frame.onload = resolve;
          document.body.replaceChildren(frame);
        });
      }, address);
      const [frame] = page.mainFrame().childFrames();
      return frame.locator(element).allTextContents();
    };
    assert.deepEqual(await shown(`${own}/inner`, "p"), ["other page"]);
    assert.deepEqual(await shown(`${server.url}/#${id}`, "#app, #static"), []);
    if (how.isUnsaid) assert.match(page.mainFrame().childFrames()[0].url(), /^chrome-error:/);
  });

  test(`a page of ${what} cannot read the page, its files or a stream`, async () => {
    const { server, id, files, page, own } = await setUp(how);
    const read = (address, mode) =>
      page.evaluate(async ([it, mode]) => {
        try {
          const response = await fetch(it, { mode });
          return (await response.text()).length;
        } catch {
          return "refused";
        }
      }, [address, mode]);
    for (const mode of ["cors", "no-cors"]) {
      assert.ok((await read(`${own}/own.js`, mode)) > 0);
      const api = `${server.url}/api/v1/sse`;
      for (const address of [`${server.url}/`, `${files}/main.js`, `${api}/connect`, `${api}/debug/${id}?format=json`]) {
        const got = await read(address, mode);
        // An opaque answer has no text that a page could read.
        assert.ok(got === "refused" || (mode === "no-cors" && got === 0), `${mode} ${address}: ${got}`);
      }
    }
  });

  test(`a page of ${what} cannot load the page's files`, async () => {
    const { files, page, own } = await setUp(how);
    const load = (tag, attributes) =>
      page.evaluate(async ([tag, attributes]) => {
        const element = Object.assign(document.createElement(tag), attributes);
        return new Promise((resolve) => {
          element.onload = () => resolve("loaded");
          element.onerror = () => resolve("refused");
          document.head.append(element);
        });
      }, [tag, attributes]);
    const run = (address) => page.evaluate((it) => import(it).then(() => "loaded", () => "refused"), address);
    assert.equal(await run(`${own}/own.js`), "loaded");
    assert.equal(await load("script", { src: `${own}/own.js`, type: "module" }), "loaded");
    assert.equal(await load("link", { rel: "stylesheet", href: `${own}/own.css` }), "loaded");
    assert.equal(await load("img", { src: `${own}/own.svg` }), "loaded");
    assert.equal(await run(`${files}/text.js`), "refused");
    assert.equal(await load("script", { src: `${files}/main.js` }), "refused");
    assert.equal(await load("script", { src: `${files}/main.js`, type: "module" }), "refused");
    assert.equal(await load("link", { rel: "stylesheet", href: `${files}/viewer.css` }), "refused");
    assert.equal(await load("img", { src: `${files}/icon.svg` }), "refused");
  });

  test(`a page of ${what} cannot hold the page's window`, async () => {
    const { server, id, page, own } = await setUp(how);
    const opened = async (address, words) => {
      const [popup] = await Promise.all([
        page.context().waitForEvent("page"),
        page.evaluate((it) => (globalThis.held = globalThis.open(it, "named")).closed, address),
      ]);
      await says(popup, words);
      return popup;
    };
    const inner = await opened(`${own}/inner`, "other page");
    assert.equal(await page.evaluate(() => globalThis.held.closed), false);
    assert.ok(await inner.evaluate(() => Boolean(globalThis.opener)));
    await inner.close();
    // Another window can take its name only then.
    await page.waitForFunction(() => globalThis.held.closed);
    const popup = await opened(`${server.url}/#${id}`, "secret words");
    assert.equal(await popup.evaluate(() => globalThis.opener), null);
    assert.equal(await popup.evaluate(() => globalThis.name), "");
    assert.equal(await page.evaluate(() => globalThis.held.closed), true);
    // Neither the handle nor the name leads anywhere now.
    await popup.evaluate(() => addEventListener("message", ({ data }) => (globalThis.heard = data)));
    await page.evaluate(() => {
      globalThis.held.postMessage("psst", "*");
      globalThis.held.location = "about:blank";
    });
    const other = await opened(`${own}/inner`, "other page");
    assert.equal(other.url(), `${own}/inner`);
    await says(popup, "● live");
    assert.equal(popup.url(), `${server.url}/#${id}`);
    assert.equal(await popup.evaluate(() => globalThis.heard), undefined);
  });
}

test("a page of this origin itself can read it", async () => {
  const server = await serve();
  const page = await open(server);
  assert.match(await page.evaluate(async () => (await fetch("./")).text()), /<title[^>]*>codechat/);
});
