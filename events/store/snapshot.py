"""The table at one version: its files, what is a number's in it, a commit of files to it, and how to read it again."""

import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Field, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import PrimitiveType
from deltalake.transaction import AddAction, RemoveAction

from events.store import dictionary as store_dictionary
from events.store import disk, object_store, place
from events.store.dictionary import EntryFile
from events.store.place import url
from runs.refusals import Refused

# The table at one version: its files, user numbers and statistics, and a commit of files on top of it.
#
# Only `events.store` reads and writes Delta tables.

SCHEMA = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("event", pa.string(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("properties", pa.string()),  # JSON text as sent
        pa.field("message_id", pa.string()),
        pa.field("received_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("event_date", pa.date32(), nullable=False),  # the partition: see `events.store.event_table._parts`
    ]
)
TABLE = SCHEMA.append(pa.field(store_dictionary.COLUMN, pa.int64()))  # null in rows of an older version
PARTITION = "event_date"
ATTEMPTS = 20
KEEP_REMOVED_HOURS = 7 * 24
COUNTED = {"delta.dataSkippingStatsColumns": f"user_id,event,time,{store_dictionary.COLUMN}"}
CONFIGURATION = {**COUNTED, "delta.deletedFileRetentionDuration": f"interval {KEEP_REMOVED_HOURS} hours"}
RESERVES = "insight.reserves"
# Carried by every commit that removes files from the table: Delta never lets two with one id both succeed. Without it,
# Delta would accept a commit that replaces files which a compaction has already replaced, and their events would be
# duplicated.
REPLACES = "insight.replaces"
# Delta's error message when a version that the commit builds on was erased from the log.
SHORTENED = re.compile("Invalid table version|not found: .*_delta_log", re.IGNORECASE)
COLLIDED = f"the event store could not be written: {ATTEMPTS} attempts collided with other writers"


CUT = timedelta(seconds=1)  # more than a writer cuts off a time in the log of commits


@dataclass(frozen=True)
class EventFile:
    """A file with events, as the log of commits describes it.

    Attributes:
        path: below the store's address.
        rows: how many events.
        oldest, newest: times of the first and the last one, cut to milliseconds by some writers (less than `CUT`).
    """

    path: str
    rows: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True)
