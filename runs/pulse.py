"""Is there a worker? Each one signs every few seconds; pages tell those who wait when none does."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from runs.models import WorkerPulse

log = structlog.get_logger()
BEAT = 5.0  # seconds
ALIVE = timedelta(seconds=30)  # six beats: a database that is busy for a moment is no dead worker
FORGOTTEN = timedelta(days=7)


def last_heard() -> datetime | None:
    """When a worker signed last; None when none ever did."""
    return WorkerPulse.objects.order_by("-heard_at").values_list("heard_at", flat=True).first()


def is_alive(heard: datetime | None) -> bool:
    """True when the last sign is at most half a minute old."""
    return heard is not None and timezone.now() - heard <= ALIVE


def sign(name: str, started: datetime) -> None:
    """One sign of life; workers that have been silent for a week are forgotten."""
    now = timezone.now()
    WorkerPulse.objects.update_or_create(name=name, defaults={"started_at": started, "heard_at": now})
    WorkerPulse.objects.filter(heard_at__lt=now - FORGOTTEN).delete()


@contextmanager
def beating() -> Iterator[None]:
    """Signs from a thread while the block runs. At its end the row goes, so that pages know at once."""
    name, started, ended = f"{socket.gethostname()}:{os.getpid()}", timezone.now(), threading.Event()

    def beat() -> None:
        while True:
            try:
                close_old_connections()
                sign(name, started)
            except DatabaseError:  # it comes back; the worker itself meets the same trouble and says so
                log.warning("worker.pulse_missed", exc_info=True)
            if ended.wait(BEAT):
                break
        connection.close()

    thread = threading.Thread(target=beat, name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(BEAT)
        WorkerPulse.objects.filter(name=name).delete()
