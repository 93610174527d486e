"""Ten SQL metrics and two funnels on one log: DuckDB, PostgreSQL and Spark give the same numbers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from django.test import override_settings

from events.metrics import parse_metric
from events.warehouse import engine, queries
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode
from runs.refusals import Refused
from tests.engines.same import assert_same_cells
from tests.events.expressions.test_gate import GOOD
from tests.events.expressions.test_guarded import past_the_gate
from tests.marks import first_in_ci
from tests.postgres import hits_table

START = datetime(2026, 3, 1, tzinfo=UTC)
CLOCKS = [Clock(), Clock(DayMode.CALENDAR, "America/New_York")]
METRICS = {name: f"sql:0-6:{sql}" for name, sql in GOOD.items()} | {
    "funnel": "funnel:open:buy:0-6",
    "long funnel": "funnel:open:buy[mode=ranked]:gift:0-9",
    "sum": "sum:buy:price:0-6",
    "capped": f"capped:9.5:sql:0-6:{GOOD['revenue']}",
}
# Prices as senders write them: numbers, texts, nonsense, too large, none.
PRICES = (1, 2.5, "3", " 4 ", "7d", "1e5", ".5", "much", "Infinity", "1e400", -7, True, None, "")


def made_log(seed: int = 20261127, users: int = 300) -> pd.DataFrame:
    """Events of three weeks: some at the same moment, some without properties."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, str, datetime, str | None]] = []
    for user in range(users):
        began = START + timedelta(seconds=int(rng.integers(0, 86_400 * 7)))
        rows.append((f"u{user}", "signup", began, "{}"))
        for _ in range(int(rng.integers(0, 14))):
            said: dict[str, Any] = {"price": PRICES[int(rng.integers(len(PRICES)))]}
            if rng.random() < 0.6:
                said["mode"] = ["ranked", "casual", "It's “new”", "랭크"][int(rng.integers(4))]
            when = began + timedelta(seconds=3_600 * int(rng.integers(0, 240)), microseconds=int(rng.integers(3)) * 5)
            event = ["open", "buy", "gift"][int(rng.integers(3))]
            rows.append((f"u{user}", event, when, json.dumps(said) if rng.random() < 0.9 else None))
    frame = pd.DataFrame(rows, columns=["user_id", "event", "time", "properties"])
    return frame.assign(time=frame.time.dt.tz_localize(None).astype("datetime64[us]"))


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return made_log()


def answers(house: engine.Warehouse, clock: Clock) -> pd.DataFrame:
    """One row per unit and one column per metric, asked in one question."""
    basis = Basis(clock, START + timedelta(days=11), dialect=house.dialect)
    users = queries.cohort(house.events, "signup", basis)
    definitions: Any = {f"v_{place}": parse_metric(text) for place, text in enumerate(METRICS.values())}
    with house.kept(queries.outcomes(house.events, users, basis, definitions)) as kept:  # as an analysis does
        return house.run(kept.drop("anchor", "anchor_date"))


@contextmanager
def on_duckdb(log: pd.DataFrame) -> Iterator[engine.Warehouse]:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    try:
        schema = {"user_id": "string", "event": "string", "time": "timestamp", "properties": "string"}
        table = backend.create_table("log", log, schema=ibis.schema(schema), temp=True)
        yield engine.Warehouse(backend, table, "duckdb")
    finally:
        backend.disconnect()


@pytest.fixture(scope="module")
def right(log: pd.DataFrame) -> dict[Clock, pd.DataFrame]:
    found = {}
    for clock in CLOCKS:
        with on_duckdb(log) as house:
            found[clock] = answers(house, clock)
    return found


def test_log__tells_the_metrics_apart(right: dict[Clock, pd.DataFrame]) -> None:
    """A log on which everything were 0 would prove nothing."""
    for frame in right.values():
        for place, name in enumerate(METRICS):
            column = frame[f"v_{place}"]
            assert column.nunique() > 1, name
            assert 0 < column.isna().sum() < len(frame), name  # some units are too young
            assert column.notna().sum() > 30, name


@pytest.mark.slow
@pytest.mark.parametrize("clock", CLOCKS, ids=str)
def test_sql_metrics__on_postgres__give_the_numbers_of_duckdb(
    log: pd.DataFrame, right: dict[Clock, pd.DataFrame], clock: Clock, settings: Any
) -> None:
    columns = "user_id text, event text, time timestamp, properties text"
    with hits_table(settings, columns, "") as connection:
        with connection.cursor() as cursor:
            rows = list(log.astype(object).where(log.notna(), None).itertuples(index=False, name=None))
            cursor.executemany(f"INSERT INTO {settings.WAREHOUSE_TABLE} VALUES (%s, %s, %s, %s)", rows)
        with engine.connect() as house:
            assert house.dialect == "postgres"
            found = answers(house, clock)

    assert_same_cells(found, right[clock], "PostgreSQL")


@pytest.mark.engines
@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("clock", first_in_ci(CLOCKS[::-1]), ids=str)
def test_sql_metrics__on_spark__give_the_numbers_of_duckdb(
    log: pd.DataFrame, right: dict[Clock, pd.DataFrame], clock: Clock, spark_address: str
) -> None:
    session = engine.spark_connect(spark_address)._session
    session.createDataFrame(log).createOrReplaceTempView("sql_log")
    with override_settings(WAREHOUSE_URL=spark_address, WAREHOUSE_TABLE="sql_log"), engine.connect() as house:
        assert house.dialect == "pyspark"
        found = answers(house, clock)

    assert_same_cells(found, right[clock], "Spark")


@pytest.mark.engines
@pytest.mark.usefixtures("db")
def test_time__is_over_on_spark__the_question_is_stopped(spark_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SECONDS", 2.0)
    slow = "SELECT 'u' AS user_id, CAST(count(*) AS DOUBLE) AS value FROM range(100000000000) WHERE hash(id) = 1"
    with override_settings(WAREHOUSE_URL=spark_address, WAREHOUSE_TABLE="world"), engine.connect() as house:
        with pytest.raises(Refused, match="was stopped"):
            house.run(past_the_gate(house.events, slow))
        with pytest.raises(Refused, match="was stopped"), house.kept(past_the_gate(house.events, slow)):
            pass
        assert len(house.run(house.events.aggregate(n=house.events.count()))) == 1
