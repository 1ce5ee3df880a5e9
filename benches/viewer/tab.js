// A tab that Playwright does not control: its own tabs always count as visible.

/** Opens an address in a tab of the browser's one window, in front of its other tabs. `script` runs before the page's own. */
export async function openTab(browser, address, script = "") {
  const session = await browser.newBrowserCDPSession();
  const { targetId } = await session.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await session.send("Target.attachToTarget", { targetId });
  const waiting = new Map();
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, result } = JSON.parse(message);
    waiting.get(id)?.(result);
  });

  async function send(method, params = {}) {
    const id = waiting.size;
    const answered = new Promise((resolve) => waiting.set(id, resolve));
    await session.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id, method, params }) });
    return answered;
  }

  const evaluate = async (expression) => (await send("Runtime.evaluate", { expression })).result.value;
  await send("Page.enable");
  await send("Page.addScriptToEvaluateOnNewDocument", { source: script });
  await send("Page.navigate", { url: address });
  return {
    evaluate,
    /** Waits until an expression is true. */
    async until(expression) {
      while (!(await evaluate(expression))) await new Promise((resolve) => setTimeout(resolve, 50));
    },
    close: () => session.send("Target.closeTarget", { targetId }),
  };
}
