"""Tables of results that this site writes for other programs, in a lake: one Delta table each, apart from the events.

They need not belong to the event store: they lie where the caller says. Delta's log would keep the smallest and largest
value of each column, and with them ids of users: statistics are kept of the key alone.
"""

import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from events.store import object_store
from events.store.snapshot import ATTEMPTS, COLLIDED

KEEP_HOURS = 24  # of replaced files, which a running question may read
ORPHAN_HOURS = 1  # between writing a file and its commit lie seconds, or minutes for a large table

type Rows = Iterable[pa.RecordBatch]


@dataclass(frozen=True)
class ResultTable:
    """A table of results.

    Attributes:
        name: of the table.
        schema: its columns.
        key: the column by which results are replaced.
        user: the column with ids of users; "" where there is none. Such a table is parted by its key.
    """

    name: str
    schema: pa.Schema
    key: str
    user: str = ""


class ResultLake:
    """The tables in a folder or an object store, each in a folder of its name. Each change is one commit of one table.

    Attributes:
        address: the folder, or ``s3://bucket/path``, without a final slash.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def replace(self, table: ResultTable, value: str | None, rows: Rows) -> None:
        """Put rows into the place of those of one key; of all rows where the key is None.

        Args:
            table: created where it is missing.
            value: of the key column.
            rows: with the table's columns.

        Raises:
            OSError: when the place can't be reached, or other processes won every attempt.
        """
        only = None if value is None else f"{table.key} = {_literal(value)}"
        with _in_a_file(table, rows) as file:
            for _ in range(ATTEMPTS):
                try:
                    write_deltalake(self._made(table), pa.ipc.open_stream(file), mode="overwrite", predicate=only)
                except CommitFailedError:
                    continue
                return
        raise OSError(COLLIDED)

    def remove_users(self, table: ResultTable, ids: Collection[str]) -> int:
        """Remove the rows of these users, and every file that ever held them; returns how many rows.

        Delta's own DELETE would write the ids into its log.

        Raises:
            OSError: as `replace`.
        """
        if (handle := self._opened(table)) is None:
            return 0
        gone = pa.array(sorted(ids), pa.string())
        for _ in range(ATTEMPTS):
            removed = 0

            def others(handle: Any = handle) -> Iterator[pa.RecordBatch]:
                nonlocal removed
                for rows in _read(handle, table):
                    kept = rows.filter(pc.invert(pc.is_in(rows[table.user], gone)))
                    removed += rows.num_rows - kept.num_rows
                    yield kept

            with _in_a_file(table, others()) as file:
                try:
                    if removed:
                        write_deltalake(handle, pa.ipc.open_stream(file), mode="overwrite")
                except CommitFailedError:
                    handle.update_incremental()
                    continue
            # Also when there was no row left: a process may have died here before.
            self._drop_files(table, 0)
            return removed
        raise OSError(COLLIDED)

    def tidy(self, table: ResultTable) -> None:
        """Delete replaced files that are older than `KEEP_HOURS`, and log entries that a checkpoint replaces."""
        if (handle := self._opened(table)) is None:
            return
        handle.create_checkpoint()
        handle.cleanup_metadata()
        self._drop_files(table, KEEP_HOURS)

    def _drop_files(self, table: ResultTable, hours: int) -> None:
        handle = DeltaTable(self._place(table))
        # Only files that a commit has replaced: a file that no commit names yet may be another process's.
        handle.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False)
        orphans = max(hours, ORPHAN_HOURS)
        handle.vacuum(retention_hours=orphans, dry_run=False, enforce_retention_duration=False, full=True)

    def _place(self, table: ResultTable) -> str:
        return f"{self.address}/{table.name}"

    def _opened(self, table: ResultTable) -> Any:
        try:
            return DeltaTable(self._place(table))
        except TableNotFoundError:
            return None

    def _made(self, table: ResultTable) -> Any:
        if not object_store.is_remote(self.address):
            Path(self._place(table)).mkdir(parents=True, exist_ok=True)
        return self._opened(table) or DeltaTable.create(
            self._place(table),
            table.schema,
            partition_by=[table.key] if table.user else None,
            mode="ignore",
            name=table.name,
            configuration={"delta.dataSkippingStatsColumns": table.key},
        )


@contextmanager
def _in_a_file(table: ResultTable, rows: Rows) -> Iterator[Path]:
    """The rows as an Arrow stream in a temporary file, for tables larger than memory and for a second try.

    Delta's writer reads in a thread of its own, where a query of the database would have another connection, outside
    the caller's transaction.
    """
    with tempfile.TemporaryDirectory(prefix="insight-results-") as folder:
        file = Path(folder) / "rows.arrow"
        with pa.ipc.new_stream(str(file), table.schema) as target:
            for batch in rows:
                target.write_batch(batch)
        yield file


def _read(handle: DeltaTable, table: ResultTable) -> Iterator[pa.RecordBatch]:
    """All rows in batches; not as a dataset of pyarrow, which can abort the process at exit (docs/adr/0003)."""
    found = QueryBuilder().register(table.name, handle).execute(f'SELECT * FROM "{table.name}"')  # noqa: S608 - of ours
    for some in found:
        yield pa.record_batch(some).select(table.schema.names).cast(table.schema)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
