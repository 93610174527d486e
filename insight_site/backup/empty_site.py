"""Checks that a site is empty: a restore refuses to write anywhere else."""

from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from events.delta import raw_files
from insight_site.backup import stored_tables
from runs.models import WorkerPulse
from runs.queue import status

# Tables that `migrate`, a worker and a site without users fill on their own.
ALWAYS = {
    "auth_group", "auth_group_permissions", "auth_permission", "django_content_type", "django_migrations",
    "django_session", "events_cataloguesnapshot", "insight_site_idempotentcall", "insight_site_snapshot",
    "insight_site_writeprobe", "runs_job", "runs_schedule", "runs_workerpulse",
}  # fmt: skip
LISTED = 5


def rows_there() -> list[str]:
    """Non-empty tables with their number of rows; empty for a database without tables."""
    there = set(connection.introspection.table_names())
    found = []
    for table in stored_tables.tables_at(stored_tables.applied_migrations()):
        if table.name in there - ALWAYS:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table.name)}")  # noqa: S608
                count = cursor.fetchone()[0]
            found += [f"{table.name} {count}"] if count else []
    return found


def events_there() -> list[str]:
    """Files of the event store."""
    return [name for name in raw_files.names() if not name.startswith("_import-")]


def uploads_there() -> list[str]:
    """Files that people have uploaded."""
    root = Path(settings.UPLOADS_DIR)
    return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]


def shown(found: list[str]) -> str:
    """The first few, for a sentence."""
    return ", ".join(found[:LISTED]) + (", …" if len(found) > LISTED else "")


def worker_lives() -> bool:
    """True when a worker has recorded a heartbeat in this database recently."""
    if WorkerPulse._meta.db_table not in connection.introspection.table_names():
        return False
    return WorkerPulse.objects.filter(heard_at__gte=timezone.now() - status.ALIVE).exists()
