"""A scratch database, filled separately and swapped with the site's own in one step: a kill never leaves half of one.

SQLite: a file beside the site's, renamed at the end. PostgreSQL: a separate schema, whose tables replace the site's
empty ones in one transaction. Inside the block it is Django's default database.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections, transaction

from events import disk

SCHEMA = "insight_restoring"
SUFFIX = ".restoring"
BESIDE = ("", "-wal", "-shm", "-journal")


class ScratchDatabase:
    """State of a scratch database inside `beside_the_sites`.

    Attributes:
        wanted: replace the site's database with it at the end of the block.
    """

    def __init__(self) -> None:
        self.wanted = False


@contextmanager
def beside_the_sites() -> Iterator[ScratchDatabase]:
    """An empty database inside the block; then it replaces the site's own if `wanted` was set, else it is deleted."""
    made = ScratchDatabase()
    if connection.vendor == "postgresql":
        with _schema():
            yield made
            connection.close()
            if made.wanted:
                _change_places()
        return
    own = Path(str(connection.settings_dict["NAME"])).resolve()
    place = own.with_name(own.name + SUFFIX)
    _remove(place)  # left by a restore that was killed
    own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with _sqlite(place):
            yield made
        if made.wanted:
            _remove(own)
            place.replace(own)
            disk.force(own.parent)
    finally:
        _remove(place)


@contextmanager
def elsewhere() -> Iterator[None]:
    """An empty SQLite database in the temporary folder, whatever the site uses; deleted after the block."""
    with tempfile.TemporaryDirectory(prefix="insight-check-") as folder, _sqlite(Path(folder) / "scratch.sqlite3"):
        yield


def _remove(place: Path) -> None:
    for end in BESIDE:
        place.with_name(place.name + end).unlink(missing_ok=True)


@contextmanager
def _sqlite(place: Path) -> Iterator[None]:
    os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF;"}
    with _as_default({"ENGINE": "django.db.backends.sqlite3", "NAME": str(place), "OPTIONS": options}):
        yield
        connection.close()
        disk.force(place)


@contextmanager
def _schema() -> Iterator[None]:
    own = connection.settings_dict
    _drop_schema()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {SCHEMA}")
    try:
        with _as_default({"OPTIONS": {**own["OPTIONS"], "options": f"-c search_path={SCHEMA}"}}):
            yield
    finally:
        _drop_schema()


def _drop_schema() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def _change_places() -> None:
    """Drop the site's own, empty tables and move the filled ones into its schema."""
    with _outside(), transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        (schema,) = cursor.fetchone()
        quoted = connection.ops.quote_name
        for kind, listed in (("TABLE", _tables(cursor)), ("FUNCTION", _functions(cursor))):
            for name in listed:
                cursor.execute(f"DROP {kind} IF EXISTS {quoted(schema)}.{quoted(name)} CASCADE")
                cursor.execute(f"ALTER {kind} {SCHEMA}.{quoted(name)} SET SCHEMA {quoted(schema)}")


def _tables(cursor: Any) -> list[str]:
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [SCHEMA])
    return [name for (name,) in cursor.fetchall()]


def _functions(cursor: Any) -> list[str]:
    cursor.execute("SELECT proname FROM pg_proc WHERE pronamespace = %s::regnamespace", [SCHEMA])
    return [name for (name,) in cursor.fetchall()]


_own: list[dict[str, Any]] = []


@contextmanager
def _as_default(changed: dict[str, Any]) -> Iterator[None]:
    """Make this the default database inside the block."""
    settings, before = connections.settings["default"], connections["default"]
    before.close()
    _own.append(settings)
    _use({**settings, **changed})
    try:
        yield
    finally:
        connections["default"].close()
        _own.pop()
        connections.settings["default"] = settings
        connections["default"] = before
        ContentType.objects.clear_cache()


@contextmanager
def _outside() -> Iterator[None]:
    """The site's own database again, inside a block that uses another."""
    settings, scratch = connections.settings["default"], connections["default"]
    _use(_own[-1])
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = settings
        connections["default"] = scratch


def _use(settings: dict[str, Any]) -> None:
    connections.settings["default"] = settings
    connections["default"] = connections.create_connection("default")
    ContentType.objects.clear_cache()
