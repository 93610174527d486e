"""The event store: one Delta Lake table, partitioned by event date (late arrivals: by month).

Only this folder reads and writes Delta tables.

Exactly once rests on two facts of Delta (both are tested): a commit can carry a number under an application id, and two
concurrent commits under one application id never both succeed. What Delta does *not* do is refuse a number that it has
already seen, so `append` reads the last number first, through the same handle that it then writes with.

Readers take the files of one version and read Parquet. Compaction only adds files and marks old ones as removed;
`vacuum` deletes those a week later, so a query that has listed its files is never disturbed.
"""

import hashlib
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyarrow import parquet

from events.store import dictionary, object_store, rewrite, version_copy
from events.store import place as store_place
from events.store.place import local_folder as local_folder
from events.store.place import shown_url as shown_url
from events.store.place import staging as staging
from events.store.place import url as url
from events.store.snapshot import ATTEMPTS, COLLIDED, CONFIGURATION, open_or_create, overtaken, with_numbers
from events.store.snapshot import KEEP_REMOVED_HOURS as KEEP_REMOVED_HOURS
from events.store.snapshot import PARTITION as PARTITION
from events.store.snapshot import SCHEMA as SCHEMA
from events.store.snapshot import TABLE as TABLE
from events.store.snapshot import Snapshot as Snapshot
from events.store.snapshot import snapshot as snapshot

# Trial for `manage.py doctor`: does an object store accept several concurrent commits under one version?
#
# A commit is a PUT that the server must refuse when the name is taken. A server that ignores `If-None-Match` lets the
# second of two writers overwrite the first one's commit, and events are lost without an error.

WRITERS = 8


def loses_commits(place: str) -> bool:
    """True when concurrent writers were all told that they had committed, but fewer commits exist.

    The trial runs in a folder of its own below the store's address, which is deleted afterwards; files that stay there
    because the server fails meanwhile do no harm. True means that the server loses events; False only means that this
    trial found no loss, since a server may fail now and then.

    Args:
        place: the store's address, checked.

    Raises:
        OSError: when the server can't be reached, or the keys may not write there.
    """
    folder = f"_trial-{uuid.uuid4().hex}"
    try:
        commits = _commits_kept(f"{place}/{folder}")
    except DeltaError as error:
        raise OSError(str(error)) from error
    for name in list(object_store.names(place, folder)):
        object_store.remove(place, name)
    return commits < WRITERS


def _commits_kept(trial: str) -> int:
    """Number of commits that exist after WRITERS concurrent ones were reported as successful."""
    row = pa.table({"n": [1]})
    together = threading.Barrier(WRITERS)

    def write(handle: DeltaTable) -> None:
        together.wait()
        write_deltalake(handle, row, mode="append")

    write_deltalake(trial, row)
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, [DeltaTable(trial) for _ in range(WRITERS)]))
    return int(DeltaTable(trial).version())


LATE_DAYS = 31
COMPACT_TO_BYTES = 128 * 1024 * 1024
OWNER = "insight.owner"  # the store's owner, as a number beside each batch
LOOKS, LOOK_AGAIN_SECONDS = 3, 0.1
BATCH = ".batch"  # appended to a writer's name: the digest of its last batch


class UnreadableLog(Exception):  # noqa: N818 - what it is, not what went wrong in the program
    """The table's log is damaged: a commit is missing, cut or empty."""


class OtherBatch(Exception):  # noqa: N818 - alike
    """The store has a batch with this number, but with other events."""


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

    def names(self) -> list[str]:
        """The same files as `files`, below the table's address, as Delta's log has them."""
        paths = pa.table(self.handle.get_add_actions()).column("path").to_pylist()
        return [path for path in paths if not dictionary.is_dictionary(path)]

    def files(self) -> list[str]:
        """The Parquet files of this version that hold events. `event_date` is in the path."""
        return [str(uri) for uri in self.handle.file_uris() if not dictionary.is_dictionary(str(uri))]


def look(app_id: str) -> Seen | None:
    """Open the table to inspect it; None when there is none.

    Raises:
        UnreadableLog: when the log is damaged. An empty last commit, which Delta reads as a commit without rows, is
            detected on a disk.
        OSError: when the store can't be reached.
    """
    for tries_left in reversed(range(LOOKS)):
        try:
            return _look(app_id)
        except DeltaError as error:
            if not tries_left:
                raise UnreadableLog(str(error)) from error
            time.sleep(LOOK_AGAIN_SECONDS)  # an erasure may be shortening the log at this moment
    return None  # pragma: no cover - the last look ends otherwise


