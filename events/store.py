"""The event store: one Delta Lake table, partitioned by event date. Only this module knows Delta.

Exactly once rests on two facts of Delta (both are tested): a commit can carry a number under an application id, and two
concurrent commits under one application id never both succeed. What Delta does *not* do is refuse a number that it has
already seen, so `append` reads the last number first, through the very handle that it then writes with.

Readers take the files of one version and read Parquet. Compaction only adds files and marks old ones as removed;
`vacuum` deletes those a week later, so a query that has listed its files is never disturbed.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction
from django.conf import settings

from events import disk, object_store
from runs.refusals import Refused

SCHEMA = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("event", pa.string(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("properties", pa.string()),  # JSON text, as it was sent
        pa.field("message_id", pa.string()),
        pa.field("received_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("event_date", pa.date32(), nullable=False),  # the UTC date of `time`: the partition
    ]
)
PARTITION = "event_date"
ATTEMPTS = 20
COMPACT_TO_BYTES = 128 * 1024 * 1024
KEEP_REMOVED_HOURS = 7 * 24
CONFIGURATION = {
    "delta.dataSkippingStatsColumns": "user_id,event,time",
    "delta.deletedFileRetentionDuration": f"interval {KEEP_REMOVED_HOURS} hours",
}


OWNER = "insight.owner"  # whose the store is, as a number beside each batch
BATCH = ".batch"  # after a writer's name: the digest of its last batch


class UnreadableLog(Exception):  # noqa: N818 - what it is, not what went wrong in the program
    """The table's log is damaged: a commit is missing, cut or empty."""


class OtherBatch(Exception):  # noqa: N818 - alike
    """The store has a batch under this number, but with other events."""


@dataclass(frozen=True)
class Seen:
    """The table at one version, as a writer sees it.

    Attributes:
        number: the writer's highest batch number; 0 before its first.
        digest: of that batch's events; None for a batch that version 0.3 wrote.
        owner: the number of the database that the table belongs to; None before the first batch of version 0.4.
    """

    handle: Any
    number: int
    digest: int | None
    owner: int | None

    def files(self) -> list[str]:
        """The Parquet files of this version. `event_date` is in the path."""
        return [str(uri) for uri in self.handle.file_uris()]


def look(app_id: str) -> Seen | None:
    """Open the table for a question about it; None when there is none.

    Raises:
        UnreadableLog: when the log is damaged. An empty last commit, which Delta takes for a commit without rows, is
            recognised on a disk.
        OSError: when the store can't be reached.
    """
    try:
        handle = DeltaTable(url())
    except TableNotFoundError:
        return None
    except DeltaError as error:
        raise UnreadableLog(str(error)) from error
    if _is_local():
        last = Path(url()) / "_delta_log" / f"{handle.version():020d}.json"
        if last.exists() and last.stat().st_size == 0:
            raise UnreadableLog(f"{last.name} is empty")
    return _seen(handle, app_id)


def _seen(handle: Any, app_id: str) -> Seen:
    number, digest = handle.transaction_version(app_id), handle.transaction_version(app_id + BATCH)
    return Seen(handle, int(number or 0), digest, handle.transaction_version(OWNER))


def number_of(text: str) -> int:
    """A text's SHA-256 digest as a number that a commit can carry (63 bits)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


def digest_of(message_ids: Iterable[str | None]) -> int:
    """The number of a batch's events, in their order."""
    return number_of("\n".join(str(name) for name in message_ids))


def rehearse(table: pa.Table) -> None:
    """Write rows into a table in memory, which fails as `append` would for rows that no table can hold."""
    write_deltalake("memory:///rehearsal", _conform(table), partition_by=[PARTITION], configuration=CONFIGURATION)


def exists() -> bool:
    """True when the table has been made, which the first append does."""
    return bool(DeltaTable.is_deltatable(url()))


def url() -> str:
    """Where the table lies: a folder or an object-store address (EVENTS_URL).

    Raises:
        Refused: when an address can't be used, which `object_store.checked` says.
    """
    place = str(settings.EVENTS_URL)
    return object_store.checked(place) if object_store.is_remote(place) else place.removeprefix("file://")


