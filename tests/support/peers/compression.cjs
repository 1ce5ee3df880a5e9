// A server of event streams: express with its compression, which compresses them with gzip if the client accepts it.
// Prints its port, and each stream when it opens with the coding that the client asked for.

const compression = require("compression");
const express = require("express");

const app = express();
const open = new Set();

function stream(request, response) {
  response.set({ "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  response.flushHeaders();
  console.log(`opened ${request.path} ${request.get("Accept-Encoding")}`);
}

function send(response, id, event, data) {
  response.write(`id: ${id}\nevent: ${event}\ndata: ${data}\n\n`);
  response.flush();
}

app.use(compression());
app.get("/ticks", (request, response) => {
  stream(request, response);
  open.add(response);
  response.on("close", () => open.delete(response));
});
app.post("/say", express.text({ type: () => true }), (request, response) => {
  for (const stream of open) send(stream, request.query.id, request.query.event, request.body);
  response.sendStatus(204);
});
app.get("/quiet", (request, response) => {
  stream(request, response);
  response.write(": nothing follows\n\n");
  response.flush();
});
app.get("/end", (request, response) => {
  stream(request, response);
  for (const number of [1, 2, 3]) send(response, number, "message", `event ${number}`);
  response.end();
});
const server = app.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
