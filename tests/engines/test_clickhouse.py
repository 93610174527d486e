"""ClickHouse gives the cells of DuckDB: every question, and what Ibis' own SQL for it counts otherwise."""

import json
from datetime import date, datetime
from typing import Any

import ibis
import pandas as pd
import pytest
from django.test import override_settings

from events.catalogue import queries as catalogue
from events.metrics import parse_metric
from events.warehouse import engine, queries
from events.warehouse.columns import property_text, utc
from events.warehouse.unit_values import Basis, amount
from events.windows import Clock
from runs.refusals import Refused
from tests.engines.conftest import World
from tests.engines.everything import JOBS, do
from tests.engines.same import assert_same, assert_same_cells
from tests.engines.test_every_question import CLOCKS, few_users
from tests.engines.test_sql_metrics import METRICS, START, made_log, on_duckdb
from tests.marks import first_in_ci

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
# How senders write values, and what some engine takes for another value.
VALUES = [
    5,
    5.0,
    1e5,
    1e22,
    0.1,
    1e-7,
    -0.0,
    2**53 + 1,
    2**64 - 1,
    None,
    "null",
    "",
    True,
    [1, "x"],
    {"b": 1},
    "한국",
    "it's",
]
NUMBERS: list[str | None] = ["7d", "30f", "1.5D", "5. d", "1e3", "-2", ".5", "+5", " 8 ", "\t8\n", "inf", "nan"]
NUMBERS += ["0x10", "", "true", None]


@pytest.mark.parametrize("clock", first_in_ci([CLOCKS[1], CLOCKS[0]]), ids=str)
def test_questions__on_clickhouse__give_the_cells_of_duckdb(
    world: World, clickhouse_address: str, clock: Clock
) -> None:
    with world.stored(str(world.folder / "store")), few_users(clock, select=False) as (house, asked):
        right = {name: house.run(question) for name, question in asked.items()}

    with (
        override_settings(WAREHOUSE_URL=clickhouse_address, WAREHOUSE_TABLE="world"),
        few_users(clock, select=False) as (house, asked),
    ):
        assert house.dialect == "clickhouse"
        assert asked.keys() == right.keys()
        for name, question in asked.items():
            assert_same_cells(house.run(question), right[name], name)


@pytest.mark.proof
@pytest.mark.parametrize("job", JOBS)
def test_jobs__on_clickhouse__give_the_same_document_and_the_same_cells(
    job: str, world: World, clickhouse_address: str
) -> None:
    with world.stored(str(world.folder / "store")):
        right = do(job, world.made)

    with override_settings(WAREHOUSE_URL=clickhouse_address, WAREHOUSE_TABLE="world"):
        found = do(job, world.made, workers=4)

    assert_same(found, right)


def test_texts_and_times__on_clickhouse__are_those_of_duckdb(clickhouse_address: str) -> None:
    texts: list[str | None] = [json.dumps({"a.b": value}, ensure_ascii=False) for value in VALUES]
    texts += [json.dumps({"n": value}) for value in NUMBERS] + ["{}", "[1]", "7", None]
    at = [START.replace(tzinfo=None, microsecond=place) for place in range(len(texts))]
    rows = pd.DataFrame({"at": at, "properties": texts, "who": ["가나다라마", "b", None] * 12 + ["c"]})
    table = ibis.memtable(rows, schema={"at": "timestamp", "properties": "string", "who": "string"})

    def asked(house: engine.Warehouse) -> ibis.Table:
        basis = Basis(Clock(), START, dialect=house.dialect)
        return table.select(
            "at",
            text=property_text(table.properties, "a.b", house.dialect),
            number=amount(table, "n", basis),
            later=table["at"] > utc(START.replace(microsecond=17)),
            two=table.who.substr(1, 2),
            long=table.who.length(),
        )

    with engine.connect() as house:
        right = house.run(asked(house))
    with override_settings(WAREHOUSE_URL=clickhouse_address, WAREHOUSE_TABLE="world"), engine.connect() as house:
        assert_same_cells(house.run(asked(house)), right, "asked")
        assert_same_cells(house.arrow(asked(house)).to_pandas(), right, "asked as Arrow")
        with house.kept(asked(house)) as kept:
            assert kept.schema() == asked(house).schema()
            assert_same_cells(house.run(kept), right, "kept")
            assert_same_cells(house.arrow(kept).to_pandas(), right, "as Arrow")
        assert not [name for name in house.backend.list_tables() if name.startswith("insight_")]
    assert right["at"].nunique() == len(texts)
    assert right.text.nunique() == len(VALUES) - 1
    assert right.number.count() == 6