def append(
    table: pa.Table,
    *,
    app_id: str,
    version: int,
    owner: int | None = None,
    check: Callable[[Seen | None], None] | None = None,
) -> bool:
    """Append rows in one commit, unless this writer's batch is already in.

    Args:
        table: rows with the columns of `SCHEMA`; `event_date` may be left out and is then the UTC date of `time`.
        app_id: who writes. Its batches are numbered upwards, and a batch with a number that is not above the last is
            taken for a replay and skipped.
        version: the number of the batch, 1 or more.
        owner: the number of the database that the table belongs to from now on.
        check: looks at the table that is about to be written (None when it would be made) and may raise.

    Returns:
        True when this call wrote the rows, False when the batch was there already (also when another process writes
        the same batch at this moment).

    Raises:
        ValueError: for a version below 1 or columns that don't fit `SCHEMA`.
        OtherBatch: when a batch with this number, but with other message ids, is there.
        OSError: when the store can't be reached.
    """
    if version < 1:
        raise ValueError(f"version must be 1 or more, not {version}")
    rows = _conform(table)
    digest = digest_of(rows.column("message_id").to_pylist())
    marks = [Transaction(app_id, version), Transaction(app_id + BATCH, digest)]
    marks += [Transaction(OWNER, owner)] if owner is not None else []
    commit = CommitProperties(app_transactions=marks)
    for _ in range(ATTEMPTS):
        seen = look(app_id)
        if check:
            check(seen)
        seen = seen or _seen(_open_or_create(), app_id)
        if seen.number >= version:
            if seen.number == version and seen.digest not in (None, digest):
                raise OtherBatch(f"batch {version} of {app_id}")
            _sync_everything()
            return False
        handle = seen.handle
        try:
            write_deltalake(handle, rows, mode="append", commit_properties=commit)
        except CommitFailedError:  # another process committed in between: look again whether it was this batch
            continue
        _sync_commit(int(handle.version()))
        return True
    raise OSError(f"the event store could not be written: {ATTEMPTS} attempts collided with other writers")


@dataclass(frozen=True)
class Snapshot:
    """The table at one version, open for one commit of files that are written already.

    Who reads the known ids and commits through the same snapshot and application id can't be overtaken: when another
    writer of that id commits in between, Delta refuses this commit.
    """

    handle: Any

    def files(self) -> list[tuple[date, str]]:
        """The date (UTC) and the path of every Parquet file of this version."""
        marker = f"{PARTITION}="
        found = [str(uri) for uri in self.handle.file_uris()]
        return [
            (date.fromisoformat(next(p for p in uri.split("/") if p.startswith(marker))[len(marker) :]), uri)
            for uri in found
        ]

    def add(self, files: Sequence[disk.NewFile], *, app_id: str) -> None:
        """Move files into the table and commit them together.

        Raises:
            Refused: when another writer with this application id committed meanwhile; the files are gone then.
        """
        if not files:
            return
        version = int(self.handle.transaction_version(app_id) or 0) + 1
        commit = CommitProperties(app_transactions=[Transaction(app_id, version)])
        placed = [(file.path, f"{PARTITION}={file.day.isoformat()}/{file.path.name}") for file in files]
        actions = [_action(name, file) for (_, name), file in zip(placed, files, strict=True)]
        _place(placed)
        try:
            self.handle.create_write_transaction(
                actions, "append", self.handle.schema(), [PARTITION], commit_properties=commit
            )
        except CommitFailedError as error:
            if _names_of(DeltaTable(url())) >= {path.name for path, _ in placed}:
                return  # an object store kept the commit, and its answer was lost on the way
            _discard(placed)
            raise Refused("Another import wrote to the event store meanwhile; run this one again.") from error
        if _is_local():
            disk.force(Path(url()) / "_delta_log")
            disk.force(Path(url()) / "_delta_log" / f"{self.handle.version():020d}.json")


def _names_of(handle: Any) -> set[str]:
    return {str(uri).rpartition("/")[2] for uri in handle.file_uris()}


@contextmanager
def staging() -> Iterator[Path]:
    """A folder for files to come; readers don't see it, and at the end of the block it is gone.

    It lies on the store's disk, so that a rename puts the files in their place; for an object store, where nothing can
    be renamed, in the machine's temporary folder (TMPDIR).
    """
    if not _is_local():
        with tempfile.TemporaryDirectory(prefix="insight-import-") as folder:
            yield Path(folder)
        return
    Path(url()).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="_import-", dir=url()) as folder:  # Delta ignores names with an underscore
        yield Path(folder)


def snapshot() -> Snapshot:
    """Open the table for one commit, and make it when there is none."""
    return Snapshot(_open_or_create())


def files_of(files: Collection[tuple[date, str]], days: Collection[date]) -> list[str]:
    """The paths of those files that hold events of these dates."""
    return [path for day, path in files if day in days]


