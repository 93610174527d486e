"""What one web process needs to answer: a database that takes writes, with the tables of this version. Nothing else.

Not the worker, the store or the cache: events are kept in the database, assignments too, and a load balancer that takes
every web process away because a worker died makes one failure into two.
"""

import time
from collections.abc import Callable

import structlog
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from insight_site.models import WriteProbe

log = structlog.get_logger()
WRITTEN_SECONDS = 5.0  # probes of a load balancer come each second from each of its nodes


class _Known:
    """What this process needs not ask again."""

    migrated = False
    written = float("-inf")


def database() -> str:
    """Read it, and write one row now and then: a full disk or a standby still reads."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if time.monotonic() - _Known.written >= WRITTEN_SECONDS:
        with transaction.atomic():
            WriteProbe.objects.update_or_create(pk=1, defaults={"written_at": timezone.now()})
        _Known.written = time.monotonic()
    return "ok"


def migrations() -> str:
    """Every migration of this version is applied; once it is, it stays so while the process lives."""
    if not _Known.migrated:
        executor = MigrationExecutor(connection)
        if waiting := len(executor.migration_plan(executor.loader.graph.leaf_nodes())):
            return f"failed: {waiting} migrations are not applied"
        _Known.migrated = True
    return "ok"


NEEDED: dict[str, Callable[[], str]] = {"database": database, "migrations": migrations}


def report() -> dict[str, str]:
    """One line for each need; after the first that failed the others aren't asked, which would wait as long again."""
    found: dict[str, str] = {}
    for name, check in NEEDED.items():
        if any(line != "ok" for line in found.values()):
            found[name] = "failed: not asked, the database is away"
            continue
        try:
            found[name] = check()
        except Exception as trouble:  # a probe reports every trouble; the class name gives no secret away
            log.warning("readyz.failed", check=name, error=type(trouble).__name__)
            found[name] = f"failed: {type(trouble).__name__}"
    return found


def forget() -> None:
    """Ask everything again."""
    _Known.migrated, _Known.written = False, float("-inf")
