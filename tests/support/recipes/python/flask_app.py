"""Flask under its own server, a thread for each request. Prints its port."""

import signal
import sys

import codechat_wsgi
import work
from flask import Flask
from werkzeug.serving import make_server

app = Flask(__name__)
app.wsgi_app = codechat_wsgi.Middleware(app.wsgi_app)


@app.get("/refresh/<name>")
def refresh(name):
    return work.refresh(name)


@app.get("/broken")
def broken():
    work.log.info("before it breaks")
    raise ValueError("disk full")


@app.get("/pool")
def in_pool():
    return work.in_pool()


@app.get("/streamed")
def streamed():
    def body():
        for piece in "abc":
            work.log.info("piece %s", piece)
            yield piece

    return body()


@app.get("/ticks/<gate>")
def ticks(gate):
    return "", work.ticks(gate)


@app.get("/open/<gate>")
def open_gate(gate):
    work.gates[gate].set()
    return "open"


@app.get("/flood/<int:count>")
def flood(count):
    return work.flood(count)


work.set_up()
# Like a server that ends properly; by default, Python runs nothing at SIGTERM.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = make_server("127.0.0.1", 0, app, threaded=True)
print("listening on", server.port, flush=True)
server.serve_forever()
