"""A small log in a DuckDB of its own, and `gather` asked of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import ibis
import pyarrow as pa

from events.warehouse.engine import Warehouse
from events.warehouse.session import WarehouseSession
from events.warehouse.unit_values import Basis
from events.windows import Clock
from experiments.analyse.gather.answers import Answers
from experiments.analyse.gather.gather import gather
from experiments.plan.derived import Question

KINDS = pa.schema(
    {
        "user_id": pa.string(),
        "event": pa.string(),
        "time": pa.timestamp("us"),
        "properties": pa.string(),
        "received_at": pa.timestamp("us"),
    }
)


@contextmanager
def opened(
    log: pa.Table, end: datetime, clock: Clock, activity: tuple[str, ...] | None = None
) -> Iterator[WarehouseSession]:
    """The warehouse with this log."""
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    try:
        table = backend.create_table("log", log, temp=True)
        yield WarehouseSession(Warehouse(backend, table, "duckdb"), Basis(clock, end, activity), log.num_rows)
        left = [name for name in backend.list_tables() if name.startswith("insight_")]
        assert not left, f"tables stayed in the warehouse: {left}"
    finally:
        backend.disconnect()


def rows_of(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Rows of user, event, moment, JSON text and perhaps the moment of arrival."""
    full = [row if len(row) == 5 else (*row, None) for row in rows]
    return pa.table({name: [row[place] for row in full] for place, name in enumerate(KINDS.names)}, schema=KINDS)


def ask(
    rows: Sequence[tuple[Any, ...]],
    asked: Question,
    end: datetime,
    *,
    clock: Clock | None = None,
    primary: Sequence[str] | None = None,
    activity: tuple[str, ...] | None = None,
) -> Answers:
    """The answers to a hand-written log; the first outcome is primary unless said otherwise."""
    with opened(rows_of(rows), end, clock or Clock(), activity) as questions:
        return gather(questions, asked, primary=asked.outcomes[:1] if primary is None else primary)
