"""gunicorn's threaded worker that stays with a connection for a moment: `gunicorn.conf.py` names it (docs/adr/0005).

gunicorn hands every connection back to its poller after each answer, and wakes another thread for the next request. A
service that asks for a variant asks again at once, so that way costs more than the answer.
"""

import select
import threading
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

STAYS_SECONDS = 1.0
LOOKS_SECONDS = 0.01  # how long at most a waiting connection finds no thread because of one that stays


class StayingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A thread that has answered waits a moment for the next request, unless another connection waits for a thread."""

    def init_process(self) -> None:
        """Begin, in the process of the worker."""
        self.queued = 0
        self.queue_lock = threading.Lock()
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection to a thread."""
        with self.queue_lock:
            self.queued += 1
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Answer the requests of a connection as long as they come one after the other."""
        with self.queue_lock:
            self.queued -= 1
        kept = super().handle(conn)
        while kept is True and self._asks_again(conn):
            kept = super().handle(conn)
        return kept

    def _asks_again(self, conn: Any) -> bool:
        if conn.parser.unreader.buf.getvalue():  # read ahead with the last body
            return True
        until, poller = time.monotonic() + STAYS_SECONDS, select.poll()
        poller.register(conn.sock, select.POLLIN)
        while self.alive and not self.queued and time.monotonic() < until:
            if poller.poll(LOOKS_SECONDS * 1000):
                return True
        return False
