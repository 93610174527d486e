"""What the store's log alone can tell: its version, how many events it holds, and which came last."""

from typing import Any

import pyarrow as pa
from pyarrow import parquet

from events import object_store, store
from events.user_numbers import dictionary

LATEST_FILES = 12
COLUMNS = [name for name in store.SCHEMA.names if name != store.PARTITION]


def version() -> str:
    """The number of the store's last commit; "" without a store."""
    seen = store.look("")
    return "" if seen is None else str(seen.handle.version())


def row_count() -> int | None:
    """Events in the store; 0 without one, None when a file's log entry doesn't say."""
    seen = store.look("")
    if seen is None:
        return 0
    rows = _event_files(seen).column("num_records").to_pylist()
    return None if None in rows else sum(rows)


def _event_files(seen: store.Seen) -> pa.Table:
    """What the log says of each file, but for the dictionary's, which hold no events."""
    actions = pa.table(seen.handle.get_add_actions(flatten=True))
    return actions.filter([not dictionary.is_dictionary(path) for path in actions.column("path").to_pylist()])


def latest_rows(most: int) -> list[dict[str, Any]]:
    """About the last `most` rows that arrived, from the newest files.

    A compaction makes new files of old rows: then the last row groups of those are read, and no more than
    `LATEST_FILES` files in any case.
    """
    seen = store.look("")
    if seen is None:
        return []
    actions = _event_files(seen).sort_by([("modification_time", "descending")])
    rows: list[dict[str, Any]] = []
    for path in actions.column("path").to_pylist()[:LATEST_FILES]:
        try:
            file = parquet.ParquetFile(object_store.opened(store.url(), path))
        except FileNotFoundError:  # a vacuum came in between
            continue
        found = file.read_row_group(file.num_row_groups - 1, columns=COLUMNS).sort_by([("received_at", "descending")])
        rows += found.slice(0, most).to_pylist()
    return sorted(rows, key=lambda row: row["received_at"], reverse=True)[:most]
