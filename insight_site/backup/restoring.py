"""Restore a backup into an empty site: verified before anything is written, and repeatable after a kill at any point.

The database is filled in a scratch copy, which replaces the site's own at the end. The store's files are put in place,
its log last, with a marker file that records the restore. A later run that finds the marker deletes the unfinished
files and starts over, or only finishes when the database is already there. Last, the store is marked as belonging to
this database.
"""

import io
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError

from events import store
from events.delta import raw_files
from events.outbox import adopt
from insight_site.backup import archive, backup_place, database_load, empty_site, scratch_database, verifying
from insight_site.backup.back_up import Show
from runs.refusals import Refused

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

    backup: verifying.Verified
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
    with backup_place.opened(place) as source:
        show("verify", 0.0)
        manifest = verifying.verify(source)
        if empty_site.worker_lives():
            raise Refused("A worker is running on this database: stop web and worker first.")
        if mark := _unfinished(manifest, keep_store):
            return Restored(verifying.report(place, manifest), _since(began), *_adopt(manifest, mark["keep_store"]))
        _refuse_unless_empty(keep_store)
        try:
            _fill(source, manifest, keep_store, show)
        except (OSError, OperationalError) as trouble:  # most often a full disk
            why = getattr(trouble, "strerror", None) or str(trouble).strip()
            raise Refused("A file of the backup could not be written: {why}. Restore it again.", why=why) from trouble
    show("adopt", 0.9)
    return Restored(verifying.report(place, manifest), _since(began), *_adopt(manifest, keep_store))


def _fill(source: IO[bytes], manifest: dict[str, Any], keep_store: bool, show: Show) -> None:
    with scratch_database.beside_the_sites() as database:
        show("database", 0.3)
        database_load.load(source, manifest)
        call_command("migrate", verbosity=0)
        show("store", 0.6)
        mark = {"made_at": manifest["made_at"], "keep_store": keep_store}
        raw_files.put(MARK, io.BytesIO(json.dumps(mark).encode()))
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
    if MARK not in raw_files.names():
        return None
    with raw_files.opened(MARK) as file:
        mark: dict[str, Any] = json.loads(file.read())
    if empty_site.rows_there():
        if mark["made_at"] != manifest["made_at"]:
            raise Refused("The restore of another backup, of {made_at}, isn't finished here.", made_at=mark["made_at"])
        return mark
    _remove_uploads()
    for name in [] if keep_store or mark["keep_store"] else raw_files.names():
        if name != MARK:  # removed last, so that a kill during this cleanup leaves it
            raw_files.remove(name)
    raw_files.remove(MARK)
    return None


def _refuse_unless_empty(keep_store: bool) -> None:
    rows = empty_site.rows_there()
    if rows:
        raise Refused(
            "A backup is restored into an empty site, and this database has rows: {tables}. Set DATABASE_URL to an "
            "empty database.",
            tables=empty_site.shown(rows),
        )
    if keep_store:
        if not store.exists():
            raise Refused("There is no event store to keep at {place}.", at="--keep-store", place=store.shown_url())
    elif files := empty_site.events_there():
        raise Refused(
            "A backup is restored into an empty site, and the event store {place} has files: {files}. Empty it, or set "
            "EVENTS_URL to another place, or keep it by --keep-store when it is newer than the backup.",
            place=store.shown_url(),
            files=empty_site.shown(files),
        )
    if uploads := empty_site.uploads_there():
        raise Refused(
            "A backup is restored into an empty site, and UPLOADS_DIR has files: {files}.",
            files=empty_site.shown(uploads),
        )


def _restore_store(source: IO[bytes]) -> None:
    """Write the data files first and the log last: without its log there is no table."""
    log = dict[str, bytes]()
    for name, file in archive.parts(source, "store"):
        own = name.removeprefix("store/")
        if own.startswith("_delta_log/"):
            log[own] = file.read()
        else:
            raw_files.put(own, file)
    for name in sorted(log):  # the commit, its checkpoint, and the pointer to the checkpoint
        raw_files.put(name, io.BytesIO(log[name]))


def _restore_uploads(source: IO[bytes]) -> None:
    root = Path(settings.UPLOADS_DIR)
    for name, file in archive.parts(source, "uploads"):
        path = root / name.removeprefix("uploads/")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("wb") as target:
            while piece := file.read(archive.PIECE):
                target.write(piece)
        path.chmod(0o600)


def _remove_uploads() -> None:
    root = Path(settings.UPLOADS_DIR)
    for name in empty_site.uploads_there():
        (root / name).unlink()


def _adopt(manifest: dict[str, Any], keep_store: bool) -> tuple[int, int]:
    """Mark the store as this database's; returns the number of events in the outbox, and of those also in it."""
    waiting, known = 0, 0
    if keep_store or manifest["store"]["version"] is not None:
        waiting, known = adopt.adopt_store(recognise=keep_store)
    if MARK in raw_files.names():
        raw_files.remove(MARK)
    return waiting, known
