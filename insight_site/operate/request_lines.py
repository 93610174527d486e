"""What is noted of each request: its id, a log line, its place in the metrics. Never a query, key, body or user."""

import atexit
import logging
import os
import random
import re
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import structlog
from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

from insight_site.access.permissions import machine_door

# What is recorded of each request: its id, a log line, its metrics. Never a query, key, body or user.

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
REQUESTS = Counter("insight_requests", "Requests by door and status.", ["door", "status"])
LATENCY = Histogram("insight_request_seconds", "Time to answer, by door.", ["door"])
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Line:
    """The record of one request.

    Attributes:
        door: the endpoint's name in logs and metrics.
        method: of HTTP.
        status: of the answer.
        seconds: time to answer.
        key: prefix of the caller's key; None without one.
    """

    door: str
    method: str
    status: int
    seconds: float
    key: str | None

    def fields(self) -> dict[str, object]:
        """The fields of the log line."""
        return {
            "door": self.door,
            "method": self.method,
            "status": self.status,
            "duration_ms": round(self.seconds * 1000, 1),
            "key": self.key,
        }


def ids_of(sent_id: str, trace_parent: str) -> dict[str, str]:
    """`request_id`: the caller's X-Request-ID, or a new one; `trace_id`, `span_id` of a W3C traceparent."""
    # Not secret, and faster than a UUID, which asks the kernel for random bytes.
    request_id = sent_id if REQUEST_ID.fullmatch(sent_id) else f"{random.getrandbits(128):032x}"
    trace = TRACE_PARENT.fullmatch(trace_parent) if trace_parent else None
    return {"request_id": request_id, **({"trace_id": trace[1], "span_id": trace[2]} if trace else {})}


def line_of(request: HttpRequest, response: HttpResponse, seconds: float) -> Line:
    """The record of an answered request."""
    door = getattr(request, "door", None) or machine_door(request.path_info) or "people"
    caller = getattr(request, "caller", None)
    return Line(door, request.method or "", response.status_code, seconds, caller.key_prefix if caller else None)


def note(line: Line) -> None:
    """Log and count it now."""
    count(line)
    log.info("request", **line.fields())


def count(line: Line) -> None:
    """Count it now."""
    REQUESTS.labels(line.door, line.status).inc()
    LATENCY.labels(line.door).observe(line.seconds)


# Asynchronous log lines and counters of the machine endpoints: one thread writes them after the answers.
#
# Written synchronously they would make each answer wait for the log stream. A process that is killed loses the last
# `EVERY` seconds of them; one that ends, or is asked for its metrics, writes them first.

EVERY = 0.25
_waiting: deque[tuple[Line, dict[str, str], datetime]] = deque()
_writer_of: int | None = None  # process id, since a forked worker inherits the module but not the thread
_writing = threading.Lock()


def note_soon(line: Line, ids: dict[str, str]) -> None:
    """Log and count this request within `EVERY` seconds."""
    _waiting.append((line, ids, datetime.now(UTC)))
    if _writer_of != os.getpid():
        _begin()


def write_now() -> None:
    """Log and count all queued requests."""
    with _writing:
        texts = []
        loud = logging.getLogger().isEnabledFor(logging.INFO)
        while _waiting:
            line, ids, at = _waiting.popleft()
            count(line)
            if loud:
                when = at.isoformat().replace("+00:00", "Z")
                texts.append(orjson.dumps({**line.fields(), "event": "request", **ids, "level": "info", "time": when}))
        if texts:
            _write(b"\n".join(texts).decode() + "\n")


def _write(text: str) -> None:
    """Write to the streams of the root logger's handlers."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.acquire()
            try:
                handler.stream.write(text)
                handler.flush()
            except (OSError, ValueError):  # the stream is closed: as with logging itself, the answer isn't affected
                pass
            finally:
                handler.release()


def _begin() -> None:
    global _writer_of  # noqa: PLW0603 - of this process
    with _writing:
        if _writer_of == os.getpid():
            return
        _writer_of = os.getpid()
    atexit.register(write_now)
    threading.Thread(target=_write_on, name="insight-lines", daemon=True).start()


def _write_on() -> None:
    pause = threading.Event()
    while True:
        pause.wait(EVERY)
        if _waiting:
            write_now()
