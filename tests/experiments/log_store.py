"""A hand-written log in an event store of its own, filled through the real import."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from django.test import override_settings

from tests.aha.store import IMPORT, load_file
from tests.experiments.ask import rows_of


@contextmanager
def stored_log(rows: Sequence[tuple[Any, ...]], folder: Path) -> Iterator[None]:
    """The settings point at a store with these rows inside the block: user, event, moment, JSON text."""
    table = rows_of(rows).select(["user_id", "event", "time", "properties"])
    table = table.set_column(2, "time", table["time"].cast(pa.timestamp("us", tz="UTC")))
    pq.write_table(table, folder / "log.parquet")
    with override_settings(EVENTS_URL=str(folder / "store")):
        load_file(folder / "log.parquet", *IMPORT)
        yield
