"""Back a site up while it works: one instant of the database, and the version of the event store that fits it.

The instant of the database says which batch of events was the last one. The store's version is the newest that holds no
later batch, so what waits in the outbox of the backup and what lies in its store are all accepted events, each once: a
batch that both have is open, and whoever restores settles it without writing it again. Batches are numbered under one
writer, and an import is in the store before the database calls it done; so nothing that the instant knows is missing.
"""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone

import insight_site
from events.delta import version_copy
from events.delta.version_copy import StoreVersion
from events.outbox import ownership
from insight_site.backup import backup_place, site_settings, stored_tables
from insight_site.backup.archive import ArchiveWriter
from insight_site.backup.database_snapshot import DatabaseSnapshot, snapshot
from runs.refusals import Refused

log = structlog.get_logger()
TRIES = 3
Show = Callable[[str, float], None]


@dataclass(frozen=True)
class BackUp:
    """What was made.

    Attributes:
        place: file or address.
        made_at: the instant, ISO 8601 in UTC.
        bytes: size of the file.
        seconds: that it took.
        rows: of the database.
        events: in the store; those that wait in the outbox are rows.
        store_version: None when there is no store.
        secrets: names of the settings that a restore needs besides.
    """

    place: str
    made_at: str
    bytes: int
    seconds: float
    rows: int
    events: int
    store_version: int | None
    secrets: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def back_up(target: str, show: Show = lambda stage, share: None) -> BackUp:
    """Write a backup of this site.

    Args:
        target: a file that isn't there; or a folder, or an address in S3 that ends with a slash: named by the moment.
        show: is told how far it is.

    Raises:
        Refused: when the store is not whole or not this database's, the database is of a newer Insight, or the file
            can't be written.
    """
    began = time.monotonic()
    place = backup_place.place_for(target, timezone.now())
    ownership.check_to_write()
    for left in reversed(range(TRIES)):
        try:
            manifest = _write(place, show)
            break
        except FileNotFoundError as error:  # of the store: a vacuum or an erasure was quicker than the copy
            log.info("backup.again", file=str(error.filename or error))
            if not left:
                raise Refused("Files of the event store vanished while they were copied; try again.") from error
    database, store = manifest["database"], manifest["store"]
    return BackUp(
        place,
        manifest["made_at"],
        backup_place.size_of(place),
        round(time.monotonic() - began, 1),
        sum(table["rows"] for table in database["tables"].values()),
        store["events"],
        store["version"],
        tuple(manifest["settings"]["secrets"]),
    )


def _write(place: str, show: Show) -> dict[str, Any]:
    ran = stored_tables.applied_migrations()
    if not ran:
        raise Refused("There is nothing to back up: the database has no tables.")
    tables = stored_tables.tables_at(ran)
    with backup_place.written(place) as out, ExitStack() as until_copied:
        with _instant() as (now, database, store):
            said = {"insight": insight_site.__version__, "made_at": now.isoformat()}
            archive = ArchiveWriter(out, said)
            opened = until_copied.enter_context(version_copy.held(store.files if store else ()))
            kept = _copy_tables(archive, database, tables, show)
        # The database's transaction is over: while it lasts, nothing is cleaned up in there.
        events = _copy_store(archive, store, opened, show)
        manifest = {
            **said,
            "database": {"vendor": connection.vendor, "migrations": ran, "tables": kept},
            "store": events,
            "uploads": _copy_uploads(archive),
            "settings": site_settings.kept(),
        }
        archive.close(manifest)
    return manifest


@contextmanager
def _instant() -> Iterator[tuple[datetime, DatabaseSnapshot, StoreVersion | None]]:
    """The database at one instant, and the store's version that fits it."""
    with snapshot() as database:
        now = timezone.now()
        writer, committed, last = database.batches()
        store = version_copy.version_at(writer, last)
        if committed and store is None:
            raise ownership.StoreRefused(ownership.Trouble.MISSING)
        if store and store.batch < committed:
            raise ownership.StoreRefused(ownership.Trouble.BEHIND)
        yield now, database, store


def _copy_tables(archive: ArchiveWriter, database: DatabaseSnapshot, tables: list[Any], show: Show) -> dict[str, Any]:
    kept = {}
    for at, table in enumerate(tables):
        show(table.name, 0.5 * at / len(tables))
        rows = 0
        for number, (piece, count) in enumerate(database.pieces(table), 1):
            name = f"database/{table.name}/{number:08d}.jsonl.zst"
            archive.add(name, io.BytesIO(piece), len(piece), rows=count)
            rows += count
        kept[table.name] = {**table.as_json(), "rows": rows, "highest": database.highest_key(table)}
    return kept


def _copy_store(archive: ArchiveWriter, store: StoreVersion | None, opened: Any, show: Show) -> dict[str, Any]:
    if store is None:
        return {"version": None, "batch": 0, "events": 0, "files": 0}
    for at, name in enumerate(store.files):
        show(name, 0.5 + 0.5 * at / len(store.files))
        with opened(name) as source:
            archive.add(f"store/{name}", source, _size(source))
    for name, data in version_copy.log_of(store.number).items():
        archive.add(f"store/{name}", io.BytesIO(data), len(data))
    return {"version": store.number, "batch": store.batch, "events": store.events, "files": len(store.files)}


def _copy_uploads(archive: ArchiveWriter) -> dict[str, int]:
    """Files that wait for their import. One may be imported and removed meanwhile, and a piece of one may arrive."""
    root, found = Path(settings.UPLOADS_DIR), 0
    for path in sorted(root.glob("*/*")):
        try:
            with path.open("rb") as source:
                archive.add(f"uploads/{path.relative_to(root).as_posix()}", source, _size(source))
        except (FileNotFoundError, IsADirectoryError):
            continue
        found += 1
    return {"files": found}


def _size(source: IO[bytes]) -> int:
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    return size