def _look(app_id: str) -> Seen | None:
    try:
        handle = DeltaTable(url())
    except TableNotFoundError:
        return None
    if store_place.is_local():
        last = Path(url()) / store_place.LOG / f"{handle.version():020d}.json"
        if last.exists() and last.stat().st_size == 0:
            raise UnreadableLog(f"{last.name} is empty")
    return _seen(handle, app_id)


def _seen(handle: Any, app_id: str) -> Seen:
    number, digest = handle.transaction_version(app_id), handle.transaction_version(app_id + BATCH)
    return Seen(handle, int(number or 0), digest, handle.transaction_version(OWNER))


def number_of(text: str) -> int:
    """A text's SHA-256 digest as a number that fits into a commit (63 bits)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


def digest_of(message_ids: Iterable[str | None]) -> int:
    """Digest of a batch's message ids, in their order, as a number."""
    return number_of("\n".join(str(name) for name in message_ids))


def rehearse(table: pa.Table) -> None:
    """Write rows into a table in memory; it fails as `append` would for rows that can't be stored."""
    write_deltalake("memory:///rehearsal", _conform(table), partition_by=[PARTITION], configuration=CONFIGURATION)


def exists() -> bool:
    """True when the table exists; the first append creates it."""
    return bool(DeltaTable.is_deltatable(url()))


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
        table: rows with the columns of `SCHEMA`; `event_date` may be left out and is then as `_parts` says.
        app_id: who writes. Its batch numbers increase; a batch whose number isn't above the last one counts as a replay
            and is skipped.
        version: the number of the batch, 1 or more.
        owner: the number of the database that the table belongs to from now on.
        check: called with the table before it is written (None if it would be created); may raise.

    Returns:
        True when this call wrote the rows, False when the batch was there already (also when another process writes
        the same batch at this moment).

    Raises:
        ValueError: for a version below 1 or columns that don't fit `SCHEMA`.
        OtherBatch: when there is a batch with this number, but with other message ids.
        OSError: when the store can't be reached.
    """
    if version < 1:
        raise ValueError(f"version must be 1 or more, not {version}")
    rows = _conform(table)
    digest = digest_of(rows.column("message_id").to_pylist())
    marks = [Transaction(app_id, version), Transaction(app_id + BATCH, digest)]
    marks += [Transaction(OWNER, owner)] if owner is not None else []
    for _ in range(ATTEMPTS):
        seen = look(app_id)
        if check:
            check(seen)
        seen = seen or _seen(open_or_create(), app_id)
        if seen.number >= version:
            if seen.number == version and seen.digest not in (None, digest):
                raise OtherBatch(f"batch {version} of {app_id}")
            store_place.sync_everything()
            return False
        try:
            written = _write(Snapshot(with_numbers(seen.handle)), rows, marks)
        except DeltaError as error:  # another process committed in between: check whether it was this batch
            if not overtaken(error):
                raise
            continue
        store_place.sync_commit(written)
        return True
    raise OSError(COLLIDED)


def _write(at: "Snapshot", rows: pa.Table, marks: Sequence[Transaction]) -> int:
    """Commit rows together with new dictionary entries; returns the table's version then."""
    rows, made, highest = dictionary.numbered(rows, at.opened_dictionary(), at.highest())
    both = pa.concat_tables([part.select(TABLE.names).cast(TABLE) for part in (rows, made)])
    given = [Transaction(dictionary.USERS, highest)] if rows.num_rows else []
    commit = CommitProperties(app_transactions=[*marks, *given])
    write_deltalake(at.handle, both, mode="append", commit_properties=commit)
    return int(at.handle.version())


def ids_since(moment: datetime) -> Iterator[list[tuple[str, int]]]:
    """Message id and moment of arrival (microseconds since 1970) of each event that came at this moment or later.

    In batches, in no order; parts of files with only older events aren't read.
    """
    since = int(moment.timestamp() * 1_000_000)
    seen = look("")
    for name in seen.names() if seen else []:
        with parquet.ParquetFile(object_store.opened(url(), name)) as file:
            place = file.schema_arrow.get_field_index("received_at")
            groups = [at for at in range(file.num_row_groups) if _is_newer(file.metadata.row_group(at), place, moment)]
            columns = ["message_id", "received_at"]
            for batch in file.iter_batches(20_000, row_groups=groups, columns=columns, use_threads=False):
                came = batch.column(1).cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
                pairs = zip(batch.column(0).to_pylist(), came, strict=True)
                yield [(name, at) for name, at in pairs if name and at >= since]


def _is_newer(group: Any, place: int, moment: datetime) -> bool:
    known = group.column(place).statistics
    return known is None or not known.has_min_max or known.max >= moment


def files_of(files: Collection[tuple[date, str]], days: Collection[date]) -> list[str]:
    """The paths of the event files of these dates."""
    return [path for day, path in files if day in days]