def test_table__of_other_names_types_and_zone__is_mapped_to_ours_in_utc(clickhouse_address: str, settings: Any) -> None:
    backend = ibis.connect(clickhouse_address)
    backend.raw_sql(
        "CREATE TABLE hits (uid UInt64, name LowCardinality(String), at DateTime64(3, 'Asia/Seoul'), late DateTime, "
        "props String) ENGINE = MergeTree ORDER BY at AS SELECT 7, 'play', toDateTime64('2024-03-01 10:00:00.125', 3, "
        """'Asia/Seoul'), toDateTime('2024-03-01 02:00:00', 'UTC'), '{"level": 3}'"""
    )
    backend.disconnect()
    settings.WAREHOUSE_URL, settings.WAREHOUSE_TABLE = clickhouse_address, "default.hits"
    settings.WAREHOUSE_COLUMNS = "user_id=uid,event=name,time=at,received_at=late,properties=props"

    with engine.connect() as house:
        first = house.events.time.min()
        frame = house.run(house.events)
        (day,) = house.arrow(house.events.aggregate(on=first.date(), hour=first.hour())).to_pylist()
    (row,) = frame.itertuples(index=False)
    assert row[:4] == ("7", "play", datetime(2024, 3, 1, 1, 0, 0, 125_000), '{"level": 3}')  # noqa: DTZ001
    assert str(row.received_at) == "2024-03-01 02:00:00"
    assert frame.message_id.isna().all()
    assert day == {"on": date(2024, 3, 1), "hour": 1}


def test_aggregates__on_clickhouse__are_exact_and_null_of_nothing(clickhouse_address: str) -> None:
    rows = ibis.range(200_000).unnest().name("n").as_table()
    rows = rows.mutate(big=rows.n.cast("float64") % 3 + 1e9)
    none = rows.filter(rows.n < 0)
    other = none.select("n", there=none.n)
    asked = {
        "different": rows.aggregate(n=rows.n.nunique(), some=rows.n.nunique(where=rows.n > 10)),
        "spread": rows.aggregate(v=rows.big.var(how="sample"), c=rows.big.cov(rows.n % 3, how="sample")),
        "one": rows.filter(rows.n == 7).aggregate(v=rows.big.var(how="sample")),
        "nothing": none.aggregate(least=none.n.min(), total=none.n.sum(), rows=none.count()),
        "unmatched": rows.filter(rows.n < 3).left_join(other, "n").drop("n_right"),
    }
    with engine.connect() as house:
        right = {name: house.run(question) for name, question in asked.items()}

    with override_settings(WAREHOUSE_URL=clickhouse_address, WAREHOUSE_TABLE="world"), engine.connect() as house:
        for name, question in asked.items():
            assert_same_cells(house.run(question), right[name], name)
    assert right["different"].n[0] == 200_000
    assert right["spread"].v[0] == pytest.approx(2 / 3, rel=1e-4)


def test_properties__texts_that_some_engine_takes_for_numbers__are_the_same(clickhouse_address: str) -> None:
    rows: Any = {"event": ["a"] * len(NUMBERS), "user_id": "u", "property": list("abcdefghijklmnop"), "value": NUMBERS}
    members = ibis.memtable(pd.DataFrame(rows), schema=dict.fromkeys(rows, "string"))
    asked = {"properties": catalogue.properties(members, 40), "values": catalogue.values(members, 10)}
    with engine.connect() as house:
        right = {name: house.run(question) for name, question in asked.items()}

    with override_settings(WAREHOUSE_URL=clickhouse_address, WAREHOUSE_TABLE="world"), engine.connect() as house:
        for name, question in asked.items():
            assert_same_cells(house.run(question), right[name], name)


def test_metrics__of_senders_values__are_those_of_duckdb_and_a_select_is_refused(clickhouse_address: str) -> None:
    log = made_log()

    def answers(house: engine.Warehouse, events: ibis.Table, texts: list[str]) -> pd.DataFrame:
        basis = Basis(CLOCKS[1], START.replace(day=12), dialect=house.dialect)
        users = queries.cohort(events, "signup", basis)
        definitions: Any = {f"v_{place}": parse_metric(text) for place, text in enumerate(texts)}
        with house.kept(queries.outcomes(events, users, basis, definitions)) as kept:
            return house.run(kept.drop("anchor", "anchor_date"))

    plain = [text for text in METRICS.values() if "sql:" not in text]
    assert len(plain) == 3
    with on_duckdb(log) as house:
        right = answers(house, house.events, plain)

    with override_settings(WAREHOUSE_URL=clickhouse_address, WAREHOUSE_TABLE="world"), engine.connect() as house:
        events = ibis.memtable(log, schema=house.events.select(*log.columns).schema())
        assert_same_cells(answers(house, events, plain), right, "ClickHouse")
        with pytest.raises(Refused, match="not on clickhouse"):
            answers(house, events, [METRICS["revenue"]])
