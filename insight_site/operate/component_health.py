"""What one process needs to answer, and the health of each part that can fail by itself."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min, Q
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily

from events.outbox import flush
from events.store.object_store import local_folder
from insight_site.models import Snapshot, WriteProbe
from runs.models import Job, Schedule, WorkerPulse
from runs.queue import status
from runs.queue.registry import LONG, QUEUES, all_tasks
from runs.refusals import Refused

# Readiness of one web process: a writable database with the tables of this version. Nothing else.
#
# Not the worker, the store or the cache: events and assignments are stored in the database, and a load balancer that
# removes every web process because a worker died turns one failure into two.

log = structlog.get_logger()
WRITTEN_SECONDS = 5.0  # each node of a load balancer probes every second


class _Known:
    """Results that this process may cache."""

    migrated = False
    written = float("-inf")


def read_and_write() -> str:
    """Read the database, and write a row from time to time: with a full disk, or on a standby, reads still work."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if time.monotonic() - _Known.written >= WRITTEN_SECONDS:
        with transaction.atomic():
            WriteProbe.objects.update_or_create(pk=1, defaults={"written_at": timezone.now()})
        _Known.written = time.monotonic()
    return "ok"


def migrations() -> str:
    """Every migration of this version is applied; cached once true, while the process lives."""
    if not _Known.migrated:
        executor = MigrationExecutor(connection)
        if waiting := len(executor.migration_plan(executor.loader.graph.leaf_nodes())):
            return f"failed: {waiting} migrations are not applied"
        _Known.migrated = True
    return "ok"


NEEDED: dict[str, Callable[[], str]] = {"database": read_and_write, "migrations": migrations}


def readiness() -> dict[str, str]:
    """One line per check; after the first failure the others are skipped, since each would wait as long again."""
    lines: dict[str, str] = {}
    for name, check in NEEDED.items():
        if any(line != "ok" for line in lines.values()):
            lines[name] = "failed: not asked, the database is away"
            continue
        try:
            lines[name] = check()
        except Exception as trouble:  # a probe reports every error; the class name reveals no secret
            log.warning("readyz.failed", check=name, error=type(trouble).__name__)
            lines[name] = f"failed: {type(trouble).__name__}"
    return lines


def forget_readiness() -> None:
    """Clear the cache."""
    _Known.migrated, _Known.written = False, float("-inf")


# SQLite's write-ahead log: its size, and how to truncate it.
#
# SQLite reuses its log from the start unless a reader holds an older state of the database. A long reader lets it
# grow, and only a checkpoint without concurrent readers makes it smaller.


def write_ahead_log_size() -> int | None:
    """Size in bytes of the log beside the database; None for another kind of database."""
    if connection.vendor != "sqlite":
        return None
    file = Path(f"{connection.settings_dict['NAME']}-wal")
    return file.stat().st_size if file.exists() else 0


def shorten_write_ahead_log() -> int:
    """Checkpoint and truncate the log; returns the bytes left, if a concurrent reader prevented it."""
    if connection.vendor != "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        busy, *_ = cursor.fetchone()
    left = write_ahead_log_size() or 0
    if busy:
        log.info("database.log_not_shortened", bytes=left)
    return left


# Health of each part that can fail by itself, read by probes, metrics, notices and `doctor`.

# The time of the last successful backup into BACKUP_DIR, stored in the database for probes.

NAME = "backup"


def last_success() -> datetime | None:
    """The time of the last successful backup; None before the first."""
    row = Snapshot.objects.filter(name=NAME).first()
    return row.counted_at if row else None


def note(backup: dict[str, Any]) -> None:
    """Record a successful backup."""
    Snapshot.objects.update_or_create(name=NAME, defaults={"value": backup, "counted_at": timezone.now()})


