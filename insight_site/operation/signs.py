"""Health checks: one function for each part that can fail separately, used by probes, metrics and `doctor`.

A web process works without most parts: a failed worker must not remove web processes from a load balancer, which would
then reject events that the database could have stored. So `/readyz` checks other things
(`insight_site.operation.readiness`), and these parts have probes and alerts of their own.
"""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Count, Min, Q
from django.utils import timezone

from events.object_store import local_folder
from events.outbox import flush
from insight_site.backup import last_backup
from insight_site.operation import readiness
from runs.models import Job, Schedule, WorkerPulse
from runs.queue import status
from runs.queue.registry import LONG, QUEUES, all_tasks
from runs.refusals import Refused

log = structlog.get_logger()
KEPT_SECONDS = 5.0  # probes come from several places, and a check may cost a count
LATE = timedelta(minutes=5)  # a schedule is this much overdue
MISSED_PERIODS = 3  # time without a success, in addition to LATE
FAILURES = 3  # failures in a row
QUEUE_SECONDS = 300.0  # longest wait in a queue of short tasks
BACKUP_SECONDS = 36 * 3600.0  # one backup each night, and half a day for the operator
CLOCK_SECONDS = 30.0  # largest clock difference within a site


@dataclass(frozen=True)
class Sign:
    """The state of one part.

    Attributes:
        ok: False when it needs attention.
        text: one line in English, without secrets, ids and names of users.
        figures: for metrics, by name and label.
    """

    ok: bool
    text: str
    figures: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """For a probe: "ok: …" or "failed: …"."""
        return f"{'ok' if self.ok else 'failed'}: {self.text}"


def worker() -> Sign:
    """Does a worker send heartbeats?"""
    heard = status.last_heard()
    if heard is None:
        return Sign(False, "no worker has run here yet")
    ago = (timezone.now() - heard).total_seconds()
    alive = WorkerPulse.objects.filter(heard_at__gte=timezone.now() - status.ALIVE).count()
    text = f"{alive} alive" if alive else f"silent for {ago:.0f} s"
    return Sign(alive > 0, text, {("insight_worker_heard_seconds", ""): ago, ("insight_workers", ""): float(alive)})


def scheduler() -> Sign:
    """Are all schedules on time, and do their tasks succeed?"""
    now, wrong, figures = timezone.now(), [], {}
    for row in Schedule.objects.all():
        if row.last_success_at:
            figures["insight_schedule_success_seconds", row.name] = (now - row.last_success_at).total_seconds()
        figures["insight_schedule_failures", row.name] = float(row.failures)
        wrong += [f"{row.name} {said}" for said in _wrong_with(row, now)]
    return Sign(not wrong, "; ".join(wrong) or "every schedule is in time", figures)


def _wrong_with(row: Schedule, now: datetime) -> list[str]:
    said = []
    if now - row.next_run > LATE:
        said.append(f"is {(now - row.next_run).total_seconds():.0f} s late")
    if row.next_run - now > 2 * row.period + LATE:
        said.append("is put off too far: a clock was ahead")
    if row.failures >= FAILURES:
        said.append(f"failed {row.failures} times in a row")
    if row.last_success_at and now - row.last_success_at > MISSED_PERIODS * row.period + LATE:
        said.append(f"last succeeded {(now - row.last_success_at).total_seconds():.0f} s ago")
    return said


def queue() -> Sign:
    """Number of waiting and running tasks, and the longest wait; long tasks and low-priority ones may wait."""
    now, figures, wrong = timezone.now(), {}, []
    due = Q(due_at=None) | Q(due_at__lte=now)
    soon = ~Q(task__in=[task.name for task in all_tasks() if task.late])
    waiting = {
        row["queue"]: row
        for row in Job.objects.filter(due, state=Job.State.WAITING)
        .order_by()
        .values("queue")
        .annotate(n=Count("pk"), first=Min("asked_at", filter=soon), due=Min("due_at", filter=soon))
    }
    running = Job.objects.filter(state=Job.State.RUNNING).count()
    for name in QUEUES:
        row = waiting.get(name)
        first = row and row["first"]
        lag = (now - max(first, row["due"] or first)).total_seconds() if row and first else 0.0
        figures["insight_queue_waiting", name] = float(row["n"] if row else 0)
        figures["insight_queue_lag_seconds", name] = max(lag, 0.0)
        if name != LONG and lag > QUEUE_SECONDS:
            wrong.append(f"{name} waits {lag:.0f} s")
    failed = Job.objects.filter(state=Job.State.FAILED, ended_at__gt=now - timedelta(days=1)).count()
    figures["insight_tasks_failed_in_a_day", ""] = float(failed)
    figures["insight_queue_running", ""] = float(running)
    total = sum(row["n"] for row in waiting.values())
    return Sign(not wrong, "; ".join(wrong) or f"{total} wait, {running} run, {failed} failed in a day", figures)


