# Answers GET /refresh on port 8000 and publishes what it does to the client in the header Sse-Client-ID.

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode
from urllib.request import Request, urlopen

def publish(client_id, text, **about):
    """About a message: its level, operation, progress (as in 3/120) and outcome."""
    if client_id:
        try:
            url = "http://127.0.0.1:2428/api/v1/sse/debug?" + urlencode(about)
            headers = {"Sse-Client-ID": client_id, "Content-Type": "text/plain"}
            urlopen(Request(url, text.encode(), headers), timeout=2).close()
        except (OSError, ValueError):
            pass  # nobody watches; the work goes on

class App(BaseHTTPRequestHandler):
    def do_GET(self):
        client_id = self.headers.get("Sse-Client-ID")
        publish(client_id, "Refreshing repository demo", operation="refresh", level="info", progress="0/1")
        publish(client_id, "Refresh finished", operation="refresh", progress="1/1", outcome="ok")
        self.send_response(204)
        self.end_headers()

server = ThreadingHTTPServer(("127.0.0.1", 8000), App)
print("listening on http://127.0.0.1:8000", flush=True)
server.serve_forever()
