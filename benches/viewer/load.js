// The rows in which many messages arrive.

import { PATIENCE, messages, quantile, sleep, within } from "./bench.js";

const RATE = 5000;
const SECONDS = 60;
const AT_ONCE = 200_000;

const ms = (value) => `${Math.round(value)} ms`;

/** Publishes at a rate until the time is over, and returns the number of messages. */
async function publishAt(bench, id, signal) {
  const began = performance.now();
  let sent = 0;
  while (sent < RATE * SECONDS && !signal.aborted) {
    const due = Math.min(RATE * SECONDS, Math.floor(((performance.now() - began) / 1000) * RATE));
    if (due > sent) await bench.publish(id, messages(sent, due), signal);
    sent = due;
    await sleep(20);
  }
  return sent;
}

/** Types and scrolls in turn, until `isOver`. Returns whether the page responded all the time. */
async function use(tab, isOver) {
  for (let turn = 0; !isOver(); turn += 1) {
    const acts = [
      () => tab.keyboard.press("abcdefgh"[turn % 8]),
      () => tab.mouse.wheel(0, turn % 40 < 20 ? -300 : 1000),
      () => (turn % 32 === 0 ? tab.locator("#search").fill("") : tab.keyboard.press("x")),
    ];
    const lives = await within(Promise.resolve(acts[turn % 3]()).then(() => true));
    if (!lives) return false;
    await sleep(100);
  }
  return true;
}

/** Waits until the page has all messages, and returns how many it has. */
async function receivedOf(tab, all) {
  await within(tab.waitForFunction((it) => bench.received() >= it, all, { timeout: PATIENCE, polling: 200 }));
  return (await within(tab.evaluate(() => bench.received()))) ?? NaN;
}

async function floodOf(bench, subject) {
  const id = await bench.connect();
  const tab = await bench.open(bench.address(subject, id));
  await tab.getByText("live").first().waitFor();
  await tab.mouse.move(400, 400);
  await tab.evaluate(() => globalThis.bench.startsAnew());
  const began = performance.now();
  const stopping = new AbortController();
  let isOver = false;
  const publishing = publishAt(bench, id, stopping.signal).finally(() => (isOver = true));
  const lives = await use(tab, () => isOver);
  const after = Math.round((performance.now() - began - PATIENCE) / 1000);
  if (!lives) stopping.abort();
  const sent = await publishing.catch(() => NaN);
  if (!lives) {
    await within(tab.context().close());
    return { text: `dead after ${after} s` };
  }
  const { frames, echoes, tasks } = await tab.evaluate(() => globalThis.bench);
  const received = await receivedOf(tab, sent);
  await tab.context().close();
  const [frame, echo] = [quantile(frames, 0.99), quantile(echoes, 0.99)];
  const longest = Math.max(50, ...tasks);
  const text = `frames ${ms(frame)}, echo ${ms(echo)}, longest task ${longest > 50 ? ms(longest) : "≤ 50 ms"}, received ${received} of ${sent}`;
  return { text, kept: frame <= 34 && echo <= 50 && longest <= 100 && received === sent };
}

export async function flood(bench) {
  const naive = await floodOf(bench, "naive");
  const page = await floodOf(bench, "page");
  const promise = "5,000/s for 60 s, scrolled and typed into: frames p99 ≤ 34 ms, key echo p99 ≤ 50 ms, no task over 100 ms, all received";
  return [{ promise, naive: naive.text, page: page.text, kept: page.kept }];
}

async function burstOf(bench, subject, id) {
  const tab = await bench.open(bench.address(subject, id));
  const began = performance.now();
  let lives = true;
  while (lives && performance.now() - began < 4 * PATIENCE) {
    lives = Boolean(await within(tab.keyboard.press("x").then(() => true)));
    const count = await within(tab.evaluate(() => bench.received()));
    if (count === undefined || count >= AT_ONCE) break;
    await sleep(50);
  }
  // Once more after the next frame, which sees the last of them.
  const measured = tab.evaluate(() => new Promise((resolve) => setTimeout(() => requestAnimationFrame(() => resolve(bench)), 100)));
  const { echoes, progress } = (await within(measured)) ?? { echoes: [], progress: [] };
  await within(tab.context().close());
  if (progress.length < 2) return { text: "dead" };
  const [first, last] = [progress[0], progress.at(-1)];
  const rate = ((last.count - first.count) / (last.now - first.now)) * 1000;
  const echo = Math.max(...echoes);
  const short = last.count < AT_ONCE ? `, only ${last.count} in ${Math.round(last.now / 1000)} s` : "";
  const text = `${Math.round(rate / 1000)},000/s, echo ${ms(echo)}${short}`;
  return { text, kept: rate >= 50_000 && echo <= 150 && last.count === AT_ONCE };
}

export async function burst(bench) {
  const id = await bench.connect();
  for (let at = 0; at < AT_ONCE; at += 10_000) await bench.publish(id, messages(at, at + 10_000));
  const naive = await burstOf(bench, "naive", id);
  const page = await burstOf(bench, "page", id);
  const promise = "200,000 at once: ≥ 50,000/s, key echo ≤ 150 ms";
  return [{ promise, naive: naive.text, page: page.text, kept: page.kept }];
}