def outbox() -> Sign:
    """Accepted events that aren't in the store."""
    state = flush.outbox_state()
    return Sign(
        state.lag_seconds <= settings.OUTBOX_LAG_SECONDS,
        f"{state.rows} rows wait, the oldest {state.lag_seconds:.0f} s",
        {("insight_outbox_rows", ""): float(state.rows), ("insight_outbox_lag_seconds", ""): state.lag_seconds},
    )


def store() -> Sign:
    """Can the event store be written: does it exist, undamaged, and belong to this database?"""
    folder = local_folder(str(settings.EVENTS_URL))
    if folder is not None and folder.exists() and not os.access(folder, os.W_OK):
        return Sign(False, "its folder can't be written")
    try:
        return Sign(True, flush.store_state())
    except Refused as refusal:
        return Sign(False, str(refusal))


def backup() -> Sign:
    """Was there a recent backup in BACKUP_DIR?"""
    if not settings.BACKUP_DIR:
        return Sign(True, "BACKUP_DIR is not set")
    last = last_backup.last_success()
    if last is None:
        return Sign(False, "no backup has been made yet")
    ago = (timezone.now() - last).total_seconds()
    text = f"the last one is {ago / 3600:.0f} hours old"
    return Sign(ago <= BACKUP_SECONDS, text, {("insight_backup_success_seconds", ""): ago})


def disk() -> Sign:
    """Free space on this machine's disks."""
    figures, wrong = {}, []
    for name, folder in _folders().items():
        disk = shutil.disk_usage(folder)
        figures["insight_disk_bytes", name] = float(disk.total)
        figures["insight_disk_free_bytes", name] = float(disk.free)
        if disk.free < settings.DISK_FREE_MB * 1_000_000:
            wrong.append(f"{name} has {disk.free / 1e6:.0f} MB left")
    least = min(value for (figure, _), value in figures.items() if figure == "insight_disk_free_bytes") / 1e9
    return Sign(not wrong, "; ".join(wrong) or f"{least:.0f} GB free", figures)


def clock() -> Sign:
    """Do the clocks of this machine, the database and the workers agree?"""
    now, ahead = timezone.now(), 0.0
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            (theirs,) = cursor.fetchone() or (now,)
        ahead = (now - theirs).total_seconds()
    newest = status.last_heard()
    future = max((newest - now).total_seconds(), 0.0) if newest else 0.0
    apart = max(abs(ahead), future)
    text = f"{apart:.0f} s between this machine, the database and the workers"
    return Sign(apart <= CLOCK_SECONDS, text, {("insight_clock_apart_seconds", ""): apart})


def database() -> Sign:
    """Can the database be read and written?"""
    readiness.database()
    return Sign(True, connection.vendor)


def shared_memory() -> Sign:
    """The cache that web processes share when Redis is set: rate limits and cached answers."""
    cache.set("sign", 1, timeout=10)
    return Sign(cache.get("sign") == 1, "answers")


DATABASE = "database"
SIGNS: dict[str, Callable[[], Sign]] = {
    DATABASE: database,  # first: while it is unavailable the others are skipped
    "worker": worker,
    "scheduler": scheduler,
    "queue": queue,
    "outbox": outbox,
    "store": store,
    "backup": backup,
    "disk": disk,
    "clock": clock,
    "cache": shared_memory,
}
WITHOUT_DATABASE = ("disk", "cache")
_seen: dict[str, tuple[float, Sign]] = {}


def look(name: str) -> Sign:
    """One part's state, cached for at most KEPT_SECONDS; an exception counts as a failure.

    Raises:
        KeyError: there is no such part.
    """
    kept, now = _seen.get(name), time.monotonic()
    if kept and now - kept[0] < KEPT_SECONDS:
        return kept[1]
    try:
        found = _away(now) if name not in WITHOUT_DATABASE else None
        found = found or SIGNS[name]()
    except Exception as trouble:  # the class name reveals no secret
        log.warning("sign.failed", sign=name, error=type(trouble).__name__)
        found = Sign(False, type(trouble).__name__)
        if isinstance(trouble, DatabaseError | InterfaceError):
            _seen[DATABASE] = time.monotonic(), Sign(False, "the database is away")
    _seen[name] = time.monotonic(), found
    return found


def _away(now: float) -> Sign | None:
    """The database's cached failure, if recent: else each part would wait for it again, and the probe time out."""
    seen = _seen.get(DATABASE)
    return seen[1] if seen and not seen[1].ok and now - seen[0] < KEPT_SECONDS else None


def forget() -> None:
    """Clear the cache."""
    _seen.clear()


def _folders() -> dict[str, Path]:
    """Folders where this site writes on this machine, by purpose."""
    places = {
        "events": local_folder(str(settings.EVENTS_URL)),
        "uploads": Path(settings.UPLOADS_DIR),
        "explore": Path(settings.EXPLORE_DIR),
        "backups": local_folder(settings.BACKUP_DIR) if settings.BACKUP_DIR else None,
        "database": Path(str(connection.settings_dict["NAME"])) if connection.vendor == "sqlite" else None,
    }
    return {
        name: next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
        for name, folder in places.items()
        if folder
    }
