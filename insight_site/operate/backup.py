"""Back a site up while it works: one instant of the database, and the version of the event store that fits it."""

import hashlib
import io
import os
import re
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
from events.store import ownership, version_copy
from events.store.version_copy import StoreVersion
from insight_site.operate import backup_database, backup_files, component_health
from insight_site.operate.backup_database import DatabaseSnapshot, snapshot
from insight_site.operate.backup_files import ArchiveWriter
from runs.refusals import Refused

# Settings stored in a backup: values of those that hold no secret, and only the names of the others.

# Names that sound like a secret, or whose address may contain one.
SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PEPPER|DSN|CREDENTIAL|_URL$|COOKIE|HEADERS")
LISTED = re.compile(r"^#?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL")


def site_settings_kept() -> dict[str, Any]:
    """For the manifest: ``values``, ``secrets`` (names only), and ``keys``, which shows if API keys will work."""
    known = set(LISTED.findall((settings.BASE_DIR / ".env.example").read_text(encoding="utf-8"))) | set(AWS)
    there = {name: os.environ[name] for name in sorted(known) if os.environ.get(name)}
    return {
        "values": {name: value for name, value in there.items() if not SECRET.search(name)},
        "secrets": sorted({name for name in there if SECRET.search(name)} | {"SECRET_KEY"}),
        "keys": _fingerprint(),
    }


def warnings(site_settings: dict[str, Any]) -> list[str]:
    """Warnings about what will not work here, as sentences."""
    if site_settings["keys"] == _fingerprint():
        return []
    other = Refused(
        "This site has another SECRET_KEY or API_KEY_PEPPERS than the backup's: API keys and sessions don't work here."
    )
    return [str(other)]


def _fingerprint() -> str:
    """Fingerprint of the pepper; with 256 bits by default, 32 characters at least, it can't be found by brute force."""
    return hashlib.sha256(f"insight-backup|{settings.API_KEY_PEPPERS[0]}".encode()).hexdigest()[:16]


# Back up a running site: the database at one instant, and the matching version of the event store.
#
# The database's instant determines the last batch of events. The store version taken is the newest one without a
# later batch, so outbox and store of the backup together hold every accepted event once. A batch that is in both is
# open, and the restore settles it without writing it again. One writer numbers all batches, and an import is in the
# store before the database marks it done; so nothing that the database knows at that instant is missing from the
# store.

log = structlog.get_logger()
TRIES = 3
Show = Callable[[str, float], None]


@dataclass(frozen=True)
class BackUp:
    """A finished backup.

    Attributes:
        place: file or address.
        made_at: instant of the database snapshot, ISO 8601 in UTC.
        bytes: file size.
        seconds: duration.
        rows: number of database rows.
        events: number in the store; those in the outbox count as rows.
        store_version: None when there is no store.
        secrets: names of the secret settings that a restore needs in addition.
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
        """As JSON, for `--json`."""
        return asdict(self)


def back_up(target: str, show: Show = lambda stage, share: None) -> BackUp:
    """Write a backup of this site.

    Args:
        target: a file that isn't there; or a folder, or an S3 address ending with a slash: the file is then named by
            date and time.
        show: progress callback.

    Raises:
        Refused: when the store is damaged or belongs to another database, the database is of a newer Insight, or the
            file can't be written.
    """
    began = time.monotonic()
    place = backup_files.place_for(target, timezone.now())
    ownership.check_to_write()
    for left in reversed(range(TRIES)):
        try:
            manifest = _write(place, show)
            break
        except FileNotFoundError as error:  # a vacuum or an erasure removed files of the store during the copy
            log.info("backup.again", file=str(error.filename or error))
            if not left:
                raise Refused("Files of the event store vanished while they were copied; try again.") from error
    database, store = manifest["database"], manifest["store"]
    return BackUp(
        place,
        manifest["made_at"],
        backup_files.size_of(place),
        round(time.monotonic() - began, 1),
        sum(table["rows"] for table in database["tables"].values()),
        store["events"],
        store["version"],
        tuple(manifest["settings"]["secrets"]),
    )


def _write(place: str, show: Show) -> dict[str, Any]:
    ran = backup_database.applied_migrations()
    if not ran:
        raise Refused("There is nothing to back up: the database has no tables.")
    tables = backup_database.tables_at(ran)
    with backup_files.written(place) as out, ExitStack() as until_copied:
        with _instant() as (now, database, store):
            header = {"insight": insight_site.__version__, "made_at": now.isoformat()}
            archive = ArchiveWriter(out, header)
            opened = until_copied.enter_context(version_copy.held(store.files if store else ()))
            copied = _copy_tables(archive, database, tables, show)
        # The snapshot's transaction ends here, because the database can't clean up old rows while it lasts.
        events = _copy_store(archive, store, opened, show)
        manifest = {
            **header,
            "database": {"vendor": connection.vendor, "migrations": ran, "tables": copied},
            "store": events,
            "uploads": _copy_uploads(archive),
            "settings": site_settings_kept(),
        }
        archive.close(manifest)
    return manifest


@contextmanager
def _instant() -> Iterator[tuple[datetime, DatabaseSnapshot, StoreVersion | None]]:
    """The database at one instant, and the matching store version."""
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
    copied = {}
    for at, table in enumerate(tables):
        show(table.name, 0.5 * at / len(tables))
        rows = 0
        for number, (piece, count) in enumerate(database.pieces(table), 1):
            name = f"database/{table.name}/{number:08d}.jsonl.zst"
            archive.add(name, io.BytesIO(piece), len(piece), rows=count)
            rows += count
        copied[table.name] = {**table.as_json(), "rows": rows, "highest": database.highest_key(table)}
    return copied


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
    """Copy uploads that wait for their import; meanwhile one may be imported and removed, or a new piece may arrive."""
    root, files = Path(settings.UPLOADS_DIR), 0
    for path in sorted(root.glob("*/*")):
        try:
            with path.open("rb") as source:
                archive.add(f"uploads/{path.relative_to(root).as_posix()}", source, _size(source))
        except (FileNotFoundError, IsADirectoryError):
            continue
        files += 1
    return {"files": files}


def _size(source: IO[bytes]) -> int:
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    return size


# The nightly backup in BACKUP_DIR; the newest BACKUP_KEEP stay. `manage.py backup` without a file runs it now.


def back_up_tonight() -> str:
    """Back up if BACKUP_DIR is set; returns the backup's address, or ""."""
    return back_up_and_keep().place if settings.BACKUP_DIR else ""


def back_up_and_keep(show: Show = lambda stage, share: None) -> BackUp:
    """Make a backup in BACKUP_DIR, record it, and delete the oldest beyond BACKUP_KEEP.

    Raises:
        Refused: when BACKUP_DIR isn't set, or as `back_up` does; then none is deleted.
    """
    folder = str(settings.BACKUP_DIR).rstrip("/")
    if not folder:
        raise Refused("Name a file for the backup, or set BACKUP_DIR.")
    done = back_up(f"{folder}/", show)
    component_health.note(
        {name: value for name, value in done.as_json().items() if name in ("bytes", "seconds", "events")}
    )
    gone = backup_files.remove_oldest(folder, max(settings.BACKUP_KEEP, 1))
    log.info("backup.made", file=done.place.rpartition("/")[2], bytes=done.bytes, removed=len(gone))
    return done
