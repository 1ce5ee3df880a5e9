"""Sends the log records of a watched request to its watcher. It needs codechat_publisher.py beside it.
Call `attach()` once logging is set up, and use codechat_asgi.py or codechat_wsgi.py; other work, such as a job from a
queue, runs `with operation(name, client_id)`. A thread pool needs `submit(contextvars.copy_context().run, work)`."""
import collections, contextlib, contextvars, functools, logging, re, threading, time
from codechat_publisher import publisher

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
LEVELS = {"error": 40, "warn": 30, "info": 20, "debug": 10, "trace": 1}
current = contextvars.ContextVar("codechat", default=None)  # the client and the name of the operation that runs here
running, lock = [], threading.Lock()

@functools.lru_cache(maxsize=1000)  # one for each client ID
class Client:
    def __init__(self, id):
        self.id, self.queue, self.asked, self.pause = id, collections.deque(), {}, 2
        self.dropped = self.away_until = 0

@contextlib.contextmanager
def operation(name, client_id):
    """Runs a block as an operation, unless there is no valid client ID. Yields what its last message says."""
    if not UUID4.fullmatch((client_id or "").lower()):
        yield {}
        return
    client = Client(client_id.lower())
    token = current.set((client, re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", name)[:128]))
    began, end, why = time.monotonic(), {"outcome": "ok"}, ""
    running.append(client)
    publisher.listener()
    try:
        send(name, level="info")
        yield end
    except BaseException as error:
        end["outcome"], why = "failed" if isinstance(error, Exception) else "cancelled", f": {error!r}"
        raise
    finally:
        end["outcome"] = "cancelled" if end["outcome"] == "failed" and cancelled() else end["outcome"]
        send(f"{end.pop('message', end['outcome'])} in {time.monotonic() - began:.1f} s{why}", **end)
        current.reset(token)
        running.remove(client)
        publisher.listener()

def send(message, **more):
    """Publishes a message of the operation that runs here, if any; more: level, progress, fields, event."""
    if current.get():
        client, name = current.get()
        publisher.push(client, {"message": message[:16_000], "operation": name, **more})  # the server takes 64 KiB

def cancelled():
    """Whether a watcher asks the operation that runs here to stop."""
    client, name = current.get() or (None, None)
    return bool(client and client.asked.get("cancel") and client.asked["operation"] in (None, name))

class Handler(logging.Handler):
    def emit(self, record):
        asked = current.get() and LEVELS.get(current.get()[0].asked.get("level"))
        if current.get() and (record.levelno >= asked if asked else is_usual(record)):
            level = next((word for word, number in LEVELS.items() if record.levelno >= number), "trace")
            more = {"progress": record.progress} if hasattr(record, "progress") else {}
            send(self.format(record), level=level, fields={"logger": record.name}, **more)

def is_usual(record):
    """Whether the record would be there without us: all other handlers leave out what would not."""
    logger = logging.getLogger(record.name)
    while logger.parent and not logger.level:
        logger = logger.parent
    return logger is not logging.root or record.levelno >= usual

def adjust():
    """Lowers the root logger's level while a watcher of something that runs asks for more."""
    with lock:
        level = min([usual, *(LEVELS.get(it.asked.get("level"), usual) for it in list(running))])
        logging.root.setLevel(level)

def attach():
    global usual
    usual, publisher.listener = logging.root.level, adjust
    for logger in [logging.root, *logging.root.manager.loggerDict.values()]:
        for handler in getattr(logger, "handlers", []):
            handler.addFilter(is_usual)
    logging.root.addHandler(Handler())
