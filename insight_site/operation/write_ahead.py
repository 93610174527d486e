"""SQLite's write-ahead log: its size, and how to truncate it.

SQLite reuses its log from the start unless a reader holds an older state of the database. A long reader lets it grow,
and only a checkpoint without concurrent readers makes it smaller.
"""

from pathlib import Path

import structlog
from django.db import connection

log = structlog.get_logger()


def size() -> int | None:
    """Size in bytes of the log beside the database; None for another kind of database."""
    if connection.vendor != "sqlite":
        return None
    file = Path(f"{connection.settings_dict['NAME']}-wal")
    return file.stat().st_size if file.exists() else 0


def shorten() -> int:
    """Checkpoint and truncate the log; returns the bytes left, if a concurrent reader prevented it."""
    if connection.vendor != "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        busy, *_ = cursor.fetchone()
    left = size() or 0
    if busy:
        log.info("database.log_not_shortened", bytes=left)
    return left
