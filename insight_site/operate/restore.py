"""Restore a backup into an empty site: verified before anything is written; killed anywhere, it can be run again."""

import io
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from events.outbox import reconcile_after_restore
from events.store import event_table, place
from events.store import place as store_place
from insight_site.operate import backup_database, backup_files, verify_backup
from insight_site.operate.backup import Show
from runs.models import WorkerPulse
from runs.queue import status
from runs.refusals import Refused

# Checks that a site is empty: a restore refuses to write anywhere else.

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
    tables = []
    for table in backup_database.tables_at(backup_database.applied_migrations()):
        if table.name in there - ALWAYS:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table.name)}")  # noqa: S608
                count = cursor.fetchone()[0]
            tables += [f"{table.name} {count}"] if count else []
    return tables


def events_there() -> list[str]:
    """Files of the event store."""
    return [
        name for name in place.names() if not name.startswith(("_import-", f"{place.DERIVED}/", f"{place.RUNNING}/"))
    ]


def uploads_there() -> list[str]:
    """Files that people have uploaded."""
    root = Path(settings.UPLOADS_DIR)
    return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]


def shown(names: list[str]) -> str:
    """The first few, for a sentence."""
    return ", ".join(names[:LISTED]) + (", …" if len(names) > LISTED else "")


def worker_lives() -> bool:
    """True when a worker has recorded a heartbeat in this database recently."""
    if WorkerPulse._meta.db_table not in connection.introspection.table_names():
        return False
    return WorkerPulse.objects.filter(heard_at__gte=timezone.now() - status.ALIVE).exists()


# Restore a backup into an empty site: verified before anything is written, and repeatable after a kill at any point.
#
# The database is filled in a scratch copy, which replaces the site's own at the end. The store's files are put in
# place, its log last, with a marker file that records the restore. A later run that finds the marker deletes the
# unfinished files and starts over, or only finishes when the database is already there. Last, the store is marked as
# belonging to this database.

MARK = "_restoring.json"


@dataclass(frozen=True)
class Restored:
    """Result of a restore.

    Attributes:
        backup: the verified backup.
        seconds: duration.
        waiting: events in the outbox.
        known: outbox events of the backup that the kept store already held; 0 when the store was restored too.
    """

    backup: verify_backup.Verified
    seconds: float
    waiting: int
    known: int

    def as_json(self) -> dict[str, Any]:
        """As JSON, for `--json`."""
        return {**asdict(self.backup), **{name: getattr(self, name) for name in ("seconds", "waiting", "known")}}


def restore(place: str, *, keep_store: bool = False, show: Show = lambda stage, share: None) -> Restored:
    """Restore a backup into this site, which must be empty and stopped.

    Args:
        place: file or address.
        keep_store: leave the event store that is there, which is newer than the backup's, and restore the rest.
        show: progress callback.

    Raises:
        Refused: with one sentence. Nothing was written by this call, unless a file could not be written: then run it
            again.
    """
    began = time.monotonic()
    with backup_files.opened(place) as source:
        show("verify", 0.0)
        manifest = verify_backup.verify(source)
        if worker_lives():
            raise Refused("A worker is running on this database: stop web and worker first.")
        if mark := _unfinished(manifest, keep_store):
            return Restored(verify_backup.report(place, manifest), _since(began), *_adopt(manifest, mark["keep_store"]))
        _refuse_unless_empty(keep_store)
        try:
            _fill(source, manifest, keep_store, show)
        except (OSError, OperationalError) as trouble:  # most often a full disk
            why = getattr(trouble, "strerror", None) or str(trouble).strip()
            raise Refused("A file of the backup could not be written: {why}. Restore it again.", why=why) from trouble
    show("adopt", 0.9)
    return Restored(verify_backup.report(place, manifest), _since(began), *_adopt(manifest, keep_store))


def _fill(source: IO[bytes], manifest: dict[str, Any], keep_store: bool, show: Show) -> None:
    with verify_backup.beside_the_sites() as database:
        show("database", 0.3)
        backup_database.load(source, manifest)
        call_command("migrate", verbosity=0)
        show("store", 0.6)
        mark = {"made_at": manifest["made_at"], "keep_store": keep_store}
        store_place.put(MARK, io.BytesIO(json.dumps(mark).encode()))
        if not keep_store:
            _restore_store(source)
        _restore_uploads(source)
        database.wanted = True


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)


def _unfinished(manifest: dict[str, Any], keep_store: bool) -> dict[str, Any] | None:
    """The marker of a restore of this backup that was killed with the database in place; else delete its leftovers.

    Raises:
        Refused: when another backup was being restored.
    """
    if MARK not in store_place.names():
        return None
    with store_place.opened(MARK) as file:
        mark: dict[str, Any] = json.loads(file.read())
    if rows_there():
        if mark["made_at"] != manifest["made_at"]:
            raise Refused("The restore of another backup, of {made_at}, isn't finished here.", made_at=mark["made_at"])
        return mark
    _remove_uploads()
    for name in [] if keep_store or mark["keep_store"] else store_place.names():
        if name != MARK:  # removed last, so that a kill during this cleanup leaves it
            store_place.remove(name)
    store_place.remove(MARK)
    return None


def _refuse_unless_empty(keep_store: bool) -> None:
    rows = rows_there()
    if rows:
        raise Refused(
            "A backup is restored into an empty site, and this database has rows: {tables}. Set DATABASE_URL to an "
            "empty database.",
            tables=shown(rows),
        )
    if keep_store:
        if not event_table.exists():
            raise Refused(
                "There is no event store to keep at {place}.", at="--keep-store", place=event_table.shown_url()
            )
    elif files := events_there():
        raise Refused(
            "A backup is restored into an empty site, and the event store {place} has files: {files}. Empty it, or set "
            "EVENTS_URL to another place, or keep it by --keep-store when it is newer than the backup.",
            place=event_table.shown_url(),
            files=shown(files),
        )
    if uploads := uploads_there():
        raise Refused(
            "A backup is restored into an empty site, and UPLOADS_DIR has files: {files}.", files=shown(uploads)
        )


def _restore_store(source: IO[bytes]) -> None:
    """Write the data files first and the log last: without its log there is no table."""
    log = dict[str, bytes]()
    for name, file in backup_files.parts(source, "store"):
        own = name.removeprefix("store/")
        if own.startswith("_delta_log/"):
            log[own] = file.read()
        else:
            store_place.put(own, file)
    for name in sorted(log):  # the commit, its checkpoint, and the pointer to the checkpoint
        store_place.put(name, io.BytesIO(log[name]))


def _restore_uploads(source: IO[bytes]) -> None:
    root = Path(settings.UPLOADS_DIR)
    for name, file in backup_files.parts(source, "uploads"):
        path = root / name.removeprefix("uploads/")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("wb") as target:
            while piece := file.read(backup_files.PIECE):
                target.write(piece)
        path.chmod(0o600)


def _remove_uploads() -> None:
    root = Path(settings.UPLOADS_DIR)
    for name in uploads_there():
        (root / name).unlink()


def _adopt(manifest: dict[str, Any], keep_store: bool) -> tuple[int, int]:
    """Mark the store as this database's; returns the number of events in the outbox, and of those also in it."""
    waiting, known = 0, 0
    if keep_store or manifest["store"]["version"] is not None:
        waiting, known = reconcile_after_restore.adopt_store(recognise=keep_store)
    if MARK in store_place.names():
        store_place.remove(MARK)
    return waiting, known
