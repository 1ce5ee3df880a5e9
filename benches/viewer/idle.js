// The rows in which few or no messages arrive.

import { PATIENCE, quantile, sleep } from "./bench.js";
import { openTab } from "./tab.js";

/** The number of loads, whose middle one counts. */
const LOADS = 9;
const QUIET = 20;

const ms = (value) => `${Math.round(value)} ms`;
const middle = (values) => quantile(values, 0.5);

/** Runs in the page before its scripts: `liveAt` is the time at which the state is "live" for the first time. */
const LIVE = `addEventListener("DOMContentLoaded", () => {
  const look = () => {
    if (/live/.test(document.getElementById("state")?.textContent)) globalThis.liveAt ??= performance.now();
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
  look();
});`;

/** Returns the times of the first paint of a page that is being loaded, and of its being live. */
async function times(tab, hasState) {
  const result = await tab.waitForFunction((hasState) => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
    if (paint === undefined || (hasState && globalThis.liveAt === undefined)) return undefined;
    return { paint, live: globalThis.liveAt };
  }, hasState, { timeout: PATIENCE });
  return result.jsonValue();
}

/** Loads an address in a profile of its own, and again, with the cache of the first load. */
async function load(bench, address, hasState) {
  const tab = await bench.open("about:blank", false);
  await tab.addInitScript(LIVE);
  await tab.goto(address);
  const cold = await times(tab, hasState);
  await tab.reload();
  const warm = await times(tab, hasState);
  await tab.context().close();
  return { cold, warm };
}

export async function paint(bench) {
  const id = await bench.connect();
  const loads = { empty: [], naive: [], page: [] };
  for (let round = 0; round <= LOADS; round += 1) {
    for (const [of, all] of Object.entries(loads)) {
      const address = of === "empty" ? bench.empty : bench.address(of, id);
      const result = await load(bench, address, of !== "empty");
      // The first round also waits for the start of the browser.
      if (round > 0) all.push(result);
    }
  }
  const rows = [];
  for (const state of ["cold", "warm"]) {
    const figures = {};
    for (const [of, all] of Object.entries(loads)) {
      const paint = middle(all.map((it) => it[state].paint));
      const live = middle(all.map((it) => it[state].live - it[state].paint));
      figures[of] = { paint, live };
    }
    const later = (of) => figures[of].paint - figures.empty.paint;
    const text = (of) => `${ms(later(of))} after the empty page's, live ${ms(figures[of].live)} after that`;
    rows.push({
      promise: `${state}: first contentful paint ≤ 60 ms after an empty page's (${ms(figures.empty.paint)}), live ≤ 150 ms after that`,
      naive: text("naive"),
      page: text("page"),
      kept: later("page") <= 60 && figures.page.live <= 150,
    });
  }
  return rows;
}

/** Counts the frames that a page draws. */
const COUNT = `(() => {
  const ask = globalThis.requestAnimationFrame;
  globalThis.frames = 0;
  globalThis.requestAnimationFrame = (draw) => ask((now) => {
    globalThis.frames += 1;
    draw(now);
  });
})()`;

/** Returns the CPU time of all processes of the browser, in parts of one core. */
async function cpu(bench) {
  const session = await bench.browser.newBrowserCDPSession();
  const took = async () => {
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    return processInfo.reduce((sum, it) => sum + it.cpuTime, 0);
  };
  const before = await took();
  await sleep(QUIET * 1000);
  const after = await took();
  await session.detach();
  return (after - before) / QUIET;
}

/** Shows a page that receives nothing, then another tab in front of it while it receives a message per second. */
async function quietOf(bench, subject) {
  const id = await bench.connect();
  const tab = await openTab(bench.browser, bench.address(subject, id), COUNT);
  await tab.until(`document.body?.textContent.includes("live")`);
  const progress = { message: "Processed file 1", operation: "import", progress: { current: 1, total: 2 } };
  await bench.publish(id, ["hello", progress]);
  await tab.until(`document.body.textContent.includes("Processed file 1")`);
  await sleep(2000);
  const visible = await cpu(bench);
  const front = await openTab(bench.browser, bench.empty);
  await tab.until("document.hidden");
  const before = await tab.evaluate("frames");
  const publishing = (async () => {
    for (let at = 0; at < QUIET; at += 1) {
      await bench.publish(id, [`hidden ${at}`]);
      await sleep(1000);
    }
  })();
  const hidden = await cpu(bench);
  await publishing;
  const frames = (await tab.evaluate("frames")) - before;
  await front.close();
  await tab.close();
  return { visible, hidden, frames };
}

const percent = (part) => `${(Math.max(0, part) * 100).toFixed(1)} %`;

export async function quiet(bench) {
  const blank = await openTab(bench.browser, bench.empty);
  await sleep(2000);
  const nothing = await cpu(bench);
  await blank.close();
  const [naive, page] = [await quietOf(bench, "naive"), await quietOf(bench, "page")];
  const text = ({ visible, hidden, frames }) =>
    `${percent(visible - nothing)}; hidden with a message a second ${percent(hidden - nothing)}, ${frames} frames`;
  return [{
    promise: "quiet: ≤ 1 % of a core visible, no frame hidden",
    naive: text(naive),
    page: text(page),
    kept: page.visible - nothing <= 0.01 && page.frames === 0,
  }];
}
