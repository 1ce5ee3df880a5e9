// A script that runs in a measured page, before the page's own. It recognises both pages by their elements.

/** Sets `bench`: the measurements so far, and `bench.received()`. */
function measure() {
  /** Times between frames, from a key to the frame that shows it, and of tasks over 50 ms; all in ms. */
  const bench = { frames: [], echoes: [], tasks: [], progress: [], received, startsAnew };
  globalThis.bench = bench;

  /** Returns the number of messages that the page has. */
  function received() {
    const counts = document.getElementById("counts");
    if (!counts) return document.getElementById("list")?.childElementCount ?? 0;
    return Number(/received ([\d,]+)/.exec(counts.textContent)?.[1].replaceAll(",", "") ?? 0);
  }

  function startsAnew() {
    for (const values of [bench.frames, bench.echoes, bench.tasks, bench.progress]) values.length = 0;
  }

  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) bench.tasks.push(duration);
  }).observe({ type: "longtask" });

  let last = performance.now();
  requestAnimationFrame(function frame() {
    const now = performance.now();
    bench.frames.push(now - last);
    last = now;
    const count = received();
    if (count !== (bench.progress.at(-1)?.count ?? 0)) bench.progress.push({ now, count });
    requestAnimationFrame(frame);
  });

  addEventListener("DOMContentLoaded", () => document.getElementById("search")?.focus());

  // The letter is in the field at "input"; the first task after the next frame runs when it is visible.
  let pressed = 0;
  addEventListener("keydown", ({ timeStamp }) => (pressed = timeStamp), true);
  addEventListener("input", () => {
    const since = pressed;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => bench.echoes.push(performance.now() - since);
      port2.postMessage(0);
    });
  }, true);
}

export const MEASURE = `(${measure})()`;
