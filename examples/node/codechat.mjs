// Publishes what pino logs during a watched request to its watcher. It needs codechat-publisher.mjs beside it.

import { AsyncLocalStorage } from "node:async_hooks";
import { listeners, newClient, push } from "./codechat-publisher.mjs";
export { flush } from "./codechat-publisher.mjs";

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50 };
const current = new AsyncLocalStorage(); // the operation that runs here
const clients = new Map(), running = new Set();
let root, usual = "trace";

/** Begins an operation, to which all belongs that `run` calls. Without a valid client ID, nothing is published. */
export function begin(name, clientId) {
  const id = String(clientId).toLowerCase(), began = performance.now();
  if (!UUID4.test(id)) return { run: (work) => work(), end() {} };
  if (clients.size >= 1000) clients.delete(clients.keys().next().value);
  const client = clients.get(id) ?? newClient(id);
  clients.set(id, client);
  const operation = { client, name: name.replace(/\p{Cc}/gu, " ").slice(0, 128), loggers: [] };
  const run = (work) => current.run(operation, work);
  running.add(operation);
  adjust();
  run(() => send(name, { level: "info" }));
  const end = (outcome, text = outcome) => {
    if (outcome === "failed" && cancelled()) outcome = "cancelled";
    send(`${text} in ${((performance.now() - began) / 1000).toFixed(1)} s`, { outcome });
    running.delete(operation);
    adjust();
  };
  return { run, end: (...words) => run(() => end(...words)) };
}

/** Publishes a message of the operation that runs here, if any; more: level, progress, fields, event. */
export function send(text, more) {
  const operation = current.getStore(); // the server takes 64 KiB a message
  if (operation) push(operation.client, { message: text.slice(0, 16_000), operation: operation.name, ...more });
}

/** Whether a watcher asks the operation that runs here to stop. */
export function cancelled() {
  const { client, name } = current.getStore() ?? {};
  return Boolean(client?.asked.cancel) && [null, name].includes(client.asked.operation);
}

/** Middleware of express, to be used before all that logs. */
export function express(request, response, next) {
  const operation = begin(`${request.method} ${request.originalUrl.split("?")[0]}`, request.headers["sse-client-id"]);
  response.once("close", () => {
    if (!response.writableFinished) return operation.end("cancelled");
    operation.end(response.statusCode < 400 ? "ok" : "failed", response.statusCode);
  });
  operation.run(next);
}

/** A destination of pino. A pino transport would not do: it is another thread, which knows of no request. */
export const destination = {
  level: "trace",
  write(line) {
    try {
      const { level, msg = "", err, progress } = current.getStore() ? JSON.parse(line) : {};
      const wanted = LEVELS[current.getStore()?.client.asked.level ?? usual];
      if (level >= wanted) send(err ? `${msg}\n${err.stack}` : msg, { level, progress });
    } catch {} // a line of a shape of its own
  },
};

/** Has the logger, and the children that it gets in a request, log more while a watcher asks for it. */
export function attach(logger) {
  [root, usual] = [logger, logger.level];
  logger.onChild = (child) => current.getStore()?.loggers.push(child);
}

function adjust() {
  const finer = (one, { client: { asked } }) => (LEVELS[asked.level] < LEVELS[one] ? asked.level : one);
  if (root) root.level = [...running].reduce(finer, usual);
  for (const it of running) it.loggers.forEach((logger) => (logger.level = finer(usual, it)));
}
listeners.add(adjust);