class Snapshot:
    """The table at one version, for one commit of files that are already written.

    A process that reads the known ids and commits through the same snapshot and application id can't be overtaken: when
    another writer of that id commits in between, Delta refuses this commit.
    """

    handle: Any

    def files(self) -> list[tuple[date, str]]:
        """The date (UTC) and the path of every Parquet file of this version that holds events."""
        marker = f"{PARTITION}="
        uris = [str(uri) for uri in self.handle.file_uris()]
        return [
            (date.fromisoformat(next(p for p in uri.split("/") if p.startswith(marker))[len(marker) :]), uri)
            for uri in uris
            if not store_dictionary.is_dictionary(uri)
        ]

    def dictionary(self) -> list[str]:
        """The Parquet files of the dictionary of users."""
        return [str(uri) for uri in self.handle.file_uris() if store_dictionary.is_dictionary(str(uri))]

    def opened_dictionary(self, *, joins: bool = False) -> Iterator[EntryFile]:
        """Open the files of `dictionary`; with `joins` only those that may hold joins."""
        actions = self._actions()
        lowest = actions.column("min.event").to_pylist() if "min.event" in actions.column_names else []
        for row, path in enumerate(actions.column("path").to_pylist()):
            if store_dictionary.is_dictionary(path) and not (
                joins and lowest and lowest[row] == store_dictionary.HAS_NUMBER
            ):
                yield EntryFile(f"{url()}/{path}", partial(object_store.opened, url(), path))

    def highest(self) -> int:
        """The highest number ever assigned to a user; 0 before the first."""
        return int(self.handle.transaction_version(store_dictionary.USERS) or 0)

    def last(self, app_id: str) -> int:
        """The number of this writer's last commit; 0 before its first."""
        return int(self.handle.transaction_version(app_id) or 0)

    def unnumbered(self) -> list[str]:
        """Paths, below the table's address, of files with events whose users have no number yet.

        Decided file by file from the log's statistics: a flag of the whole table would be wrong as soon as an older
        version of Insight, which has no numbers, wrote to it.
        """
        actions = self._actions()
        paths = actions.column("path").to_pylist()
        name = f"null_count.{store_dictionary.COLUMN}"
        nulls = actions.column(name).to_pylist() if name in actions.column_names else [None] * len(paths)
        return [
            path
            for path, count in zip(paths, nulls, strict=True)
            if count != 0 and not store_dictionary.is_dictionary(path)
        ]

    def event_files(self) -> tuple[EventFile, ...] | None:
        """The files with events, without opening one; None where an entry of the log doesn't say enough."""
        actions, names = self.event_actions(), ("path", "num_records", "min.time", "max.time")
        if not set(names) <= set(actions.column_names):
            return None
        columns = [actions.column(name).to_pylist() for name in names]
        if any(None in column for column in columns):
            return None
        return tuple(EventFile(*row) for row in zip(*columns, strict=True))

    def event_actions(self) -> pa.Table:
        """The log's entries of the files that hold events; those of the dictionary hold none."""
        actions = self._actions()
        paths = actions.column("path").to_pylist()
        # With the type: a table from which everything was erased has no file at all.
        return actions.filter(pa.array([not store_dictionary.is_dictionary(path) for path in paths], pa.bool_()))

    def _actions(self) -> pa.Table:
        return pa.table(self.handle.get_add_actions(flatten=True))

    def add(
        self,
        files: Sequence[disk.NewFile],
        *,
        app_id: str,
        removed: Sequence[str] = (),
        highest: int | None = None,
        still: Callable[["Snapshot"], bool] | None = None,
    ) -> bool:
        """Move files into the table and commit them together.

        Args:
            files: the files.
            app_id: who writes.
            removed: paths, below the table's address, of the files that these replace.
            highest: for files with numbers, the highest of them.
            still: for files with numbers, whether they are still right in a newer version.

        Returns:
            False when the numbers, or the removed files, aren't right any more; the files are gone then.

        Raises:
            Refused: when another writer with this application id committed meanwhile; the files are gone then.
        """
        if not files:
            return True
        placed = [(file.path, f"{PARTITION}={file.day.isoformat()}/{file.path.name}") for file in files]
        actions = [_action(name, file) for (_, name), file in zip(placed, files, strict=True)]
        place.place(placed)
        at = self
        for _ in range(ATTEMPTS):
            try:
                at.commit([*actions, *removals(removed)], app_id=app_id, highest=highest, replaces=bool(removed))
                return True
            except DeltaError as error:
                if not overtaken(error):
                    raise
                at = Snapshot(DeltaTable(url()))
                if _names_of(at.handle) >= {path.name for path, _ in placed}:
                    return True  # an object store accepted the commit, but its answer was lost
                if still is None or at.last(app_id) != self.last(app_id):
                    place.discard(placed)
                    raise Refused("Another import wrote to the event store meanwhile; run this one again.") from error
                if not at.has(removed) or not still(at):
                    break
        place.discard(placed)
        return False

    def replacing(self) -> Transaction:
        """The transaction mark of a commit that removes files from the table."""
        return Transaction(REPLACES, self.last(REPLACES) + 1)

    def commit(self, actions: Sequence[Any], *, app_id: str, highest: int | None, replaces: bool = False) -> None:
        """Commit files that are in their places, under this writer's next number; `replaces` if files are removed."""
        marks = [Transaction(app_id, self.last(app_id) + 1)]
        marks += [Transaction(store_dictionary.USERS, max(highest, self.highest()))] if highest is not None else []
        marks += [self.replacing()] if replaces else []
        self.handle.create_write_transaction(
            list(actions),
            "append",
            self.handle.schema(),
            [PARTITION],
            commit_properties=CommitProperties(app_transactions=marks),
        )
        before = int(self.handle.version())
        self.handle.update_incremental()
        if place.is_local():
            disk.force(Path(url()) / place.LOG)
            for version in range(before + 1, int(self.handle.version()) + 1):  # one of them is ours
                try:
                    disk.force(Path(url()) / place.LOG / f"{version:020d}.json")
                except FileNotFoundError:  # an erasure has shortened the log; a checkpoint holds the content
                    place.sync_everything()

    def paths(self) -> list[str]:
        """Paths of all files, including the dictionary's, below the table's address, as in the log."""
        names: list[str] = self._actions().column("path").to_pylist()
        return names

    def sizes(self) -> list[tuple[str, int]]:
        """The same with their sizes in bytes, oldest first."""
        actions = self._actions().sort_by("modification_time")
        return list(zip(actions.column("path").to_pylist(), actions.column("size_bytes").to_pylist(), strict=True))

    def action(self, name: str, file: disk.NewFile) -> AddAction:
        """The log entry for a file with this name."""
        return _action(name, file)

    def has(self, paths: Collection[str]) -> bool:
        """Whether all these files are part of the table."""
        return not paths or set(paths) <= set(self._actions().column("path").to_pylist())


def overtaken(error: Exception) -> bool:
    """True when a commit failed because of a concurrent one, even if that one has shortened the log."""
    return isinstance(error, CommitFailedError) or (
        isinstance(error, DeltaError) and SHORTENED.search(str(error)) is not None
    )


def _names_of(handle: Any) -> set[str]:
    return {str(uri).rpartition("/")[2] for uri in handle.file_uris()}


