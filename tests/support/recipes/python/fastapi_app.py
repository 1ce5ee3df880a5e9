"""FastAPI under uvicorn. Prints its port."""

import socket

import codechat_asgi
import uvicorn
import work
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse

app = FastAPI(default_response_class=PlainTextResponse)
app.add_middleware(codechat_asgi.Middleware)


@app.get("/refresh/{name}")
async def refresh(name: str):
    return work.refresh(name)


@app.get("/broken")
async def broken():
    work.log.info("before it breaks")
    raise ValueError("disk full")


@app.get("/pool")
def in_pool():
    return work.in_pool()


@app.get("/streamed")
async def streamed():
    async def body():
        for piece in "abc":
            work.log.info("piece %s", piece)
            yield piece

    return StreamingResponse(body())


@app.get("/ticks/{gate}")
def ticks(gate: str):
    return PlainTextResponse("", work.ticks(gate))


@app.get("/open/{gate}")
def open_gate(gate: str):
    work.gates[gate].set()
    return "open"


@app.get("/flood/{count}")
def flood(count: int):
    return work.flood(count)


work.set_up()
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
server.run(sockets=[listener])
