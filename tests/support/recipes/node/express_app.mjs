// Express with pino. Prints its port.

import { readFile } from "node:fs";
import { createRequire } from "node:module";
import * as codechat from "../../../../examples/node/codechat.mjs";

const require = createRequire(import.meta.url); // It reads NODE_PATH, which import does not.
const express = require("express");
const pino = require("pino");

const stdout = {
  write(line) {
    const { msg } = JSON.parse(line);
    if (!msg.startsWith("flood")) process.stdout.write(`${msg}\n`); // Node would buffer it for a slow reader.
  },
};
const logger = pino({}, pino.multistream([{ stream: stdout }, codechat.destination]));
codechat.attach(logger);

const app = express();
const gates = new Set();
const soon = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

app.use(codechat.express);
// As with pino-http, each request has a logger. With custom levels it has a level of its own, as all had before pino 10.
app.use((request, response, next) => {
  request.log = logger.child({ url: request.url }, { customLevels: { audit: 35 } });
  next();
});
app.get("/refresh/:name", ({ log, params: { name } }, response) => {
  log.info(`Refreshing ${name}`);
  for (const current of [1, 2, 3]) log.info({ progress: { current, total: 3 } }, `File ${current} of ${name}`);
  log.debug(`Detail of ${name}`);
  log.warn(`Refreshed ${name}`);
  response.send(`refreshed ${name}`);
});
app.get("/broken", (request) => {
  logger.info("before it breaks");
  throw new Error("disk full");
});
// The body parser's callbacks belong to the connection, the thread pool's to no request.
app.get("/pool", express.text({ type: () => true }), (request, response) => {
  logger.info("in the handler");
  readFile(process.argv[1], () => {
    logger.info("in the pool");
    response.send("done");
  });
});
app.get("/streamed", async (request, response) => {
  for (const piece of "abc") {
    logger.info(`piece ${piece}`);
    response.write(piece);
    await soon(1);
  }
  response.end();
});
app.get("/ticks/:gate", async ({ log, params: { gate } }, response) => {
  for (let number = 1; !gates.has(gate); number++) {
    log.info(`tick ${number} of ${gate}`);
    (number % 2 ? log : logger).debug(`detail ${number} of ${gate}`);
    if (codechat.cancelled()) return response.sendStatus(503);
    await soon(5);
  }
  response.send("open");
});
app.get("/open/:gate", ({ params: { gate } }, response) => {
  gates.add(gate);
  response.send("open");
});
app.get("/flood/:count", ({ params: { count } }, response) => {
  const text = "x".repeat(1000);
  const began = performance.now();
  for (let number = 0; number < count; number++) logger.info(`flood ${number} ${text}`);
  response.send(String(Math.round(((performance.now() - began) / count) * 1000)));
});
app.use((error, request, response, next) => {
  logger.error(error);
  next(error);
});
const server = app.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
process.on("SIGTERM", async () => {
  server.close();
  await codechat.flush();
  process.exit(0);
});
