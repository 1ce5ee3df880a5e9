// Every answer that a server, or something before it, can give is shown with what to do about it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { between, connect, open, problem, publish, says, serve } from "./support.js";

for (const size of [{ width: 1000, height: 600 }, { width: 320, height: 600 }]) {
  test(`each state says what to do, at ${size.width} px`, async () => {
    const server = await serve();
    const id = await connect(server);
    let answer;
    const proxy = await between(server, () => answer);
    const cases = [
      [{ status: 204, headers: {} }, "■ ended", "New stream"],
      [problem(403, "Host example.org is not this server's"), "Host example.org is not this server's", "Reload"],
      [problem(403, "not from here"), "(behind a proxy: let it pass Host on, and see --allowed-host)", "Reload"],
      [problem(404, "no such path"), "no codechat at /", "Reload"],
      [problem(429, "too many streams", { "Retry-After": "7" }), "reconnecting, try 1 in 7 s (429 too many streams)", "Now"],
      [problem(503, "shutting down", { "Retry-After": "9" }), "(503 shutting down)", "Now"],
      [{ status: 302, headers: { Location: "/login" } }, /^■ something between answers instead \(a login\?\)$/, "Reload"],
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

test("a stream that is refused without a token asks for it, and continues with it", async () => {
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

test("without a token, another client can be watched instead", async () => {
  const server = await serve();
  const [id, other] = [await connect(server), await connect(server)];
  await publish(server, other, "of the other");
  const proxy = await between(server, (asked) => (asked.url.includes(other) ? undefined : problem(401, "a token is needed")));
  const page = await open(proxy, id);
  const dialog = page.getByRole("dialog", { name: "This server asks for its token" });
  const field = dialog.getByLabel("Or another ID");
  await field.fill("no ID");
  await field.press("Enter");
  assert.ok(await dialog.isVisible());
  await field.fill(other);
  await field.press("Enter");
  await says(page, "of the other");
  assert.ok(page.url().endsWith(`#${other}`));
  assert.deepEqual(page.errors, []);
});

test("a control request that is refused without a token asks for it in place, and is then sent", async () => {
  const server = await serve();
  const id = await connect(server);
  const proxy = await between(server, ({ url, headers }) =>
    url.includes("/control/") && headers.authorization !== "Bearer right" ? problem(401, "not without a token") : undefined,
  );
  const page = await open(proxy, id);
  await publish(server, id, "kept");
  await says(page, "kept");
  await page.keyboard.press("D");
  const dialog = page.getByRole("dialog", { name: "This server asks for its token" });
  await dialog.getByText("not without a token").waitFor();
  assert.ok(!(await dialog.getByLabel("Or another ID").isVisible()));
  await dialog.getByLabel("Token", { exact: true }).fill("right");
  await dialog.getByLabel("Token", { exact: true }).press("Enter");
  await says(page, "publishers were asked for debug detail");
  await page.getByRole("button", { name: "Ask detail", pressed: true }).waitFor();
  assert.ok(await page.getByText("kept").isVisible());
});

test("a page that gets no ID at first tries again", async () => {
  const server = await serve();
  const page = await open(server);
  await says(page, "Nothing has come yet");
  const told = [503, 200];
  await page.route("**/connect", (route) => {
    const status = told.shift();
    return status === 503 ? route.fulfill({ status, body: "{}" }) : route.continue();
  });
  await page.evaluate(() => history.replaceState(null, "", "./"));
  await page.reload();
  await says(page, "reconnecting, try 1");
  await says(page, "Nothing has come yet");
  assert.match(new URL(page.url()).hash, /^#[0-9a-f-]{36}$/);
});

test("a quiet stream that ends and begins again leaves one line, and then shows new messages", { timeout: 60_000 }, async () => {
  const server = await serve(["--idle-timeout", "1s"]);
  const id = await connect(server);
  let begins = 0;
  /** @type {() => void} */
  let third;
  const hasBegunThrice = new Promise((resolve) => (third = resolve));
  const proxy = await between(server, () => void (++begins === 3 && third()));
  const page = await open(proxy, id);
  await says(page, "-- ended: nothing happened for the idle timeout --");
  await hasBegunThrice;
  await says(page, "● live");
  await publish(server, id, "news");
  await says(page, "news");
  const texts = await page.locator(".row .text").allTextContents();
  assert.equal(texts.filter((it) => it.includes("idle timeout")).length, 1, texts.join("\n"));
  assert.equal(texts.filter((it) => it.includes("Starting server")).length, 1, texts.join("\n"));
  assert.deepEqual(page.errors, []);
});

test("an error in the page is reported, and its messages stay and can be saved", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, { message: "kept", fields: { a: 1 } });
  await says(page, "kept");
  await page.evaluate(() => void Promise.reject(new Error("out of \u202espace")));
  await page.getByRole("alert").getByText("The page itself has failed: Error: out of <U+202E>space").waitFor();
  await page.evaluate(() => setTimeout(() => { throw new Error("second"); }));
  await page.getByRole("alert").getByText("second").waitFor();
  const download = page.waitForEvent("download");
  await page.keyboard.press("S");
  const { readFile } = await import("node:fs/promises");
  const text = await readFile(await (await download).path(), "utf8");
  assert.deepEqual(JSON.parse(text.trim().split("\n").at(-1)).fields, { a: 1 });
  await page.getByRole("alert").getByRole("button", { name: "Reload" }).click();
  await page.getByRole("alert").waitFor({ state: "hidden" });
  await says(page, "kept");
});

test("a saved file can be downloaded for a while", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id);
  await publish(server, id, "kept");
  await says(page, "kept");
  await page.evaluate(() => {
    const create = URL.createObjectURL.bind(URL);
    URL.createObjectURL = (blob) => (window.saved = create(blob));
  });
  const download = page.waitForEvent("download");
  await page.keyboard.press("s");
  assert.match((await download).suggestedFilename(), /^codechat-[0-9a-f]{8}-\d{8}T\d{6}Z\.txt$/);
  // The policy of the page does not let it fetch a blob; a link to it can be followed again.
  const again = page.waitForEvent("download");
  await page.evaluate(() => {
    const link = document.createElement("a");
    [link.href, link.download] = [window.saved, "again.txt"];
    link.click();
  });
  assert.equal(await (await again).failure(), null);
});

test("another server's answer to a control request is not taken for the server's", async () => {
  const server = await serve();
  const id = await connect(server);
  const login = { status: 200, headers: { "Content-Type": "text/html" }, body: "<title>Log in</title>" };
  const proxy = await between(server, ({ method }) => (method === "POST" ? login : undefined));
  const page = await open(proxy, id);
  await publish(server, id, "kept");
  await says(page, "kept");
  await page.keyboard.press("D");
  await says(page, "publishers could not be asked: something between answers instead (a login?)");
  await page.getByRole("button", { name: "Ask detail", pressed: false }).waitFor();
  await page.locator("#menu-button").click();
  await page.getByRole("menuitem", { name: "End this stream" }).click();
  await page.getByRole("button", { name: "End it" }).click();
  await says(page, "the stream could not be ended: something between answers instead (a login?)");
  assert.deepEqual(page.errors, []);
});

test("the same ID, entered where a token is asked for, is tried again", async () => {
  const server = await serve();
  const id = await connect(server);
  await publish(server, id, "of this one");
  let isOpen = false;
  const proxy = await between(server, () => (isOpen ? undefined : problem(401, "a token is needed")));
  const page = await open(proxy, id);
  const field = page.getByRole("dialog", { name: "This server asks for its token" }).getByLabel("Or another ID");
  await field.fill(id);
  isOpen = true;
  await field.press("Enter");
  await says(page, "of this one");
  assert.deepEqual(page.errors, []);
});

for (const size of [{ width: 1000, height: 600 }, { width: 320, height: 600 }]) {
  test(`a control request is shown until publishers answer or it is refused, at ${size.width} px`, async () => {
    const server = await serve();
    const id = await connect(server);
    let answer;
    const proxy = await between(server, ({ method }) => (method === "POST" ? answer : undefined));
    const page = await open(proxy, id, size);
    await publish(server, id, { message: "begins", operation: "deploy", progress: { current: 1, total: 4 } });
    await says(page, "begins");
    const cancel = async () => {
      await page.keyboard.press("x");
      await page.getByRole("button", { name: "Ask to cancel" }).click();
    };
    const asked = page.locator(".operation .told", { hasText: "asked to cancel" });
    // While there is no answer yet.
    let refuse;
    const refused = new Promise((resolve) => (refuse = resolve));
    await page.route("**/control/**", async (route) => {
      await refused;
      return route.continue();
    });
    answer = problem(400, "not today");
    await cancel();
    await asked.waitFor();
    refuse();
    await says(page, "publishers could not be asked: not today");
    await asked.waitFor({ state: "hidden" });
    // Another reason, so that the notice of the first refusal is not taken for the second's.
    answer = problem(400, "not this week");
    await page.keyboard.press("D");
    await says(page, "publishers could not be asked: not this week");
    assert.equal(await page.getByText("detail asked").count(), 0);
    answer = undefined;
    await cancel();
    await says(page, "publishers were asked to cancel deploy");
    await page.keyboard.press("D");
    await says(page, "publishers were asked for debug detail");
    // The next key removes the notice.
    await page.keyboard.press("j");
    await page.locator("#notice").waitFor({ state: "hidden" });
    await publish(server, id, { message: "goes on", operation: "deploy", progress: { current: 2, total: 4 } });
    await says(page, "goes on");
    assert.ok(await asked.isVisible());
    await says(page, /● live.* · detail asked/);
    await publish(server, id, { message: "stops", operation: "deploy", outcome: "cancelled" });
    await page.locator(".operation .told", { hasText: /^cancelled$/ }).waitFor();
    await publish(server, id, { message: "once more", operation: "deploy", progress: { current: 0, total: 4 } });
    await asked.waitFor({ state: "hidden" });
    assert.deepEqual(page.errors, []);
  });
}

for (const size of [{ width: 1000, height: 600 }, { width: 320, height: 600 }]) {
  test(`a control request without publishers, an end and a missing token are reported, at ${size.width} px`, async () => {
    const server = await serve();
    const id = await connect(server);
    let answer;
    const proxy = await between(server, () => answer);
    const page = await open(proxy, id, size);
    await says(page, "● live");
    await publish(server, id, { message: "kept", operation: "deploy" });
    await says(page, "kept");
    answer = problem(404, "no such client");
    await page.keyboard.press("x");
    const dialog = page.getByRole("dialog", { name: "Ask publishers to cancel deploy?" });
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Keep running");
    await dialog.getByRole("button", { name: "Ask to cancel" }).click();
    await says(page, "publishers could not be asked: nobody publishes here any more");
    answer = undefined;
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("menuitem", { name: "End this stream…" }).click();
    await page.getByRole("button", { name: "End it" }).click();
    await says(page, "■ ended (stopped)");
    assert.ok(await page.getByRole("option", { name: /kept/ }).isVisible());
    answer = problem(401, "a token is needed");
    await page.reload();
    const token = page.getByRole("dialog", { name: "This server asks for its token" });
    await token.getByLabel("Token", { exact: true }).waitFor();
    await token.getByRole("button", { name: "Close" }).click();
    await page.getByRole("button", { name: "Reload", exact: true }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), size.width);
    assert.deepEqual(page.errors, []);
  });
}
