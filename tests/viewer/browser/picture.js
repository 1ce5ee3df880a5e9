// Makes docs/viewer.png: `node browser/picture.js` in tests/viewer, after building the program.

import { test } from "node:test";
import { connect, open, publish, says, serve } from "./support.js";

const OUT = new URL("../../../docs/viewer.png", import.meta.url).pathname;

test("docs/viewer.png", async () => {
  const server = await serve();
  const id = await connect(server);
  const page = await open(server, id, { width: 960, height: 380 });
  await page.emulateMedia({ colorScheme: "dark" });
  const step = (operation, current, total, message, level = "info") =>
    publish(server, id, { message, level, operation, progress: { current, total, unit: "files" } });
  for (let at = 36; at <= 42; at += 1) {
    await step("refresh-repo", at, 120, `Processed file ${at} of 120: src/hub/channel.rs`);
    await page.waitForTimeout(300);
  }
  await step("check-links", 24, 120, "docs/cli.md has a link that leads nowhere: ../notes.md", "warn");
  await publish(server, id, {
    message: "cannot read objects/pack-7f3a.idx: permission denied, so the index is made without it",
    level: "error",
    operation: "refresh-repo",
  });
  await step("refresh-repo", 43, 120, "Processed file 43 of 120: README.md");
  await says(page, "README.md");
  await page.keyboard.press("p");
  await page.keyboard.press("k");
  await step("refresh-repo", 44, 120, "Processed file 44 of 120: src/lib.rs");
  await says(page, "↓ 1 new");
  await page.screenshot({ path: OUT });
});
