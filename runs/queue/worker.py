"""The worker: its processes, what each takes from the queue, and the schedules."""

import multiprocessing
import os
import resource
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, connections, transaction
from django.utils import timezone

from runs.models import Job, Schedule
from runs.queue import enqueue, leases, status, warm
from runs.queue.enqueue import put
from runs.queue.leases import put_forgotten
from runs.queue.registry import LONG, QUICK, STORE, UnknownTaskError, find_task, limit_of

# What the clock asks for: due schedules become jobs, once each, however many workers look.

log = structlog.get_logger()
OPEN = (Job.State.WAITING, Job.State.RUNNING)


def put_due() -> int:
    """Ask for what is due; how many jobs that made.

    One that still waits or runs isn't asked for again. A time that lies further ahead than two periods was written by
    a clock that was wrong: it would keep the task away for as long as that clock was ahead, so it is put right.
    """
    now, made = timezone.now(), 0
    for row in Schedule.objects.all():
        if now < row.next_run <= now + 2 * row.period:
            continue
        is_due = row.next_run <= now
        with transaction.atomic():
            unseen = Schedule.objects.filter(pk=row.pk, next_run=row.next_run)
            if not unseen.update(next_run=row.after(now)) or not is_due:
                continue  # another worker was first
            if not Job.objects.filter(schedule=row.name, state__in=OPEN).exists():
                made += _ask(row)
    return made


def _ask(row: Schedule) -> int:
    """1 when it was asked for; 0 for a task of another version, or one that an operator wrote into the former queue."""
    try:
        put(row.task, schedule=row.name)
    except UnknownTaskError:  # the other schedules must go on
        log.error("schedule.unknown_task", schedule=row.name, task=row.task)
        return 0
    return 1


# One process of a worker: takes jobs of one queue, one after the other, until it is told to end or has grown large.
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
            with keeper.of(job), enqueue.bound(job), enqueue.Around.job(job):
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


# A worker: a process for each place at a queue, schedules by the clock, and an eye on both.
#
# It has no thread of its own, so that it may fork: a new process has everything loaded at once and shares its memory.
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
            self._ask(put_due)
            if time.monotonic() - watched > WATCH:
                watched = time.monotonic()
                if settings.WORKER_ALIVE_FILE:
                    with suppress(OSError):  # a full disk: whoever looks at the file sees it grow old
                        Path(settings.WORKER_ALIVE_FILE).touch()
                self._ask(lambda: status.sign(self._name, started))
                self._ask(self._watch.free_silent)
            if time.monotonic() - asked > FORGOTTEN:
                asked = time.monotonic()
                self._ask(put_forgotten)
            wait([process.sentinel for _queue, process in self._slots.values()], LOOK)
        if warming:
            warming.kill()
        self._end()
        self._ask(lambda: status.leave(self._name))

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
            self._slots[owner] = queue, self._fork(serve, queue, owner)

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
