"""The warehouse that the settings name: the empty store, a table elsewhere with other column names, and refusals."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pytest

from events.warehouse import engine, queries
from events.warehouse.session import WarehouseSession
from events.warehouse.unit_values import Basis
from events.windows import Clock
from runs.refusals import Refused
from tests.postgres import hits_table


@pytest.fixture
def elsewhere(settings: Any, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute("SET TimeZone = 'Asia/Seoul'")
        connection.execute(
            "CREATE TABLE hits AS SELECT 7 AS uid, 'play' AS name, TIMESTAMPTZ '2024-03-01 19:00:00+09' AS ts"
        )
    settings.WAREHOUSE_URL = f"duckdb://{tmp_path / 'other.duckdb'}"
    settings.WAREHOUSE_TABLE = "hits"
    settings.WAREHOUSE_COLUMNS = "user_id=uid, event=name, time=ts"


def test_connect__no_store_yet__is_an_empty_log(settings: Any, tmp_path: Path) -> None:
    settings.EVENTS_URL = str(tmp_path / "nothing")

    with engine.connect() as house:
        assert house.run(queries.span(house.events, Clock())).iloc[0].events == 0


def test_connect__table_with_other_names__is_mapped_to_ours_in_utc(elsewhere: None) -> None:
    with engine.connect() as house:
        row = house.run(house.events).iloc[0]

    assert (row.user_id, row.event, row.time.isoformat()) == ("7", "play", "2024-03-01T10:00:00")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WAREHOUSE_COLUMNS", "user_id=uid", "no column event, time"),
        ("WAREHOUSE_COLUMNS", "user=uid", "WAREHOUSE_COLUMNS"),
        ("WAREHOUSE_TABLE", "nowhere", "no table nowhere"),
        ("WAREHOUSE_URL", "nosuchengine://host", "WAREHOUSE_URL"),
    ],
)
def test_connect__setting_that_fits_nothing__is_refused_by_name(
    elsewhere: None, settings: Any, name: str, value: str, words: str
) -> None:
    setattr(settings, name, value)

    with pytest.raises(Refused, match=words), engine.connect():
        pass


def test_connect__clickhouse_without_its_client__says_how_to_install_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "clickhouse_connect", None)
    monkeypatch.delitem(sys.modules, "ibis.backends.clickhouse", raising=False)
    settings.WAREHOUSE_URL = "clickhouse://127.0.0.1:1"

    with pytest.raises(Refused, match=r"requirements-clickhouse\.txt"), engine.connect():
        pass


@pytest.mark.slow
def test_postgres__20_000_users__are_brought_in_within_seconds_and_joined(settings: Any) -> None:
    days, seconds = pa.timestamp("us"), 20
    users = pa.table({"user_id": [f"u{i}" for i in range(20_000)], "unit": pa.array(range(20_000), pa.int32())})
    users = users.append_column("anchor", pa.array([datetime(2026, 1, 1)] * 20_000, days))  # noqa: DTZ001
    with hits_table(settings, "user_id text, event text, time timestamptz", "") as connection:
        rows = "SELECT 'u' || i, 'play', '2026-01-02Z' FROM generate_series(1, 30000) AS i"
        connection.execute(f"INSERT INTO {settings.WAREHOUSE_TABLE} {rows}")
        began = time.monotonic()
        with engine.connect() as house:
            brought = ibis.memtable(users)
            joined = house.events.join(brought, "user_id").filter(lambda table: table.time > table.anchor)
            found = house.run(joined.aggregate(n=joined.count(), last=joined.unit.max()))

    assert (int(found.n[0]), int(found["last"][0])) == (19_999, 19_999)
    assert time.monotonic() - began < seconds


def test_need_event__several_names__the_log_is_read_once(elsewhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    run, read = engine.Warehouse.run, []

    def counted(house: engine.Warehouse, question: Any) -> Any:
        read.append(question)
        return run(house, question)

    monkeypatch.setattr(engine.Warehouse, "run", counted)
    with engine.connect() as house:
        asked = WarehouseSession(house, Basis(Clock(), datetime(2024, 4, 1, tzinfo=UTC), None, house.dialect), 1)
        for name in ("play", "*", "play"):
            asked.need_event(name)
        with pytest.raises(Refused, match="no event 'sell'"):
            asked.need_event("sell")

    assert len(read) == 1
