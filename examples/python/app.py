# Answers GET /refresh on port 8000 and publishes what it does to the client in the header Sse-Client-ID.

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

def publish(client_id, text):
    if client_id:
        try:
            headers = {"Sse-Client-ID": client_id, "Content-Type": "text/plain"}
            urlopen(Request("http://127.0.0.1:2428/api/v1/sse/debug", text.encode(), headers), timeout=2).close()
        except (OSError, ValueError):
            pass  # nobody watches; the work goes on

class App(BaseHTTPRequestHandler):
    def do_GET(self):
        client_id = self.headers.get("Sse-Client-ID")
        publish(client_id, "Refreshing repository demo")
        publish(client_id, "Refresh finished")
        self.send_response(204)
        self.end_headers()

server = ThreadingHTTPServer(("127.0.0.1", 8000), App)
print("listening on http://127.0.0.1:8000", flush=True)
server.serve_forever()