def removals(paths: Sequence[str]) -> list[RemoveAction]:
    """Log entries that remove these files from the table."""
    now = int(time.time() * 1000)
    return [RemoveAction(path, True, now, partition_values={PARTITION: _day_of(path)}) for path in paths]


def _day_of(path: str) -> str:
    return path.partition("/")[0].removeprefix(f"{PARTITION}=")


def snapshot() -> Snapshot:
    """Open the table for one commit; create it, or add its column of numbers, if missing."""
    for _ in range(ATTEMPTS):
        try:
            return Snapshot(with_numbers(open_or_create()))
        except (CommitFailedError, DeltaError):  # another process added the column at this moment
            continue
    raise OSError("the event store could not be opened")


def reserve(count: int) -> int:
    """Reserve user numbers that nobody else will assign; returns the number before the first of them."""
    for _ in range(ATTEMPTS):
        at = snapshot()
        before = at.highest()
        try:
            at.commit([], app_id=RESERVES, highest=before + count)
        except DeltaError as error:
            if not overtaken(error):
                raise
            continue
        return before
    raise OSError(COLLIDED)


def add_to_dictionary(make: Callable[[Snapshot], pa.Table | None]) -> bool:
    """Commit the entries that `make` returns for the newest version, perhaps with new numbers; False if it is None."""
    for _ in range(ATTEMPTS):
        at = snapshot()
        made = make(at)
        if made is None:
            return False
        highest = max(at.highest(), pc.max(made.column(store_dictionary.COLUMN)).as_py())
        commit = CommitProperties(app_transactions=[Transaction(store_dictionary.USERS, highest)])
        try:
            write_deltalake(at.handle, made.select(TABLE.names).cast(TABLE), mode="append", commit_properties=commit)
        except DeltaError as error:
            if not overtaken(error):
                raise
            continue
        place.sync_commit(int(at.handle.version()))
        return True
    raise OSError(COLLIDED)


def snapshot_at(version: int) -> Snapshot | None:
    """The table as it was at this version; None where its log doesn't say any more."""
    try:
        return Snapshot(DeltaTable(url(), version=version))
    except DeltaError:
        return None


def with_numbers(handle: Any) -> Any:
    """The table with the column of numbers, added if an older version made it without."""
    if any(field.name == store_dictionary.COLUMN for field in handle.schema().fields):
        return handle
    handle.alter.set_table_properties(COUNTED)
    handle = DeltaTable(url())
    handle.alter.add_columns([Field(store_dictionary.COLUMN, PrimitiveType("long"), nullable=True)])
    return DeltaTable(url())


def open_or_create() -> Any:
    """The table, created if missing."""
    for _ in range(ATTEMPTS):
        try:
            return DeltaTable(url())
        except TableNotFoundError:
            if place.is_local():
                Path(url()).mkdir(parents=True, exist_ok=True)
            try:
                DeltaTable.create(
                    url(), TABLE, partition_by=[PARTITION], mode="ignore", name="events", configuration=CONFIGURATION
                )
            except (CommitFailedError, DeltaError):  # two processes created it at once; the loser opens it
                continue
    raise OSError("the event store could not be made")


def _action(name: str, file: disk.NewFile) -> AddAction:
    """The file's entry for Delta's log."""
    low, high = {"time": file.oldest}, {"time": file.newest}
    if file.day == store_dictionary.DAY:
        low["event"] = store_dictionary.JOINED if file.joins else store_dictionary.HAS_NUMBER
        high["event"] = store_dictionary.HAS_NUMBER
    stats: dict[str, Any] = {"numRecords": file.rows, "minValues": low, "maxValues": high}
    if file.numbered:
        stats["nullCount"] = {store_dictionary.COLUMN: 0}
    day = {PARTITION: file.day.isoformat()}
    return AddAction(name, file.size, day, int(time.time() * 1000), True, json.dumps(stats))


# The files of the store at one version: enough to read it again after the log has dropped it.


@dataclass(frozen=True)
class StoreFiles:
    """One version of the store.

    Attributes:
        version: as Delta counts.
        events: paths of the Parquet files with events, below the store's address, as the log has them.
        dictionary: likewise the files with the users' numbers.
        numbered: whether every event's user has a number.
    """

    version: int
    events: tuple[str, ...]
    dictionary: tuple[str, ...]
    numbered: bool


def files_at(at: Snapshot) -> StoreFiles:
    """The files of the version that this snapshot has open."""
    paths = sorted(at.paths())
    return StoreFiles(
        version=int(at.handle.version()),
        events=tuple(path for path in paths if not store_dictionary.is_dictionary(path)),
        dictionary=tuple(path for path in paths if store_dictionary.is_dictionary(path)),
        numbered=not at.unnumbered(),
    )
