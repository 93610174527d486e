"""gunicorn's threaded worker that stays with a connection for a moment: `gunicorn.conf.py` names it (docs/adr/0005).

gunicorn hands every connection back to its poller after each answer, and wakes another thread for the next request. A
service that asks for a variant asks again at once, so that way costs more than the answer.

A thread takes a request when the whole of it is here. gunicorn's own would wait for the rest, for as long as a sender
likes, and eight such senders would stop the site. What is too large to be held is read as it comes, by half of the
threads at most and not slower than `Paced` allows.
"""

import select
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import _DEFER, ThreadWorker

from insight_site.machine.arrival import EXPECTS, Arrived, Held, arrived

STAYS_SECONDS = 1.0
LOOKS_SECONDS = 0.01  # how long at most a waiting connection finds no thread because of one that stays
WHOLE_SECONDS = 20.0  # from the first byte to the last of a request that is held
HELD_TOTAL = 64 * 1024 * 1024  # of all that wait in one process
LARGE_WAITING = 50  # large requests that may wait for a thread
SILENT_SECONDS, BYTES_A_SECOND = 5.0, 8 * 1024  # of a large request
LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
_LARGE = object()  # from a thread to the main one: this request is to be read as it comes


class Paced:
    """A socket for reading from a sender who must go on sending.

    Attributes:
        sock: the socket; whatever isn't reading is its own affair.
    """

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.begin()

    def begin(self) -> None:
        """The next request begins."""
        self._began, self._got = time.monotonic(), 0

    def recv(self, size: int) -> bytes:
        """As a socket's.

        Raises:
            TimeoutError: nothing came for a while, or too little all along.
        """
        poller = select.poll()
        poller.register(self.sock, select.POLLIN)
        late = time.monotonic() - self._began > WHOLE_SECONDS + self._got / BYTES_A_SECOND
        if late or not poller.poll(SILENT_SECONDS * 1000):
            raise TimeoutError("the body comes too slowly")
        data: bytes = self.sock.recv(size)
        self._got += len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


class StayingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A thread that has answered waits a moment for the next request, unless another connection waits for a thread."""

    def init_process(self) -> None:
        """Begin, in the process of the worker."""
        self.queued = 0
        self.queue_lock = threading.Lock()
        # The main thread's alone: what waiting connections hold, large requests that have a thread, those that wait.
        self.held_bytes = self.large_now = 0
        self.large_waiting: deque[Any] = deque()
        super().init_process()

    def accept(self, listener: Any) -> None:
        """Take a connection; with as many as may be, the one that has kept us waiting longest makes room."""
        if self.pending_conns and self.nr_conns >= self.worker_connections - 1:
            self._drop_oldest(LATE)
        super().accept(listener)

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection to a thread."""
        if not hasattr(conn, "held"):  # a new one
            conn.held = Held()
        with self.queue_lock:
            self.queued += 1
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Answer the requests of a connection as long as they come one after the other."""
        with self.queue_lock:
            self.queued -= 1
        if getattr(conn, "is_large", False):
            conn.paced.begin()
            return super().handle(conn)
        kept = self._answer(conn)
        while kept is True and self._asks_again(conn):
            kept = self._answer(conn)
        return kept

    def _answer(self, conn: Any) -> Any:
        """Answer one request that is here as a whole; send others back to the main thread, to wait."""
        if not conn.cfg.is_ssl:
            try:
                state = take_in(conn)
            except OSError:
                return False
            if state is Arrived.LARGE:
                return _LARGE
            if state is not Arrived.WHOLE:
                return _DEFER
            conn.data_ready = True
            begin(conn)
        return super().handle(conn)

    def _asks_again(self, conn: Any) -> bool:
        if conn.parser.unreader.buf.getvalue():  # read ahead with the last body
            return True
        until, poller = time.monotonic() + STAYS_SECONDS, select.poll()
        poller.register(conn.sock, select.POLLIN)
        while self.alive and not self.queued and time.monotonic() < until:
            if poller.poll(LOOKS_SECONDS * 1000):
                return True
        return False

    def finish_request(self, conn: Any, fs: Any) -> None:
        """What becomes of a connection after its thread; in the main one."""
        result = fs.result() if not (fs.cancelled() or fs.exception()) else False
        if result is _LARGE and self.alive:
            self._read_large(conn)
            return
        if getattr(conn, "is_large", False):
            conn.is_large = False
            self.large_now -= 1
            if self.large_waiting:
                self._read_large(self.large_waiting.popleft())
        super().finish_request(conn, fs)
        if result is _DEFER and self.alive and self.pending_conns and self.pending_conns[-1] is conn:
            conn.timeout = time.monotonic() + WHOLE_SECONDS
            self.held_bytes += len(conn.held)

    def _read_large(self, conn: Any) -> None:
        """Give it a thread, or let it wait for one; half of them are left for everything else."""
        if self.large_now >= max(1, self.cfg.threads // 2):
            self.large_waiting.append(conn)
            if len(self.large_waiting) > LARGE_WAITING:
                self._close(self.large_waiting.popleft(), BUSY)
            return
        self.large_now += 1
        conn.is_large = conn.data_ready = True
        begin(conn)
        self.enqueue_req(conn)

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """Hold what has come; a thread gets the connection when that is enough."""
        before = len(conn.held)
        with suppress(OSError):  # a thread finds the same and ends the connection
            if not conn.cfg.is_ssl and take_in(conn) in (Arrived.PART, Arrived.ASKS):
                self.held_bytes += len(conn.held) - before
                while self.held_bytes > HELD_TOTAL and self.pending_conns:
                    self._drop_oldest(LATE)
                return
        self.held_bytes -= before
        super().on_pending_socket_readable(conn, client)

    def murder_pending(self) -> None:
        """Close those whose request didn't come in time."""
        while self.pending_conns and self.pending_conns[0].timeout <= time.monotonic():
            self._drop_oldest(LATE)

    def _drop_oldest(self, answer: bytes) -> None:
        conn = self.pending_conns.popleft()
        self.held_bytes -= len(conn.held)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self._close(conn, answer if conn.held else b"")

    def _close(self, conn: Any, answer: bytes) -> None:
        self.nr_conns -= 1
        with suppress(OSError):
            conn.sock.setblocking(False)
            conn.sock.send(answer)
        conn.close()


def take_in(conn: Any) -> Arrived:
    """Read what the sender has sent, without waiting, and judge it. A sender that has gone has sent the whole.

    Raises:
        OSError: the connection is broken.
    """
    held = conn.held
    if conn.parser is not None:
        held += conn.parser.unreader.take_buffered()
    state = arrived(held)
    conn.sock.setblocking(False)
    while state in (Arrived.PART, Arrived.ASKS):
        try:
            piece = conn.sock.recv(65_536)
        except BlockingIOError:
            break
        if not piece:
            return Arrived.WHOLE
        held += piece
        state = arrived(held)
    if state is Arrived.ASKS and not getattr(conn, "told", False):
        conn.told = True
        conn.sock.send(GO_ON)
    return state


def begin(conn: Any) -> None:
    """Give gunicorn's parser what is held, and a socket that waits for no slow sender."""
    conn.init()
    if getattr(conn, "paced", None) is None:
        conn.paced = conn.parser.unreader.sock = Paced(conn.sock)
    # gunicorn would tell it to go on, once more.
    held = EXPECTS.sub(b"\r\n", conn.held, count=1) if getattr(conn, "told", False) else conn.held
    conn.parser.unreader.unread(bytes(held))
    conn.held, conn.told = Held(), False
    conn.paced.begin()
