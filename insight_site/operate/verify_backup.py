"""Verify that a backup is complete and loads, and the scratch database that verifying and restoring load it into."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections, transaction
from pyarrow import ArrowInvalid, parquet

from events.store import dictionary, disk
from insight_site.operate import backup, backup_database, backup_files
from runs.refusals import Refused

# A scratch database, filled separately and swapped with the site's own in one step: a kill never leaves half of one.
#
# SQLite: a file beside the site's, renamed at the end. PostgreSQL: a separate schema, whose tables replace the site's
# empty ones in one transaction. Inside the block it is Django's default database.

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


# Verify that a file is a complete, unchanged backup; on request also that everything in it can be loaded.

LOG = "store/_delta_log/"


@dataclass(frozen=True)
class Verified:
    """A backup that was verified.

    Attributes:
        place: file or address.
        insight: version of Insight that made it.
        made_at: instant of its database snapshot.
        rows: number of database rows.
        events: number of events in the store.
        parts: number of files in it.
        warnings: what will not work on this site.
    """

    place: str
    insight: str
    made_at: str
    rows: int
    events: int
    parts: int
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As JSON, for `--json`."""
        return asdict(self)


@dataclass
class _Store:
    """The event store in a backup as read so far: number of events, its files, and the files that its log names."""

    events: int = 0
    files: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)

    def look(self, name: str, file: Any) -> None:
        """Process one part of the backup.

        Raises:
            Refused: the part can't be read.
        """
        if not name.startswith("store/"):
            return
        try:
            if name.startswith(LOG):
                for action, path in _paths(name, file):
                    {"add": self.named, "remove": self.removed}[action].add(path)
            else:
                rows = parquet.ParquetFile(file).metadata.num_rows
                self.files.add(name)
                self.events += 0 if dictionary.is_dictionary(name) else rows
        except (ArrowInvalid, ValueError, TypeError, AttributeError) as error:
            raise Refused("A file of the backup can't be read: {name}.", name=name) from error

    def check_log(self) -> None:
        """Reject a log that names a file outside the store: a restored site would read events from there."""
        for name in sorted(self.named):
            # A removed file is either kept for readers of the previous version, or gone.
            if not backup_files.NAMES.fullmatch(name) or (name not in self.files and name not in self.removed):
                raise Refused("The log of the backup's store names a file that isn't in it: {name}.", name=name[:200])


def _paths(name: str, file: Any) -> Iterator[tuple[str, str]]:
    """ "add" or "remove", and the name in a backup, of each file that this file of the Delta log names."""
    if name.endswith(".json"):
        rows = [json.loads(line) for line in file.read().splitlines() if line.strip()]
    elif name.endswith(".parquet"):
        checkpoint = parquet.ParquetFile(file)
        columns = [column for column in ("add", "remove") if column in checkpoint.schema_arrow.names]
        rows = checkpoint.read([f"{column}.path" for column in columns]).to_pylist()
    else:
        rows = []
    for row in rows:
        for action in ("add", "remove"):
            if (entry := row.get(action)) and entry.get("path") is not None:
                yield action, f"store/{unquote(entry['path'])}"


def verify(source: IO[bytes]) -> dict[str, Any]:
    """Read a whole backup, with every Parquet footer and the log of its store; returns its manifest.

    Raises:
        Refused: with one sentence when anything is wrong.
    """
    store = _Store()
    manifest = backup_files.read_through(source, store.look)
    store.check_log()
    if store.events != manifest["store"]["events"]:
        raise Refused(
            "The backup's store has {found} events in place of {rows}.",
            found=store.events,
            rows=manifest["store"]["events"],
        )
    return manifest


def check(place: str) -> Verified:
    """Verify a backup by loading its database into a temporary one; the site isn't touched.

    Raises:
        Refused: with one sentence when it can't be restored.
    """
    with backup_files.opened(place) as source:
        manifest = verify(source)
        with elsewhere():
            backup_database.load(source, manifest)
    return report(place, manifest)


def report(place: str, manifest: dict[str, Any]) -> Verified:
    """The result of a verification for people."""
    rows = sum(table["rows"] for table in manifest["database"]["tables"].values())
    return Verified(
        place,
        manifest["insight"],
        manifest["made_at"],
        rows,
        manifest["store"]["events"],
        len(manifest["parts"]),
        tuple(backup.warnings(manifest["settings"])),
    )
