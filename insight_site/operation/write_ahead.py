"""SQLite's write-ahead log: how large it is, and how it becomes short again.

SQLite writes over its log from the start as long as no reader holds an older state of the database. A long reader lets
it grow, and nothing makes it smaller but a checkpoint that nobody hinders.
"""

from pathlib import Path

import structlog
from django.db import connection

log = structlog.get_logger()


def size() -> int | None:
    """Bytes of the log beside the database; None where the database is another."""
    if connection.vendor != "sqlite":
        return None
    file = Path(f"{connection.settings_dict['NAME']}-wal")
    return file.stat().st_size if file.exists() else 0


def shorten() -> int:
    """Move the log into the database and cut it; bytes that are left, which a reader beside it may have hindered."""
    if connection.vendor != "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        busy, *_ = cursor.fetchone()
    left = size() or 0
    if busy:
        log.info("database.log_not_shortened", bytes=left)
    return left