def compact() -> dict[str, int]:
    """Join small files into larger ones, partition by partition; readers and writers go on meanwhile.

    Returns:
        ``{"added": files written, "removed": files replaced}``; zeros when another commit replaced files meanwhile.
    """
    if not exists():
        return {"added": 0, "removed": 0}
    added, removed = rewrite.compact(COMPACT_TO_BYTES)
    return {"added": added, "removed": removed}


def vacuum(*, keep_hours: int = KEEP_REMOVED_HOURS, kept: Collection[str] = ()) -> int:
    """Delete files that left the table more than `keep_hours` ago (at least the week that readers may rely on).

    Files that no commit names, left by a killed flush, import or compaction, are deleted at the same age.

    Args:
        keep_hours: minimum age in hours.
        kept: paths of files that stay whatever their age: Delta's own protection of versions reads them from the log,
            which drops them after a month.

    Returns:
        The number of files deleted.
    """
    if keep_hours < KEEP_REMOVED_HOURS:
        raise ValueError(f"keep_hours must be at least {KEEP_REMOVED_HOURS}, not {keep_hours}: a reader may hold them")
    if not exists():
        return 0
    if store_place.is_local():  # left by a killed import; Delta ignores such folders
        for folder in Path(url()).glob("_import-*"):
            if folder.stat().st_mtime < time.time() - keep_hours * 3600:
                shutil.rmtree(folder, ignore_errors=True)
    version_copy.remove_abandoned()
    if not kept:
        return len(DeltaTable(url()).vacuum(retention_hours=keep_hours, dry_run=False, full=True))
    gone = [name for name in DeltaTable(url()).vacuum(retention_hours=keep_hours, full=True) if name not in kept]
    for name in gone:
        store_place.remove(name)
    return len(gone)


def _conform(table: pa.Table) -> pa.Table:
    if PARTITION not in table.column_names and {"time", "received_at"} <= set(table.column_names):
        table = table.append_column(PARTITION, _parts(table))
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        raise ValueError(f"the columns {', '.join(missing)} are missing")
    return table.select(SCHEMA.names).cast(SCHEMA)


def _parts(table: pa.Table) -> pa.ChunkedArray:
    """The partition of each row: its UTC date, or the first of its month for events more than `LATE_DAYS` late.

    Otherwise a batch with events of very many days would make a file for each, which no compaction can join.
    """
    happened, arrived = (
        table.column(name).cast(pa.timestamp("us", tz="UTC")).cast(pa.date32()) for name in ("time", "received_at")
    )
    days = pc.subtract(arrived.cast(pa.int32()), happened.cast(pa.int32()))
    return pc.if_else(pc.greater(days, LATE_DAYS), pc.floor_temporal(happened, unit="month"), happened)


# Facts from the store's log alone: its version, its number of events, and the newest rows.

LATEST_FILES = 12
COLUMNS = [name for name in SCHEMA.names if name != PARTITION]


def version() -> str:
    """The number of the store's last commit; "" without a store."""
    seen = look("")
    return "" if seen is None else str(seen.handle.version())


def row_count() -> int | None:
    """Events in the store; 0 without one, None when a file's log entry doesn't say."""
    seen = look("")
    if seen is None:
        return 0
    rows = Snapshot(seen.handle).event_actions().column("num_records").to_pylist()
    return None if None in rows else sum(rows)


def latest_rows(most: int) -> list[dict[str, Any]]:
    """About the last `most` rows that arrived, from the newest files.

    At most `LATEST_FILES` files are opened: half of them the most recently written, half those of the latest dates. A
    compaction writes the files of every date again, and the latest arrivals are then in a file that is no newer than
    any other; an import of old events arrives in files of early dates.
    """
    seen = look("")
    if seen is None:
        return []
    rows: list[dict[str, Any]] = []
    for path in _newest(Snapshot(seen.handle).event_actions()):
        try:
            file = parquet.ParquetFile(object_store.opened(url(), path))
        except FileNotFoundError:  # a vacuum deleted it meanwhile
            continue
        # Compaction puts the most recently written rows into the last row group.
        last = file.read_row_group(file.num_row_groups - 1, columns=COLUMNS).sort_by([("received_at", "descending")])
        rows += last.slice(0, most).to_pylist()
    return sorted(rows, key=lambda row: row["received_at"], reverse=True)[:most]


def _newest(files: pa.Table) -> list[str]:
    """Paths of the files to open."""
    written: list[str] = files.sort_by([("modification_time", "descending")]).column("path").to_pylist()
    # A path begins with its date: `event_date=2026-11-30/…`.
    dated: list[str] = files.sort_by([("path", "descending")]).column("path").to_pylist()
    first = written[: LATEST_FILES // 2]
    return first + [path for path in dated if path not in first][: LATEST_FILES - len(first)]