def forget(user_ids: Iterable[str]) -> int:
    """Remove every event of these users; the bytes leave the disk at the first `vacuum` a week later.

    Returns:
        The number of events removed.
    """
    listed = ", ".join("'" + user_id.replace("'", "''") + "'" for user_id in user_ids)
    if not listed or not exists():
        return 0
    for _ in range(ATTEMPTS):
        try:
            return int(DeltaTable(url()).delete(f"user_id IN ({listed})")["num_deleted_rows"])
        except CommitFailedError:
            continue
    raise OSError(f"the event store could not be written: {ATTEMPTS} attempts collided with other writers")


def compact() -> dict[str, int]:
    """Join small files into larger ones, partition by partition; readers and writers go on meanwhile.

    Returns:
        ``{"added": files written, "removed": files replaced}``; zeros when another compaction was quicker.
    """
    if not exists():
        return {"added": 0, "removed": 0}
    try:
        done = DeltaTable(url()).optimize.compact(target_size=COMPACT_TO_BYTES, max_concurrent_tasks=1)
    except CommitFailedError:
        return {"added": 0, "removed": 0}
    return {"added": int(done["numFilesAdded"]), "removed": int(done["numFilesRemoved"])}


def vacuum(*, keep_hours: int = KEEP_REMOVED_HOURS) -> int:
    """Delete files that left the table more than `keep_hours` ago (at least the week that readers may rely on).

    Returns:
        The number of files deleted.
    """
    if keep_hours < KEEP_REMOVED_HOURS:
        raise ValueError(f"keep_hours must be at least {KEEP_REMOVED_HOURS}, not {keep_hours}: a reader may hold them")
    if not exists():
        return 0
    if _is_local():  # what an import left behind that was killed
        for folder in Path(url()).glob("_import-*"):
            if folder.stat().st_mtime < time.time() - keep_hours * 3600:
                shutil.rmtree(folder, ignore_errors=True)
    return len(DeltaTable(url()).vacuum(retention_hours=keep_hours, dry_run=False))


def _conform(table: pa.Table) -> pa.Table:
    if PARTITION not in table.column_names:
        dates = table.column("time").cast(pa.timestamp("us", tz="UTC")).cast(pa.date32())
        table = table.append_column(PARTITION, dates)
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        raise ValueError(f"the columns {', '.join(missing)} are missing")
    return table.select(SCHEMA.names).cast(SCHEMA)


def _open_or_create() -> Any:
    for _ in range(ATTEMPTS):
        try:
            return DeltaTable(url())
        except TableNotFoundError:
            if _is_local():
                Path(url()).mkdir(parents=True, exist_ok=True)
            try:
                DeltaTable.create(
                    url(), SCHEMA, partition_by=[PARTITION], mode="ignore", name="events", configuration=CONFIGURATION
                )
            except (CommitFailedError, DeltaError):  # two processes made it at once; the loser opens it
                continue
    raise OSError("the event store could not be made")


def local_folder() -> Path | None:
    """The table's folder; None when it lies in an object store."""
    return Path(url()).resolve() if _is_local() else None


def shown_url() -> str:
    """The table's address for people: without user name, password or query, which may hold a secret."""
    parts = urlsplit(url())
    return url() if _is_local() else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _is_local() -> bool:
    return not object_store.is_remote(url())


def _sync_commit(version: int) -> None:
    """Force one commit to the disk: the writer doesn't, and the outbox forgets its rows after this."""
    if _is_local():  # an object store has kept it when it answers
        disk.force_commit(Path(url()), version)


def _sync_everything() -> None:
    """Another process, perhaps a killed one, wrote the batch: nobody knows what of it has reached the disk."""
    if _is_local():
        os.sync()


def _place(files: Sequence[tuple[Path, str]]) -> None:
    """Put files where a commit may name them: that is only of files which the disk, or the object store, has."""
    if _is_local():
        disk.place(Path(url()), files)
    else:
        object_store.place(url(), files)


def _discard(files: Sequence[tuple[Path, str]]) -> None:
    for _, name in files:
        if _is_local():
            (Path(url()) / name).unlink(missing_ok=True)
        else:
            object_store.remove(url(), name)


def _action(name: str, file: disk.NewFile) -> AddAction:
    """The file as Delta's log wants it."""
    stats = {"numRecords": file.rows, "minValues": {"time": file.oldest}, "maxValues": {"time": file.newest}}
    day = {PARTITION: file.day.isoformat()}
    return AddAction(name, file.size, day, int(time.time() * 1000), True, json.dumps(stats))