# Health checks: one function for each part that can fail separately, used by probes, metrics and `doctor`.
#
# A web process works without most parts: a failed worker must not remove web processes from a load balancer, which
# would then reject events that the database could have stored. So `/readyz` checks other things
# (`readiness`), and these parts have probes and alerts of their own.
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
        wrong += [f"{row.name} {problem}" for problem in _wrong_with(row, now)]
    return Sign(not wrong, "; ".join(wrong) or "every schedule is in time", figures)


def _wrong_with(row: Schedule, now: datetime) -> list[str]:
    problems = []
    if now - row.next_run > LATE:
        problems.append(f"is {(now - row.next_run).total_seconds():.0f} s late")
    if row.next_run - now > 2 * row.period + LATE:
        problems.append("is put off too far: a clock was ahead")
    if row.failures >= FAILURES:
        problems.append(f"failed {row.failures} times in a row")
    if row.last_success_at and now - row.last_success_at > MISSED_PERIODS * row.period + LATE:
        problems.append(f"last succeeded {(now - row.last_success_at).total_seconds():.0f} s ago")
    return problems


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
    last = last_success()
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
    read_and_write()
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
    cached, now = _seen.get(name), time.monotonic()
    if cached and now - cached[0] < KEPT_SECONDS:
        return cached[1]
    try:
        sign = _away(now) if name not in WITHOUT_DATABASE else None
        sign = sign or SIGNS[name]()
    except Exception as trouble:  # the class name reveals no secret
        log.warning("sign.failed", sign=name, error=type(trouble).__name__)
        sign = Sign(False, type(trouble).__name__)
        if isinstance(trouble, DatabaseError | InterfaceError):
            _seen[DATABASE] = time.monotonic(), Sign(False, "the database is away")
    _seen[name] = time.monotonic(), sign
    return sign


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


# State of the site's parts as metrics: read at each scrape, the same from all processes.

# Name: description, and the label that distinguishes its values.
GAUGES: dict[str, tuple[str, str]] = {
    "insight_worker_heard_seconds": ("Since a worker last said that it lives.", ""),
    "insight_workers": ("Workers that live.", ""),
    "insight_schedule_success_seconds": ("Since this schedule's task last succeeded.", "schedule"),
    "insight_schedule_failures": ("Failures in a row of this schedule's task.", "schedule"),
    "insight_queue_waiting": ("Tasks that may begin and wait.", "queue"),
    "insight_queue_lag_seconds": ("How long the first of them has waited.", "queue"),
    "insight_queue_running": ("Tasks that run.", ""),
    "insight_tasks_failed_in_a_day": ("Tasks that were given up in the last day.", ""),
    "insight_outbox_rows": ("Accepted events that are not yet in the store.", ""),
    "insight_outbox_lag_seconds": ("Age of the oldest of them.", ""),
    "insight_disk_bytes": ("Size of this machine's disk, by what is written there.", "place"),
    "insight_disk_free_bytes": ("Room on this machine's disk, by what is written there.", "place"),
    "insight_clock_apart_seconds": ("Between the clocks of this machine, the database and the workers.", ""),
}


class Parts:
    """A collector for prometheus_client."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every part's state and figures; a part that can't be read counts as failed and has no figures."""
        signs = {name: look(name) for name in SIGNS}
        state = GaugeMetricFamily("insight_part_ok", "1 when this part works, else 0.", labels=["part"])
        for name, sign in signs.items():
            state.add_metric([name], float(sign.ok))
        yield state
        yield GaugeMetricFamily(
            "insight_outbox_rows_limit", "With more waiting events the ingest door answers 429.", settings.OUTBOX_ROWS
        )
        figures = {key: value for sign in signs.values() for key, value in sign.figures.items()}
        for name, (meaning, label) in GAUGES.items():
            gauge = GaugeMetricFamily(name, meaning, labels=[label] if label else None)
            for (own, value_of), value in figures.items():
                if own == name:
                    gauge.add_metric([value_of] if label else [], value)
            yield gauge
