"""Change or remove rows that are in the store, in one commit, so that nothing is left of them; and join small files."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyarrow import parquet

from events.store import dictionary, disk, object_store, place
from events.store.disk import NewFile
from events.store.place import url
from events.store.snapshot import ATTEMPTS, COLLIDED, PARTITION, TABLE, Snapshot, overtaken, removals, snapshot

# Change or remove rows that are already in the store, in one commit, without leaving the old rows behind.
#
# Delta's own DELETE writes its condition into the log, so the erased id would stay there. Here files are read,
# written again without these rows, and replaced. Delta detects concurrent commits (flush, import, compaction), and
# then only new files are read again.

REWRITE_APP_ID = "rewriting"
BATCH_ROWS = 65_536  # read at once
GROUP_ROWS = 262_144  # of a row group that is written
ROWS = pa.schema([part for part in TABLE if part.name != PARTITION])  # as stored in a file: the date is in its path
ORPHAN_SECONDS = 3600  # between moving a file to its place and its commit lie seconds


@dataclass(frozen=True)
class Rewriting:
    """What to rewrite.

    Attributes:
        change: from rows of a file, with the columns of `ROWS`, to those that stay, changed where necessary; returning
            the very same table means that nothing changes. The second argument is True for rows of the dictionary of
            users.
        wanted: whether files of this date may hold such rows; `dictionary.DAY` is the dictionary's.
        begin: called with each version that is tried, before its files are read; `change` may then give other results.
        before: called before each commit with the number of removed events, when `change` has seen everything: the last
            moment to save anything from the rows.
    """

    change: Callable[[pa.Table, bool], pa.Table]
    wanted: Callable[[date], bool] = lambda _day: True
    begin: Callable[[Snapshot], None] | None = None
    before: Callable[[int], None] = lambda _removed: None


@dataclass(frozen=True)
class Rewritten:
    """The result of a rewrite.

    Attributes:
        before: version of the table that was read.
        after: version of the commit; the same as `before` when there was nothing to do.
        files: how many files were replaced.
        removed: how many events were removed; entries of the dictionary don't count.
    """

    before: int = 0
    after: int = 0
    files: int = 0
    removed: int = 0


@dataclass
class _Written:
    """The replacement of one file; `file` is None when no row is left."""

    file: disk.NewFile | None
    name: str
    removed: int
    placed: bool = False


@dataclass
class _Pass:
    """One rewrite in progress: the result for each file read so far, None for files that stay."""

    asked: Rewriting
    folder: Path
    known: dict[str, _Written | None] = field(default_factory=dict)

    def read(self, at: Snapshot) -> dict[str, _Written]:
        """Read the files that are new in this version; returns the files to replace."""
        paths = at.paths()
        for path in paths:
            if path not in self.known:
                self.known[path] = self._written(path) if self.asked.wanted(day_of(path)) else None
        return {path: written for path in paths if (written := self.known[path])}

    def _written(self, path: str) -> _Written | None:
        is_dictionary = dictionary.is_dictionary(path)
        if not any(self.asked.change(rows, is_dictionary) is not rows for rows in rows_of(path)):
            return None
        day, target = day_of(path), self.folder / f"rewritten-{uuid4().hex}.parquet"
        writer = KeptRows(target)
        try:
            read = 0
            for rows in rows_of(path):
                read += rows.num_rows
                writer.add(self.asked.change(rows, is_dictionary))
        finally:
            writer.close()
        gone = 0 if is_dictionary else read - writer.rows
        file = writer.as_new(day) if writer.rows else None
        return _Written(file, f"{PARTITION}={day.isoformat()}/{target.name}", gone)

    def place(self, found: Sequence[_Written]) -> None:
        """Move the new files to where a commit may name them."""
        waiting = [written for written in found if written.file is not None and not written.placed]
        place.place([(written.file.path, written.name) for written in waiting if written.file is not None])
        for written in waiting:
            written.placed = True


class KeptRows:
    """A Parquet file being written, with the statistics for its log entry."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows, self._nulls, self._joins = path, 0, 0, False
        self._times: list[datetime] = []
        self._waiting: list[pa.Table] = []
        self._writer = parquet.ParquetWriter(path, ROWS, compression="zstd")

    def add(self, rows: pa.Table) -> None:
        """Append rows."""
        if not rows.num_rows:
            return
        self._waiting.append(rows)
        self.rows += rows.num_rows
        self._nulls += rows.column(dictionary.COLUMN).null_count
        span = pc.min_max(rows.column("time")).as_py()
        self._times += [span["min"], span["max"]]
        self._joins = self._joins or bool(pc.any(pc.equal(rows.column("event"), dictionary.JOINED)).as_py())
        if sum(part.num_rows for part in self._waiting) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=GROUP_ROWS)
        self._waiting = []

    def close(self) -> None:
        """Finish the file."""
        self._flush()
        self._writer.close()

    def as_new(self, day: date) -> disk.NewFile:
        """The file's record for a commit."""
        low, high = (moment.astimezone(UTC).isoformat() for moment in (min(self._times), max(self._times)))
        size = self.path.stat().st_size
        return disk.NewFile(self.path, day, self.rows, size, low, high, numbered=not self._nulls, joins=self._joins)


