"""The price in a ClickHouse is what it then reads: the compressed bytes of its columns, by its own counters."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import ibis
import numpy as np
import pyarrow.parquet as pq
import pytest
from django.utils import timezone
from pytest_django import Settings

from runs.prices import Price
from tests.events import test_price as made

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
COLUMNS = (
    "uid String, name LowCardinality(String), ts DateTime64(6, 'UTC'), props Nullable(String), mid Nullable(String), "
    "got Nullable(DateTime64(6, 'UTC'))"
)
NAMES = "user_id, event, time, properties, message_id, received_at"
LAYOUT = "ENGINE = MergeTree PARTITION BY toDate(ts) ORDER BY {order} SETTINGS min_bytes_for_wide_part = {wide}"
READ = "SELECT value FROM system.events WHERE event = 'ReadCompressedBytes'"
ALLOWED = 0.2


@contextmanager
def log_in_clickhouse(address: str, settings: Settings, folder: Path, *, order: str, wide: int = 0) -> Iterator[Any]:
    """The log of `tests.events.test_price` in a table of this order; the settings point at it inside the block.

    Args:
        address: of the server.
        settings: pytest-django's.
        folder: for files.
        order: the table's key.
        wide: bytes from which on a part has its columns in files of their own.
    """
    backend, table = ibis.connect(address), f"hits_{uuid4().hex}"  # the server is every test's
    backend.raw_sql(f"CREATE TABLE {table} ({COLUMNS}) {LAYOUT.format(order=order, wide=wide)}")
    try:
        number = np.random.default_rng(1)
        for day in range(made.DAYS):
            pq.write_table(made._day(day, number), folder / "day.parquet")
            backend.raw_sql(f"INSERT INTO {table} SELECT {NAMES} FROM file('{folder / 'day.parquet'}', 'Parquet')")
        settings.WAREHOUSE_URL, settings.WAREHOUSE_TABLE = address, table
        settings.WAREHOUSE_COLUMNS = "user_id=uid,event=name,time=ts,properties=props,message_id=mid,received_at=got"
        yield backend
    finally:
        backend.raw_sql(f"DROP TABLE {table} SYNC")
        backend.disconnect()


def off(asked: tuple[Price, Callable[[], object]], server: Any) -> float:
    """By which share the price differs from what is read."""
    told, ask = asked
    ((before,),) = server.raw_sql(READ).result_rows or ((0,),)
    ask()
    ((after,),) = server.raw_sql(READ).result_rows
    return told.bytes / (int(after) - int(before)) - 1


@pytest.mark.parametrize("order", ["ts", "(name, ts)"])
def test_price__in_clickhouse__is_within_a_fifth_of_the_bytes_that_are_read(
    clickhouse_address: str, settings: Settings, tmp_path: Path, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: made.FIRST + timedelta(days=made.DAYS))
    with log_in_clickhouse(clickhouse_address, settings, tmp_path, order=order) as server:
        found = {name: off(ask(), server) for name, ask in made.QUESTIONS.items()}

    assert {name: f"{share:+.1%}" for name, share in found.items() if abs(share) > ALLOWED} == {}


def test_price__in_clickhouse__of_small_parts__is_that_of_whole_rows(
    clickhouse_address: str, settings: Settings, tmp_path: Path
) -> None:
    with log_in_clickhouse(clickhouse_address, settings, tmp_path, order="ts", wide=10**9) as server:
        assert 0 < off(made.study(**made.WEEK), server) < 4


def test_price__in_clickhouse__of_a_table_that_has_no_parts__is_not_known(
    clickhouse_address: str, settings: Settings, tmp_path: Path
) -> None:
    with log_in_clickhouse(clickhouse_address, settings, tmp_path, order="ts") as server:
        view = f"seen_{uuid4().hex}"
        server.raw_sql(f"CREATE VIEW {view} AS SELECT * FROM {settings.WAREHOUSE_TABLE}")
        settings.WAREHOUSE_TABLE = view
        try:
            assert made.study()[0] == Price(known=False, engine="ClickHouse")
        finally:
            server.raw_sql(f"DROP VIEW {view}")
