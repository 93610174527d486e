"""Asynchronous log lines and counters of the machine endpoints: one thread writes them after the answers.

Written synchronously they would make each answer wait for the log stream. A process that is killed loses the last
`EVERY` seconds of them; one that ends, or is asked for its metrics, writes them first.
"""

import atexit
import logging
import os
import threading
from collections import deque
from datetime import UTC, datetime

import orjson

from insight_site.request_lines import Line, count

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
