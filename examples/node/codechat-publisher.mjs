// Publishes messages while the program goes on; nothing here waits or fails. It needs Node 18, and nothing else.
// Environment: CODECHAT_SERVER, a URL; CODECHAT_TOKEN; CODECHAT_PUBLISH=off.

import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";

const { CODECHAT_SERVER, CODECHAT_TOKEN, CODECHAT_PUBLISH } = process.env;
const URL = (CODECHAT_SERVER || "http://127.0.0.1:2428").replace(/\/$/, "") + "/api/v1/sse/debug";
const waiting = new Set(); // the clients that have messages in their queues
let queued = 0, sending, pause = 1000, awayUntil = CODECHAT_PUBLISH === "off" ? Infinity : 0;

/** Is called when the server has said what a watcher asks for. */
export const listeners = new Set();

/** What is known of a client ID. */
export const newClient = (id) => ({ id, queue: [], dropped: 0, awayUntil: 0, pause: 2000, asked: {} });

export function push(client, message) {
  // The end of an operation has room of its own: without it, the operation would run on for ever on screen.
  if (queued >= (message.outcome ? 2000 : 1000) || isAway(client)) {
    client.dropped++;
    return;
  }
  client.queue.push(message);
  queued++;
  waiting.add(client);
  sending ??= sendAll();
}

/** Waits until all is published, 2 s at most. Await it before process.exit. */
export const flush = () => Promise.race([sending, wait(2000, null, { ref: false })]);

const isAway = (client) => performance.now() < Math.max(awayUntil, client.awayUntil);

async function sendAll() {
  await null; // what is logged without a pause goes together
  for (const client of waiting) {
    waiting.delete(client);
    const batch = client.queue.splice(0, 500), lost = client.dropped;
    queued -= batch.length;
    if (client.queue.length) waiting.add(client);
    if (isAway(client)) {
      client.dropped += batch.length;
      continue;
    }
    const report = { message: `${lost} messages dropped by the application`, level: "warn" };
    const { status, answer } = await post(client.id, lost ? [report, ...batch] : batch);
    client.dropped += status === 202 ? -lost : batch.length;
    if (status === 202) {
      client.asked = answer;
      client.pause = 2000;
      pause = 1000;
    } else if (status === 401 || status === 403) {
      awayUntil = Infinity;
      console.error(`codechat: nothing is published, since the server answers ${status}`);
    } else if (status === 404) {
      client.awayUntil = performance.now() + client.pause; // nobody watches, or not yet again
      client.pause = Math.min(30_000, client.pause * 2);
    } else if (status !== 400 && status !== 413) { // which are about these messages
      awayUntil = performance.now() + pause;
      pause = Math.min(30_000, pause * 2);
    }
    listeners.forEach((it) => it());
  }
  sending = undefined;
}

async function post(id, messages) {
  const headers = { "Sse-Client-ID": id, "Content-Type": "application/x-ndjson", "Idempotency-Key": randomUUID() };
  if (CODECHAT_TOKEN) headers.Authorization = `Bearer ${CODECHAT_TOKEN}`;
  for (let attempt = 0; attempt < 2; attempt++) { // a kept connection may be closed; the key keeps messages single
    try {
      const body = messages.map((it) => JSON.stringify(it)).join("\n"), signal = AbortSignal.timeout(5000);
      const response = await fetch(URL, { method: "POST", headers, body, signal, redirect: "error" });
      const text = await response.text();
      return { status: response.status, answer: response.status === 202 && JSON.parse(text) };
    } catch {} // whatever it is, the program goes on
  }
  return {};
}
