"""Facts from the store's log alone: its version, its number of events, and the newest rows."""

from typing import Any

import pyarrow as pa
from pyarrow import parquet

from events import object_store, store
from events.delta import dictionary

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
    """Log entries of the event files; the dictionary's files hold no events."""
    actions = pa.table(seen.handle.get_add_actions(flatten=True))
    return actions.filter([not dictionary.is_dictionary(path) for path in actions.column("path").to_pylist()])


def latest_rows(most: int) -> list[dict[str, Any]]:
    """About the last `most` rows that arrived, from the newest files.

    At most `LATEST_FILES` files are opened: half of them the most recently written, half those of the latest dates. A
    compaction writes the files of every date again, and the latest arrivals are then in a file that is no newer than
    any other; an import of old events arrives in files of early dates.
    """
    seen = store.look("")
    if seen is None:
        return []
    rows: list[dict[str, Any]] = []
    for path in _newest(_event_files(seen)):
        try:
            file = parquet.ParquetFile(object_store.opened(store.url(), path))
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
