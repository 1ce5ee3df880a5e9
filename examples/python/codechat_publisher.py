"""Publishes messages from a daemon thread; nothing here waits or fails. It needs Python 3.8, and nothing else.
Environment: CODECHAT_SERVER, a URL; CODECHAT_TOKEN; CODECHAT_PUBLISH=off."""
import atexit, collections, http.client, json, math, os, sys, threading, time, urllib.parse, uuid

class Publisher:
    def __init__(self):
        self.changed, self.listener = threading.Condition(), lambda: None  # guards all that follows, and the clients
        self.waiting, self.queued, self.busy, self.thread, self.pause = collections.deque(), 0, False, None, 1
        self.away_until = math.inf if os.environ.get("CODECHAT_PUBLISH") == "off" else 0

    def push(self, client, message):
        with self.changed:
            # The end of an operation has room of its own: without it, the operation would run on for ever on screen.
            if self.queued >= (2000 if "outcome" in message else 1000) or self.is_away(client):
                client.dropped += 1
                return
            if not client.queue:
                self.waiting.append(client)
            client.queue.append(message)
            self.queued += 1
            if not (self.thread and self.thread.is_alive()):  # not earlier, since servers fork
                self.thread = threading.Thread(target=self.run, daemon=True)
                self.thread.start()
            self.changed.notify_all()

    def is_away(self, client):
        return time.monotonic() < max(self.away_until, client.away_until)

    def run(self):
        url = urllib.parse.urlsplit(os.environ.get("CODECHAT_SERVER") or "http://127.0.0.1:2428")
        kind = {"https": http.client.HTTPSConnection}.get(url.scheme, http.client.HTTPConnection)
        connection = kind(url.netloc, timeout=5)  # requests and urllib3 would log
        while True:
            with self.changed:
                self.busy = False
                self.changed.notify_all()
                self.changed.wait_for(lambda: self.waiting)
                client, self.busy = self.waiting.popleft(), True
                batch = [client.queue.popleft() for _ in range(min(500, len(client.queue)))]
                self.queued, lost = self.queued - len(batch), client.dropped
                self.waiting.extend([client] if client.queue else [])
                if self.is_away(client):
                    client.dropped += len(batch)
                    continue
            report = [{"message": f"{lost} messages dropped by the application", "level": "warn"}] if lost else []
            status, answer = post(connection, url.path.rstrip("/"), client.id, report + batch)
            with self.changed:
                client.dropped += -lost if status == 202 else len(batch)
                if status == 202:
                    client.asked, client.pause, self.pause = answer, 2, 1
                elif status in (401, 403):
                    self.away_until = math.inf
                    print(f"codechat: nothing is published, since the server answers {status}", file=sys.stderr)
                elif status == 404:  # nobody watches, or not yet again
                    client.away_until, client.pause = time.monotonic() + client.pause, min(30, client.pause * 2)
                elif status not in (400, 413):  # which are about these messages
                    self.away_until, self.pause = time.monotonic() + self.pause, min(30, self.pause * 2)
            self.listener()

    def flush(self, within=2):
        with self.changed:
            self.changed.wait_for(lambda: not (self.waiting or self.busy), within)

def post(connection, base, id, messages):
    body = "\n".join(json.dumps(it, default=str) for it in messages)
    headers = {"Sse-Client-ID": id, "Content-Type": "application/x-ndjson", "Idempotency-Key": str(uuid.uuid4())}
    if os.environ.get("CODECHAT_TOKEN"):
        headers["Authorization"] = "Bearer " + os.environ["CODECHAT_TOKEN"]
    for _ in range(2):  # a kept connection may be closed by now; the key keeps messages from coming twice
        try:
            connection.request("POST", base + "/api/v1/sse/debug", body, headers)
            response = connection.getresponse()
            answer = response.read()
            return response.status, json.loads(answer) if response.status == 202 else {}
        except Exception:  # whatever it is, the thread goes on
            connection.close()
    return 0, {}

publisher = Publisher()
atexit.register(publisher.flush)