def rewrite(rewriting: Rewriting) -> Rewritten:
    """Replace the files that hold rows to be changed or removed, in one commit.

    Raises:
        OSError: when the store can't be reached, or concurrent commits won every attempt.
    """
    with place.staging() as folder:
        work = _Pass(rewriting, folder)
        for _ in range(ATTEMPTS):
            at = snapshot()
            if rewriting.begin:
                rewriting.begin(at)
                work.known.clear()
            files = work.read(at)
            before = int(at.handle.version())
            if not files:
                return Rewritten(before, before)
            removed = sum(written.removed for written in files.values())
            rewriting.before(removed)
            work.place(list(files.values()))
            actions = [at.action(written.name, written.file) for written in files.values() if written.file is not None]
            try:
                at.commit(
                    [*actions, *removals(list(files))], app_id=REWRITE_APP_ID, highest=at.highest(), replaces=True
                )
            except Exception as error:
                if not overtaken(error):
                    raise
                continue
            return Rewritten(before, int(at.handle.version()), len(files), removed)
    raise OSError(COLLIDED)


def drop_what_was() -> int:
    """Delete every file that has left the table, whatever its age, and the log of all versions but the last.

    This breaks queries that have listed their files before: call it when none is running any more. Files that no commit
    names are deleted once they are an hour old.

    Returns:
        The number of files deleted.
    """
    deleted = len(DeltaTable(url()).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False))
    orphans = DeltaTable(url()).vacuum(
        retention_hours=max(1, ORPHAN_SECONDS // 3600), enforce_retention_duration=False, dry_run=False, full=True
    )
    return deleted + len(orphans) + _shorten_log()


def _shorten_log() -> int:
    """Keep only a checkpoint and later commits: older ones contain the smallest and the largest id of each file."""
    for _ in range(ATTEMPTS):
        at = snapshot()
        try:
            at.commit([], app_id=REWRITE_APP_ID, highest=at.highest())  # the last commit stays, so it must name no file
        except Exception as error:
            if not overtaken(error):
                raise
            continue
        break
    handle = DeltaTable(url())
    handle.create_checkpoint()
    old = [name for name in place.names(place.LOG) if _version_of(name) < int(handle.version())]
    for name in old:
        place.remove(name)
    if place.is_local():
        disk.force(Path(url()) / place.LOG)
    return len(old)


def _version_of(name: str) -> int:
    """The version that a log file belongs to; huge for files without one, which are never deleted."""
    head = name.rpartition("/")[2].partition(".")[0]
    return int(head) if head.isdigit() else 1 << 62


def day_of(path: str) -> date:
    """The UTC date of the rows of a file, by its path below the table's address."""
    return date.fromisoformat(path.partition("/")[0].removeprefix(f"{PARTITION}="))


def rows_of(path: str) -> Iterator[pa.Table]:
    """The rows of a file in bounded parts, with all columns of `ROWS` in its types."""
    with parquet.ParquetFile(object_store.opened(url(), path)) as file:
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
            rows = pa.table(batch)
            if dictionary.COLUMN not in rows.column_names:  # written by an older version
                rows = rows.append_column(dictionary.COLUMN, pa.nulls(rows.num_rows, pa.int64()))
            yield rows.select(ROWS.names).cast(ROWS)


def numbers_in(path: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The user numbers in a file, sorted and without repeats; each row must have one."""
    numbers = [np.array([], np.int64)]
    with parquet.ParquetFile(object_store.opened(url(), path)) as file:
        batches = file.iter_batches(GROUP_ROWS, columns=[dictionary.COLUMN], use_threads=False)
        numbers += [batch.column(0).unique().cast(pa.int64()).to_numpy(zero_copy_only=False) for batch in batches]
    return np.unique(np.concatenate(numbers))


# Join small files into larger ones, date by date; readers and writers continue meanwhile.
#
# Delta's own OPTIMIZE can't carry our transaction mark in its commit, so a concurrent commit that replaces files
# (`rewrite`, numbers for an older store) would not notice it and duplicate their events. Tried with deltalake 1.6.6.

COMPACTION_APP_ID = "compaction"


def compact(target_bytes: int) -> tuple[int, int]:
    """Join small files of one date into files of up to this size; returns how many were written and how many replaced.

    Zeros when there is nothing to join, or another commit replaced files meanwhile.
    """
    at = snapshot()
    groups = _groups(at, target_bytes)
    if not groups:
        return 0, 0
    with place.staging() as folder:
        written = [_joined(group, folder) for group in groups]
        placed = [(file.path, f"{PARTITION}={file.day.isoformat()}/{file.path.name}") for file in written]
        place.place(placed)
        actions = [at.action(name, file) for (_, name), file in zip(placed, written, strict=True)]
        gone = [path for group in groups for path in group]
        try:
            at.commit([*actions, *removals(gone)], app_id=COMPACTION_APP_ID, highest=None, replaces=True)
        except Exception as error:
            if not overtaken(error):
                raise
            # A lost answer, or a log that was shortened right after, looks like a failed commit.
            if not snapshot().has([name for _, name in placed]):
                place.discard(placed)
                return 0, 0
    return len(written), len(gone)


def _groups(at: Snapshot, target_bytes: int) -> list[list[str]]:
    """Groups of files to join, oldest files first."""
    by_day: dict[object, list[tuple[str, int]]] = defaultdict(list)
    for path, size in at.sizes():
        if size < target_bytes:
            by_day[day_of(path)].append((path, size))
    groups: list[list[str]] = []
    for files in by_day.values():
        group: list[str] = []
        total = 0
        for path, size in files:
            if group and total + size > target_bytes:
                groups.append(group)
                group, total = [], 0
            group.append(path)
            total += size
        groups.append(group)
    return [group for group in groups if len(group) > 1]


def _joined(paths: Sequence[str], folder: Path) -> NewFile:
    writer = KeptRows(folder / f"joined-{uuid4().hex}.parquet")
    try:
        for path in paths:
            for rows in rows_of(path):
                writer.add(rows)
    finally:
        writer.close()
    return writer.as_new(day_of(paths[0]))
