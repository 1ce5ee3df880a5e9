// A server of event streams: better-sse on node:http, without pings. Its application keeps published events, and
// continues after the ID that a client has seen. Prints its port, and each stream when it opens.

const http = require("node:http");
const { createChannel, createSession } = require("better-sse");

const channel = createChannel();
const past = [];

async function open(request, response, path) {
  const session = await createSession(request, response, { keepAlive: null, retry: 250 });
  // Node reads header fields as Latin-1.
  const seen = Buffer.from(session.lastId, "latin1").toString();
  console.log(`opened ${path} ${seen}`);
  return { session, seen };
}

async function ticks(request, response) {
  const { session, seen } = await open(request, response, "/ticks");
  if (seen) {
    const index = past.findIndex((event) => event.id === seen);
    for (const { data, name, id } of past.slice(index + 1)) session.push(data, name, id);
  }
  channel.register(session);
}

async function say(request, response, query) {
  let body = "";
  for await (const piece of request.setEncoding("utf8")) body += piece;
  const event = { data: JSON.parse(body), name: query.get("event"), id: query.get("id") };
  past.push(event);
  channel.broadcast(event.data, event.name, { eventId: event.id });
  response.writeHead(204).end();
}

async function quiet(request, response, query) {
  const { session } = await open(request, response, "/quiet");
  setTimeout(() => session.push("after the silence"), query.get("for") * 1000);
}

async function end(request, response) {
  const { session } = await open(request, response, "/end");
  for (const number of [1, 2, 3]) session.push({ number }, "message", String(number));
  response.end();
}

const routes = { "/ticks": ticks, "/say": say, "/quiet": quiet, "/end": end };
const server = http.createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  routes[url.pathname](request, response, url.searchParams);
});
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
