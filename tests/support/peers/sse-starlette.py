"""A server of event streams: sse-starlette under uvicorn, which ends lines with CRLF and pings by comments.

Argument: the seconds between two pings. Prints its port, and each stream when it opens.
"""

import asyncio
import socket
import sys

import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

PING = float(sys.argv[1])
queues = set()


def stream(request, events):
    async def body():
        print("opened", request.url.path, request.headers.get("last-event-id", ""), flush=True)
        async for event in events:
            yield event

    return EventSourceResponse(body(), ping=PING)


async def ticks(request):
    async def events():
        queue = asyncio.Queue()
        queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            queues.discard(queue)

    return stream(request, events())


async def say(request):
    event = {**request.query_params, "data": (await request.body()).decode()}
    for queue in queues:
        queue.put_nowait(event)
    return Response(status_code=204)


async def quiet(request):
    async def events():
        await asyncio.sleep(float(request.query_params["for"]))
        yield {"data": "after the silence"}
        await asyncio.Event().wait()

    return stream(request, events())


async def end(request):
    async def events():
        for number in range(1, 4):
            yield {"id": str(number), "data": f"event {number}"}

    return stream(request, events())


routes = [
    Route("/ticks", ticks),
    Route("/say", say, methods=["POST"]),
    Route("/quiet", quiet),
    Route("/end", end),
]
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="warning"))
server.run(sockets=[listener])
