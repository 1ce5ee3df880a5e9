// Every answer that a server, or something between, can give is told with what to do about it.

import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { after, test } from "node:test";
import { connect, open, says, serve } from "./support.js";

/** A proxy before the server that answers requests for a stream as it is told; `undefined` passes them on. */
async function between(server, answer) {
  const proxy = createServer((asked, reply) => {
    const own = asked.url.includes("/debug/") ? answer(asked) : undefined;
    if (own) {
      reply.writeHead(own.status, own.headers);
      reply.end(own.body);
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
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  after(() => proxy.close());
  return { url: `http://127.0.0.1:${proxy.address().port}` };
}

const problem = (status, detail, headers = {}) => ({
  status,
  headers: { "Content-Type": "application/problem+json", ...headers },
  body: JSON.stringify({ detail }),
});

for (const size of [{ width: 1000, height: 600 }, { width: 320, height: 600 }]) {
  test(`each state says what to do, at ${size.width} px`, async () => {
    const server = await serve();
    const id = await connect(server);
    let answer;
    const proxy = await between(server, () => answer);
    const cases = [
      [{ status: 204, headers: {} }, "■ ended", "New stream"],
      [problem(403, "Host example.org is not this server's"), "Host example.org is not this server's", "Reload"],
      [problem(404, "no such path"), "no codechat at /", "Reload"],
      [problem(429, "too many streams", { "Retry-After": "7" }), "reconnecting, try 1 in 7 s (429 too many streams)", "Now"],
      [problem(503, "shutting down"), "(503 shutting down)", "Now"],
      [{ status: 302, headers: { Location: "/login" } }, "something between answers instead (a login?)", "Reload"],
      [{ status: 200, headers: { "Content-Type": "text/html" }, body: "<p>login" }, "something between answers instead", "Reload"],
    ];
    for (const [told, text, button] of cases) {
      answer = told;
      const page = await open(proxy, id, size);
      await says(page, text);
      await page.getByRole("button", { name: button, exact: true }).waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), size.width);
      assert.deepEqual(page.errors, []);
      answer = undefined;
      if (button === "Now") {
        await page.getByRole("button", { name: button, exact: true }).click();
        await says(page, "● live");
      }
      await page.close();
    }
  });
}

test("a stream that is refused for want of a token asks for it, and goes on with it", async () => {
  const server = await serve();
  const id = await connect(server);
  const proxy = await between(server, (asked) =>
    asked.headers.authorization === "Bearer right" ? undefined : problem(401, "a token is needed"),
  );
  const page = await open(proxy, id);
  const dialog = page.getByRole("dialog", { name: "This server asks for its token" });
  await dialog.getByText("a token is needed").waitFor();
  await dialog.getByLabel("Token", { exact: true }).fill("right");
  await dialog.getByRole("button", { name: "Send" }).click();
  await says(page, "● live");
});

test("the page works below a path", async () => {
  const server = await serve();
  const proxy = createServer((asked, reply) => {
    const path = asked.url.replace(/^\/chat/, "");
    const { headers } = asked;
    const onward = request(`${server.url}${path}`, { method: asked.method, headers }, (got) => {
      reply.writeHead(got.statusCode, got.headers);
      got.pipe(reply);
    });
    asked.pipe(onward);
    reply.on("close", () => onward.destroy());
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  after(() => proxy.close());
  const page = await open({ url: `http://127.0.0.1:${proxy.address().port}/chat` });
  await says(page, "Nothing has come yet");
  await says(page, `/chat/api/v1/sse/debug/`);
  assert.deepEqual(page.errors, []);
});
