"""One process of a worker: takes jobs of one queue, one after the other, until it is told to end or has grown large."""

import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from runs.models import Job
from runs.queue import leases, origin
from runs.queue.registry import UnknownTaskError, find_task, limit_of

log = structlog.get_logger()
POLL, BEAT = 0.25, 15.0  # seconds between looks into the queue, and between signs of life
PATIENCE = 5.0  # seconds between tries while the database is away
AWAY = (DatabaseError, InterfaceError)


def serve(queue: str, owner: str) -> None:
    """Work until SIGTERM: the job that runs is brought to its end then, the next isn't taken.

    Args:
        queue: whose jobs are taken.
        owner: this process's name in the rows; no process had it before.
    """
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    _name_process(owner)
    keeper = _Keeper()
    keeper.start()
    while not told and not _is_large():
        try:
            close_old_connections()
            job = leases.take(queue, owner)
        except AWAY:
            log.warning("worker.database_away", queue=queue)
            connection.close()
            time.sleep(PATIENCE)
            continue
        if job is None:
            time.sleep(POLL)
        else:
            with keeper.of(job), origin.bound(job), origin.Around.job(job):
                if error := perform(job):
                    _until_written(leases.fail, job, error)
                else:
                    _until_written(leases.finish, job)


def _name_process(owner: str) -> None:
    """For `ps` and `top`, on Linux: queue and last part of the owner's name, as the row of a job that runs has it."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text("-".join(owner.rsplit(":", 2)[-2:]))


def perform(job: Job) -> str:
    """Run a job's function; what went wrong, or "". Its words are in the log alone: they may name a person."""
    try:
        name = find_task(job.task).name
        module, _dot, function = name.rpartition(".")
        getattr(import_module(module), function)(*job.arguments)
    except UnknownTaskError:
        log.exception("job.unknown_task")
        return "This version of Insight knows no such task."
    except Exception as trouble:
        log.exception("job.failed")
        return type(trouble).__name__
    return ""


class _Keeper(threading.Thread):
    """Says every few seconds that the job's process lives; ends it when it takes too long."""

    def __init__(self) -> None:
        super().__init__(name="keeper", daemon=True)
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._began = self._said = 0.0
        self._limit = 0

    def of(self, job: Job) -> "_Keeper":
        """For a block in which this job runs."""
        with self._lock:
            self._job, self._began, self._limit = job, time.monotonic(), limit_of(job.task)
            self._said = self._began
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_trouble: object) -> None:
        with self._lock:
            self._job = None

    def run(self) -> None:
        """Look once a second."""
        while True:
            time.sleep(1.0)
            self.look()

    def look(self) -> None:
        """Once: end what takes too long, and say that the rest lives."""
        try:
            with self._lock:
                self._look()
        except AWAY:
            connection.close()  # a broken one would fail for ever, and the job be taken for abandoned

    def _look(self) -> None:
        job, now = self._job, time.monotonic()
        if job is None:
            return
        if now - self._began > self._limit:
            leases.end(job, f"It took longer than {self._limit} seconds.")
            _end_group()
        if now - self._said > BEAT:
            self._said = now
            if not leases.prolong(job):
                _end_group()  # somebody else has it: two would compute the same
            connection.close()


def _until_written(write: Callable[..., bool], *said: Any) -> None:
    """Say how the job ended, however long the database is away."""
    while True:
        try:
            close_old_connections()
            write(*said)
        except AWAY:
            log.warning("worker.database_away")
            connection.close()
            time.sleep(PATIENCE)
        else:
            return


def _is_large() -> bool:
    return bool(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > settings.WORKER_MB * 1024)


def _end_group() -> None:
    os.killpg(0, signal.SIGKILL)
