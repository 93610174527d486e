"""The worker: its child processes, the job loop of each, and the schedules."""

import hashlib
import multiprocessing
import os
import pkgutil
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
from importlib.metadata import version
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import structlog
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, connections, transaction
from django.utils import timezone

from runs.models import Job, Schedule
from runs.processes import GENTLE
from runs.queue import jobs, status
from runs.queue.jobs import put, put_forgotten
from runs.queue.registry import LONG, QUICK, STORE, UnknownTaskError, find_task, limit_of
from runs.site_zone import shown_in

# What a library compiles before its first use, compiled once and kept on disk: no run has to wait for it.
#
# Each app lists the functions that bring it about in its configuration (`warm_up` in `apps.py`), by dotted names.

LIBRARIES = ("numba", "umap-learn", "pynndescent", "numpy")
log = structlog.get_logger()


def needs_warming() -> bool:
    """False where all of it lies on disk already."""
    return bool(_functions_to_warm()) and not _mark_of_warm().exists()


def warm_up() -> None:
    """Compile, leaving the processor to others; a worker does it in a process of its own, beside what it computes."""
    with suppress(OSError):  # a unit of systemd may forbid it: compiling at the usual priority is better than not
        os.nice(GENTLE)
    try:
        for name in _functions_to_warm():
            pkgutil.resolve_name(name)()
        _mark_of_warm().parent.mkdir(parents=True, exist_ok=True)
        _mark_of_warm().touch()
    except (OSError, RuntimeError):  # the first run compiles instead
        log.warning("worker.not_warm", exc_info=True)


def _functions_to_warm() -> list[str]:
    return [name for app in apps.get_app_configs() for name in getattr(app, "warm_up", ())]


def _mark_of_warm() -> Path:
    """A file that says: these functions are compiled, of these versions."""
    texts = (*_functions_to_warm(), *(f"{library} {version(library)}" for library in LIBRARIES))
    return Path(settings.COMPILED_DIR) / f"ready-{hashlib.sha256(repr(texts).encode()).hexdigest()[:16]}"


# Schedules: a due one becomes a job, once, however many workers look.

OPEN = (Job.State.WAITING, Job.State.RUNNING)


def put_due() -> int:
    """Queue jobs for the due schedules; returns how many.

    A schedule whose job still waits or runs is skipped. A due time more than two periods ahead was written by a clock
    that was wrong and would suspend the task for that long, so it is corrected.
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
    """1 when the job was queued; 0 for a task of another version, or one that an operator added in the former queue."""
    try:
        put(row.task, schedule=row.name)
    except UnknownTaskError:  # the other schedules must go on
        log.error("schedule.unknown_task", schedule=row.name, task=row.task)
        return 0
    return 1


# One process of a worker: takes jobs of one queue one by one, until SIGTERM or until it uses too much memory.
POLL, BEAT = 0.25, 15.0  # seconds between polls of the queue, and between heartbeats
PATIENCE = 5.0  # seconds between tries while the database is unavailable
AWAY = (DatabaseError, InterfaceError)


def serve(queue: str, owner: str) -> None:
    """Take jobs until SIGTERM; a running job is finished first.

    Args:
        queue: whose jobs are taken.
        owner: unique name of this process, stored in the rows it owns.
    """
    signals: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: signals.append(number))
    _name_process(owner)
    keeper = _Keeper()
    keeper.start()
    while not signals and not _is_large():
        try:
            close_old_connections()
            job = jobs.take(queue, owner)
        except AWAY:
            log.warning("worker.database_away", queue=queue)
            connection.close()
            time.sleep(PATIENCE)
            continue
        if job is None:
            time.sleep(POLL)
        else:
            with keeper.of(job), jobs.bound(job), jobs.Around.job(job):
                if error := perform(job):
                    _until_written(jobs.fail, job, error)
                else:
                    _until_written(jobs.finish, job)


def _name_process(owner: str) -> None:
    """Set the process name for `ps` and `top` (Linux): queue and end of the owner's name, as in the job's row."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text("-".join(owner.rsplit(":", 2)[-2:]))


def perform(job: Job) -> str:
    """Run a job's function; returns what went wrong, or "". Error messages are only logged: they may name people."""
    try:
        name = find_task(job.task).name
        module, _dot, function = name.rpartition(".")
        with shown_in():
            getattr(import_module(module), function)(*job.arguments)
    except UnknownTaskError:
        log.exception("job.unknown_task")
        return "This version of Insight knows no such task."
    except Exception as trouble:
        log.exception("job.failed")
        return type(trouble).__name__
    return ""


