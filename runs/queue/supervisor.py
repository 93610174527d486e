"""A worker: a process for each place at a queue, schedules by the clock, and an eye on both.

It has no thread of its own, so that it may fork: a new process has everything loaded at once and shares its memory.
"""

import multiprocessing
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, connections
from django.utils import timezone

from runs.queue import clock, leases, pulse, slot, warm
from runs.queue.lost import put_forgotten
from runs.queue.registry import LONG, QUICK, STORE

log = structlog.get_logger()
LOOK, WATCH = 1.0, 5.0  # seconds between looks at the clock, and between signs of life
FORGOTTEN = 60.0  # and between looks for runs that nobody was asked for
forked = multiprocessing.get_context("fork")


class Supervisor:
    """Runs until SIGTERM or Ctrl-C, then gives its processes `WORKER_GRACE_SECONDS` to end their jobs."""

    def __init__(self) -> None:
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._slots: dict[str, tuple[str, ForkProcess]] = {}  # by the owner's name: its queue and its process
        self._gone: dict[str, bool] = {}  # owners whose process ended and whose jobs aren't free yet; is it a try
        self._queues = [STORE, QUICK, *[LONG] * settings.WORKERS]
        self._watch = leases.Watch()
        self._told = False

    def run(self) -> None:
        """Work until told to end."""
        started, watched, asked = timezone.now(), 0.0, float("-inf")
        signal.signal(signal.SIGTERM, self._tell)
        signal.signal(signal.SIGINT, self._tell)
        warming = self._fork(warm.warm_up) if warm.is_needed() else None
        while not self._told:
            self._fill()
            self._ask(clock.put_due)
            if time.monotonic() - watched > WATCH:
                watched = time.monotonic()
                if settings.WORKER_ALIVE_FILE:
                    with suppress(OSError):  # a full disk: whoever looks at the file sees it grow old
                        Path(settings.WORKER_ALIVE_FILE).touch()
                self._ask(lambda: pulse.sign(self._name, started))
                self._ask(self._watch.free_silent)
            if time.monotonic() - asked > FORGOTTEN:
                asked = time.monotonic()
                self._ask(put_forgotten)
            wait([process.sentinel for _queue, process in self._slots.values()], LOOK)
        if warming:
            warming.kill()
        self._end()
        self._ask(lambda: pulse.leave(self._name))

    def _fill(self) -> None:
        """Take away the processes that have ended, free their jobs, and begin others in their places."""
        for owner, (_queue, process) in list(self._slots.items()):
            if not process.is_alive():
                self._bury(owner, counted=True)
        self._free_gone()
        wanted = list(self._queues)
        for queue, _process in self._slots.values():
            wanted.remove(queue)
        for queue in wanted:
            owner = f"{self._name}:{queue}:{secrets.token_hex(4)}"
            self._slots[owner] = queue, self._fork(slot.serve, queue, owner)

    def _bury(self, owner: str, *, counted: bool) -> None:
        _queue, process = self._slots.pop(owner)
        process.join()
        if process.exitcode:
            log.warning("worker.process_ended", owner=owner, code=process.exitcode)
            with suppress(ProcessLookupError):
                os.killpg(process.pid or 0, signal.SIGKILL)  # what it had started
        self._gone[owner] = counted

    def _free_gone(self) -> None:
        """One that the database didn't free, as in a deadlock or while it was away, is asked for at the next look."""
        for owner, counted in list(self._gone.items()):
            self._ask(partial(self._free, owner, counted))

    def _free(self, owner: str, counted: bool) -> None:
        leases.free(owner, counted=counted)
        del self._gone[owner]

    def _end(self) -> None:
        """All at once: each may bring its job to an end; what isn't done in time is stopped and waits again."""
        for _queue, process in self._slots.values():
            process.terminate()
        latest = time.monotonic() + settings.WORKER_GRACE_SECONDS
        for _queue, process in self._slots.values():
            process.join(max(0.0, latest - time.monotonic()))
        for _queue, process in self._slots.values():
            if process.is_alive():
                os.killpg(process.pid or 0, signal.SIGKILL)
        for owner in list(self._slots):
            self._bury(owner, counted=False)
        self._free_gone()

    def _fork(self, function: Callable[..., object], *args: str) -> ForkProcess:
        connections.close_all()  # two processes must not speak over one connection
        process = forked.Process(target=_in_child, args=(os.getpid(), function, *args))
        process.start()
        return process

    def _tell(self, *_signal: object) -> None:
        self._told = True

    def _ask(self, question: Callable[[], object]) -> None:
        """Something of the database, which may be away: it comes back, and the next look asks again."""
        try:
            close_old_connections()
            question()
        except (DatabaseError, InterfaceError):
            log.warning("worker.database_away", exc_info=True)
            connection.close()


def _in_child(parent: int, function: Callable[..., object], *args: str) -> None:
    """A new process begins with a group of its own, so that what it starts ends with it, and an eye on its parent."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_without, args=(parent,), name="orphan", daemon=True).start()
    function(*args)


def _end_without(parent: int) -> None:
    """Nobody would replace a process whose parent was killed, or tell it to end."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os.killpg(0, signal.SIGKILL)
