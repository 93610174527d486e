"""Readiness of one web process: a writable database with the tables of this version. Nothing else.

Not the worker, the store or the cache: events and assignments are stored in the database, and a load balancer that
removes every web process because a worker died turns one failure into two.
"""

import time
from collections.abc import Callable

import structlog
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from insight_site.models import WriteProbe

log = structlog.get_logger()
WRITTEN_SECONDS = 5.0  # each node of a load balancer probes every second


class _Known:
    """Results that this process may cache."""

    migrated = False
    written = float("-inf")


def database() -> str:
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


NEEDED: dict[str, Callable[[], str]] = {"database": database, "migrations": migrations}


def report() -> dict[str, str]:
    """One line per check; after the first failure the others are skipped, since each would wait as long again."""
    found: dict[str, str] = {}
    for name, check in NEEDED.items():
        if any(line != "ok" for line in found.values()):
            found[name] = "failed: not asked, the database is away"
            continue
        try:
            found[name] = check()
        except Exception as trouble:  # a probe reports every error; the class name reveals no secret
            log.warning("readyz.failed", check=name, error=type(trouble).__name__)
            found[name] = f"failed: {type(trouble).__name__}"
    return found


def forget() -> None:
    """Clear the cache."""
    _Known.migrated, _Known.written = False, float("-inf")
