// Answers GET /refresh on port 8000 and publishes what it does to the client in the header Sse-Client-ID.

import { createServer } from "node:http";

async function publish(id, text) {
  if (!id) return;
  const request = { method: "POST", headers: { "Sse-Client-ID": id }, body: text, signal: AbortSignal.timeout(2000) };
  await fetch("http://127.0.0.1:2428/api/v1/sse/debug", request).catch(() => {}); // the work goes on
}

const server = createServer(async (request, response) => {
  const id = request.headers["sse-client-id"];
  await publish(id, "Refreshing repository demo");
  await publish(id, "Refresh finished");
  response.writeHead(204).end();
});
server.listen(8000, "127.0.0.1", () => console.log("listening on http://127.0.0.1:8000"));
