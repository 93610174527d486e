"""The table at one version: which files it has, what is a number's in it, and one commit of files to it.

Beside `events.store`, only this module knows Delta.
"""

import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Field, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import PrimitiveType
from deltalake.transaction import AddAction, RemoveAction

from events import disk, object_store
from events.delta import dictionary, place
from events.delta.dictionary import EntryFile
from events.delta.place import url
from runs.refusals import Refused

SCHEMA = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("event", pa.string(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("properties", pa.string()),  # JSON text, as it was sent
        pa.field("message_id", pa.string()),
        pa.field("received_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("event_date", pa.date32(), nullable=False),  # the partition: `events.store._parts`
    ]
)
TABLE = SCHEMA.append(pa.field(dictionary.COLUMN, pa.int64()))  # null in rows of an older version
PARTITION = "event_date"
ATTEMPTS = 20
KEEP_REMOVED_HOURS = 7 * 24
COUNTED = {"delta.dataSkippingStatsColumns": f"user_id,event,time,{dictionary.COLUMN}"}
CONFIGURATION = {**COUNTED, "delta.deletedFileRetentionDuration": f"interval {KEEP_REMOVED_HOURS} hours"}
RESERVES = "insight.reserves"
# Carried by every commit that takes files out of the table: Delta lets two of one id never both succeed. By itself it
# would take a commit of files that replace what a compaction has replaced already, and double their events.
REPLACES = "insight.replaces"
# What Delta says of the log when a version that it builds on was erased.
SHORTENED = re.compile("Invalid table version|not found: .*_delta_log", re.IGNORECASE)
COLLIDED = f"the event store could not be written: {ATTEMPTS} attempts collided with other writers"


@dataclass(frozen=True)
class Snapshot:
    """The table at one version, open for one commit of files that are written already.

    Who reads the known ids and commits through the same snapshot and application id can't be overtaken: when another
    writer of that id commits in between, Delta refuses this commit.
    """

    handle: Any

    def files(self) -> list[tuple[date, str]]:
        """The date (UTC) and the path of every Parquet file of this version that holds events."""
        marker = f"{PARTITION}="
        found = [str(uri) for uri in self.handle.file_uris()]
        return [
            (date.fromisoformat(next(p for p in uri.split("/") if p.startswith(marker))[len(marker) :]), uri)
            for uri in found
            if not dictionary.is_dictionary(uri)
        ]

    def dictionary(self) -> list[str]:
        """The Parquet files of the dictionary of users."""
        return [str(uri) for uri in self.handle.file_uris() if dictionary.is_dictionary(str(uri))]

    def opened_dictionary(self, *, joins: bool = False) -> Iterator[EntryFile]:
        """The same, for `dictionary`; with `joins` only those that may join users."""
        actions = self._actions()
        lowest = actions.column("min.event").to_pylist() if "min.event" in actions.column_names else []
        for row, path in enumerate(actions.column("path").to_pylist()):
            if dictionary.is_dictionary(path) and not (joins and lowest and lowest[row] == dictionary.HAS_NUMBER):
                yield EntryFile(f"{url()}/{path}", partial(object_store.opened, url(), path))

    def highest(self) -> int:
        """The highest number that was ever given to a user; 0 before the first."""
        return int(self.handle.transaction_version(dictionary.USERS) or 0)

    def last(self, app_id: str) -> int:
        """The number of this writer's last commit; 0 before its first."""
        return int(self.handle.transaction_version(app_id) or 0)

    def unnumbered(self) -> list[str]:
        """Paths, below the table's address, of files with events whose users have no number yet.

        A file says so itself, in the log: a mark of the whole table would be wrong as soon as an older version of
        Insight, which knows no numbers, had written to it.
        """
        actions = self._actions()
        paths = actions.column("path").to_pylist()
        name = f"null_count.{dictionary.COLUMN}"
        nulls = actions.column(name).to_pylist() if name in actions.column_names else [None] * len(paths)
        return [
            path for path, count in zip(paths, nulls, strict=True) if count != 0 and not dictionary.is_dictionary(path)
        ]

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
            highest: for files with numbers, the highest one that they may hold.
            still: for files with numbers, whether these are still right in a newer version.

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
                    return True  # an object store kept the commit, and its answer was lost on the way
                if still is None or at.last(app_id) != self.last(app_id):
                    place.discard(placed)
                    raise Refused("Another import wrote to the event store meanwhile; run this one again.") from error
                if not at.has(removed) or not still(at):
                    break
        place.discard(placed)
        return False

    def replacing(self) -> Transaction:
        """The mark of a commit that takes files out of the table."""
        return Transaction(REPLACES, self.last(REPLACES) + 1)

    def commit(self, actions: Sequence[Any], *, app_id: str, highest: int | None, replaces: bool = False) -> None:
        """Commit files that are in their places, under this writer's next number; `replaces` where files go."""
        marks = [Transaction(app_id, self.last(app_id) + 1)]
        marks += [Transaction(dictionary.USERS, max(highest, self.highest()))] if highest is not None else []
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
                except FileNotFoundError:  # an erasure has made the log shorter; a checkpoint holds what it said
                    place.sync_everything()

    def paths(self) -> list[str]:
        """Paths of all files, the dictionary's too, below the table's address, as the log has them."""
        found: list[str] = self._actions().column("path").to_pylist()
        return found

    def sizes(self) -> list[tuple[str, int]]:
        """The same with their bytes, those that were written first in front."""
        actions = self._actions().sort_by("modification_time")
        return list(zip(actions.column("path").to_pylist(), actions.column("size_bytes").to_pylist(), strict=True))

    def action(self, name: str, file: disk.NewFile) -> AddAction:
        """The entry of the log for a file that lies under this name."""
        return _action(name, file)

    def has(self, paths: Collection[str]) -> bool:
        """True when the table consists of these files, among others."""
        return not paths or set(paths) <= set(self._actions().column("path").to_pylist())


def overtaken(error: Exception) -> bool:
    """True when a commit failed because of another one, also when that one has made the log shorter meanwhile."""
    return isinstance(error, CommitFailedError) or (
        isinstance(error, DeltaError) and SHORTENED.search(str(error)) is not None
    )


def _names_of(handle: Any) -> set[str]:
    return {str(uri).rpartition("/")[2] for uri in handle.file_uris()}


def removals(paths: Sequence[str]) -> list[RemoveAction]:
    """Entries of the log that take these files out of the table."""
    now = int(time.time() * 1000)
    return [RemoveAction(path, True, now, partition_values={PARTITION: _day_of(path)}) for path in paths]


def _day_of(path: str) -> str:
    return path.partition("/")[0].removeprefix(f"{PARTITION}=")


def snapshot() -> Snapshot:
    """Open the table for one commit, and make it, or its column of numbers, when it isn't there."""
    for _ in range(ATTEMPTS):
        try:
            return Snapshot(with_numbers(open_or_create()))
        except (CommitFailedError, DeltaError):  # another process added the column at this moment
            continue
    raise OSError("the event store could not be opened")


def reserve(count: int) -> int:
    """Set numbers for users aside that nobody else will give; the number before the first of them."""
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
    """Commit entries that `make` makes for the newest version, perhaps with new numbers; False when it wants none."""
    for _ in range(ATTEMPTS):
        at = snapshot()
        made = make(at)
        if made is None:
            return False
        highest = max(at.highest(), pc.max(made.column(dictionary.COLUMN)).as_py())
        commit = CommitProperties(app_transactions=[Transaction(dictionary.USERS, highest)])
        try:
            write_deltalake(at.handle, made.select(TABLE.names).cast(TABLE), mode="append", commit_properties=commit)
        except DeltaError as error:
            if not overtaken(error):
                raise
            continue
        place.sync_commit(int(at.handle.version()))
        return True
    raise OSError(COLLIDED)


def with_numbers(handle: Any) -> Any:
    """The table with the column of numbers; older versions made it without."""
    if any(field.name == dictionary.COLUMN for field in handle.schema().fields):
        return handle
    handle.alter.set_table_properties(COUNTED)
    handle = DeltaTable(url())
    handle.alter.add_columns([Field(dictionary.COLUMN, PrimitiveType("long"), nullable=True)])
    return DeltaTable(url())


def open_or_create() -> Any:
    """The table, made when it isn't there."""
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
            except (CommitFailedError, DeltaError):  # two processes made it at once; the loser opens it
                continue
    raise OSError("the event store could not be made")


def _action(name: str, file: disk.NewFile) -> AddAction:
    """The file as Delta's log wants it."""
    low, high = {"time": file.oldest}, {"time": file.newest}
    if file.day == dictionary.DAY:
        low["event"] = dictionary.JOINED if file.joins else dictionary.HAS_NUMBER
        high["event"] = dictionary.HAS_NUMBER
    stats: dict[str, Any] = {"numRecords": file.rows, "minValues": low, "maxValues": high}
    if file.numbered:
        stats["nullCount"] = {dictionary.COLUMN: 0}
    day = {PARTITION: file.day.isoformat()}
    return AddAction(name, file.size, day, int(time.time() * 1000), True, json.dumps(stats))
