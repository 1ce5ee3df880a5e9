"""The work of the test applications, whose frameworks are in files of their own."""

import contextvars
import logging
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import codechat_logging

log = logging.getLogger("work")
gates = defaultdict(Event)
pool = ThreadPoolExecutor()


def set_up():
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message).80s")
    codechat_logging.attach()


def refresh(name):
    log.info("Refreshing %s", name)
    for file in range(1, 4):
        log.info("File %d of %s", file, name, extra={"progress": {"current": file, "total": 3}})
    log.debug("Detail of %s", name)
    log.warning("Refreshed %s", name)
    return f"refreshed {name}"


def in_pool():
    log.info("in the handler")
    return pool.submit(contextvars.copy_context().run, work_of_pool).result()


def work_of_pool():
    log.info("in the pool")
    return "done"


def ticks(gate):
    """Logs until the gate is opened, or a watcher asks it to stop; returns the status of the answer."""
    number = 0
    while not gates[gate].is_set():
        number += 1
        log.info("tick %d of %s", number, gate)
        log.debug("detail %d of %s", number, gate)
        if codechat_logging.cancelled():
            return 503
        time.sleep(0.005)
    return 200


def flood(count):
    """Logs count messages of a kilobyte; returns the microseconds that each of them takes."""
    text = "x" * 1000
    began = time.monotonic()
    for number in range(count):
        log.info("flood %d %s", number, text)
    return str(int((time.monotonic() - began) / count * 1e6))