class _Keeper(threading.Thread):
    """Renews the lease of a running job and kills the process when the job exceeds its time limit."""

    def __init__(self) -> None:
        super().__init__(name="keeper", daemon=True)
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._began = self._said = 0.0
        self._limit = 0

    def of(self, job: Job) -> "_Keeper":
        """For the block in which this job runs."""
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
        """Check once a second."""
        while True:
            time.sleep(1.0)
            self.look()

    def look(self) -> None:
        """One check: kill the process if the job is overdue, else renew the lease."""
        try:
            with self._lock:
                self._look()
        except AWAY:
            connection.close()  # a broken connection would fail for ever, and the job would look abandoned

    def _look(self) -> None:
        job, now = self._job, time.monotonic()
        if job is None:
            return
        if now - self._began > self._limit:
            jobs.end(job, f"It took longer than {self._limit} seconds.")
            _end_group()
        if now - self._said > BEAT:
            self._said = now
            if not jobs.prolong(job):
                _end_group()  # another process owns the job: both would compute it
            connection.close()


def _until_written(write: Callable[..., bool], *said: Any) -> None:
    """Record how the job ended, retrying while the database is unavailable."""
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


# A worker: one process per queue slot, the schedules, and monitoring of both.
#
# It has no threads, so that it may fork: a new process has everything loaded at once and shares its memory.
LOOK, WATCH = 1.0, 5.0  # seconds between checks of the schedules, and between heartbeats
FORGOTTEN = 60.0  # seconds between searches for runs without a job
forked = multiprocessing.get_context("fork")


class Supervisor:
    """Runs until SIGTERM or Ctrl-C, then gives its processes `WORKER_GRACE_SECONDS` to finish their jobs."""

    def __init__(self) -> None:
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._slots: dict[str, tuple[str, ForkProcess]] = {}  # by the owner's name: its queue and its process
        self._gone: dict[str, bool] = {}  # owners whose process ended, jobs not freed yet; whether it counts as a try
        self._queues = [STORE, QUICK, *[LONG] * settings.WORKERS]
        self._watch = jobs.Watch()
        self._told = False

    def run(self) -> None:
        """Work until SIGTERM."""
        started, watched, last_check = timezone.now(), 0.0, float("-inf")
        signal.signal(signal.SIGTERM, self._tell)
        signal.signal(signal.SIGINT, self._tell)
        warming = self._fork(warm_up) if needs_warming() else None
        while not self._told:
            self._fill()
            self._ask(put_due)
            if time.monotonic() - watched > WATCH:
                watched = time.monotonic()
                if settings.WORKER_ALIVE_FILE:
                    with suppress(OSError):  # a full disk: monitors of the file see its age
                        Path(settings.WORKER_ALIVE_FILE).touch()
                self._ask(lambda: status.sign(self._name, started))
                self._ask(self._watch.free_silent)
            if time.monotonic() - last_check > FORGOTTEN:
                last_check = time.monotonic()
                self._ask(put_forgotten)
            wait([process.sentinel for _queue, process in self._slots.values()], LOOK)
        if warming:
            warming.kill()
        self._end()
        self._ask(lambda: status.leave(self._name))

    def _fill(self) -> None:
        """Remove ended processes, free their jobs, and start new processes in their slots."""
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
                os.killpg(process.pid or 0, signal.SIGKILL)  # processes that it started
        self._gone[owner] = counted

    def _free_gone(self) -> None:
        """Free the jobs of ended processes; if the database fails (deadlock, outage), try again at the next check."""
        for owner, counted in list(self._gone.items()):
            self._ask(partial(self._free, owner, counted))

    def _free(self, owner: str, counted: bool) -> None:
        jobs.free(owner, counted=counted)
        del self._gone[owner]

    def _end(self) -> None:
        """End all processes at once, each after its current job; unfinished jobs are stopped and wait again."""
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
        connections.close_all()  # two processes must not share a connection
        process = forked.Process(target=_in_child, args=(os.getpid(), function, *args))
        process.start()
        return process

    def _tell(self, *_signal: object) -> None:
        self._told = True

    def _ask(self, question: Callable[[], object]) -> None:
        """Run a database action; when the database is unavailable, the next check tries again."""
        try:
            close_old_connections()
            question()
        except (DatabaseError, InterfaceError):
            log.warning("worker.database_away", exc_info=True)
            connection.close()


def _in_child(parent: int, function: Callable[..., object], *args: str) -> None:
    """Set up a new process: its own process group, so that its children end with it, and a watch on its parent."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_without, args=(parent,), name="orphan", daemon=True).start()
    function(*args)


def _end_without(parent: int) -> None:
    """End when the parent was killed: nobody would replace this process or stop it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os.killpg(0, signal.SIGKILL)
