"""The questions of a study: counted on fingers, two ways that must agree, compiled for every engine."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aha.study import queries
from aha.study.cells import Cells
from aha.study.grid import CountTable, build_table, cells_of_histogram, count_cells, levels
from events.metrics import parse_behaviour, parse_retention
from events.warehouse import queries as warehouse_queries
from events.warehouse.unit_values import Basis
from events.windows import Clock
from tests.aha.make import UNIT_COLUMNS

SCHEMA = {"user_id": "string", "event": "string", "time": "timestamp", "properties": "string"}
START, END = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
BASIS = Basis(Clock(), END)
RETENTION = parse_retention("window:3-5")
LISTED = ("play", "play[mode=ranked]", "play#mode", "chat")
DAYS, TIMES = (1, 2, 3), (1, 2, 3)
Rows = list[tuple[str, str, datetime, str]]


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    yield backend
    backend.disconnect()


def at(hours: float) -> datetime:
    return (START + timedelta(hours=hours)).replace(tzinfo=None)


def log_of(rows: Rows) -> Any:
    return ibis.memtable([dict(zip(SCHEMA, row, strict=True)) for row in rows], schema=SCHEMA)


def ask(engine: Any, rows: Rows) -> tuple[CountTable, Cells, Cells]:
    """The table of all units, and the cells of both ways."""
    log, listed = log_of(rows), [parse_behaviour(text) for text in LISTED]
    answer = engine.to_pyarrow(queries.units(log, warehouse_queries.cohort(log, "signup", BASIS), BASIS, RETENTION))
    answer = answer.filter(answer["mature"]).sort_by("user_id")
    answer = answer.append_column("unit", pa.array(np.arange(answer.num_rows, dtype=np.int32)))
    users, frame = ibis.memtable(answer.select(list(UNIT_COLUMNS))), answer.to_pandas()
    counts = engine.to_pandas(queries.unit_counts(log, users, BASIS, days=DAYS, behaviours=listed))
    table = build_table(
        behaviours=LISTED,
        days=DAYS,
        unit_ids=frame.user_id,
        retained=frame.retained,
        week=np.zeros(len(frame)),
        active_days=np.ones((len(frame), len(DAYS))),
        rows=(counts.unit, counts.behaviour, counts[[f"n_{y}" for y in DAYS]].to_numpy()),
    )
    bars = engine.to_pandas(queries.histogram(log, users, BASIS, days=DAYS, cap=3, behaviours=listed))
    exact = cells_of_histogram(
        bars.to_dict("list"),
        behaviours=LISTED,
        days=DAYS,
        times=[TIMES] * len(LISTED),
        units=table.n,
        retained=int(table.retained.sum()),
    )
    return table, count_cells(levels(table, [TIMES] * len(LISTED)), table.retained), exact


RANKED, CASUAL = '{"mode":"ranked"}', '{"mode":"casual"}'


def test_counts__dozen_rows__are_those_of_the_fingers(engine: Any) -> None:
    rows: Rows = [
        ("a", "play", at(-1), RANKED),  # before signup: no behaviour
        ("a", "signup", at(0), "{}"),
        ("a", "play", at(1), RANKED),
        ("a", "play", at(23), RANKED),
        ("a", "play", at(25), CASUAL),
        ("a", "play", at(72), CASUAL),  # day 3: outside the landmark, inside the retention window
        ("b", "signup", at(5), "{}"),
        ("b", "chat", at(6), "{}"),
        ("c", "signup", at(24 * 30), "{}"),  # too young
    ]

    table, _, exact = ask(engine, rows)

    assert table.unit_ids.tolist() == ["a", "b"]
    assert table.retained.tolist() == [True, False]
    assert table.counts.dtype == np.int32
    assert table.counts[0].tolist() == [[2, 3, 3], [2, 2, 2], [1, 2, 2], [0, 0, 0]]
    assert table.counts[1].tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 0], [1, 1, 1]]
    place = exact.find(LISTED.index("play"), 1, 2)
    assert exact.counts[:, place].tolist() == [0, 1, 0, 1]


event = st.tuples(
    st.sampled_from(["a", "b", "c", "d", "e"]),
    st.sampled_from(["play", "chat", "other"]),
    st.floats(0, 24 * 7),
    st.sampled_from([RANKED, CASUAL, "{}"]),
)


@pytest.mark.slow
@given(st.lists(event, max_size=60))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_histogram_and_matrix__any_log__give_the_same_cells_and_every_event_once(engine: Any, drawn: Any) -> None:
    rows = [(user, "signup", at(0), "{}") for user in "abcde"]
    rows += [(user, name, at(hours + 0.001), text) for user, name, hours, text in drawn]

    table, matrix, exact = ask(engine, rows)

    for name in "abco":
        assert getattr(matrix, name) == getattr(exact, name), name
    inside = [row for row in rows if row[1] in ("play", "chat") and row[2] < at(72)]
    plain = [LISTED.index("play"), LISTED.index("chat")]
    assert table.counts[:, plain, -1].sum() == len(inside)


def test_histogram__of_parts_by_user__adds_up_to_that_of_all(engine: Any) -> None:
    """What docs/scale.md rests its plan for many machines on: no part needs to know of another."""
    drawn, kinds = np.random.default_rng(4), ("play", "chat", "other")
    rows = [(f"u{user}", "signup", at(user), "{}") for user in range(60)]
    rows += [
        (f"u{user}", kinds[kind], at(user + 72 * share), (RANKED, CASUAL)[kind % 2])
        for user, kind, share in zip(
            drawn.integers(0, 60, 900), drawn.integers(0, 3, 900), drawn.uniform(0.01, 2, 900), strict=True
        )
    ]

    *_, whole = ask(engine, rows)
    parts = [ask(engine, [row for row in rows if int(row[0][1:]) % 4 == part])[2] for part in range(4)]

    for name in "abco":
        assert np.sum([getattr(part, name) for part in parts], axis=0).tolist() == list(getattr(whole, name)), name
    assert min(whole.a) < max(whole.a)


def test_first_sessions__pause_of_half_an_hour__ends_the_session(engine: Any) -> None:
    rows: Rows = [
        ("a", "signup", at(0), "{}"),
        ("a", "other", at(0.4), "{}"),
        ("a", "play", at(0.8), "{}"),  # 24 minutes after the last event
        ("b", "signup", at(0), "{}"),
        ("b", "play", at(0.5), "{}"),  # exactly 30 minutes: a new session
        ("c", "signup", at(0), "{}"),
        ("c", "play", at(0.49), "{}"),
        ("c", "play", at(30), "{}"),  # only the first time matters
        ("d", "signup", at(0), "{}"),
        ("d", "play", at(80), "{}"),  # beyond three days: not doing it
    ]
    log = log_of(rows)
    users = queries.units(log, warehouse_queries.cohort(log, "signup", BASIS), BASIS, RETENTION)

    frame = engine.to_pandas(queries.first_sessions(log, users, BASIS, [parse_behaviour("play")], days=3))

    assert frame.to_dict("records") == [{"behaviour": "play", "doers": 3, "in_first_session": 2}]


def test_first_times_and_active_days__small_log__are_those_of_the_fingers(engine: Any) -> None:
    rows: Rows = [
        ("a", "signup", at(0), "{}"),
        ("a", "play", at(1), CASUAL),
        ("a", "play", at(30), RANKED),
        ("a", "chat", at(31), "{}"),
        ("b", "signup", at(0), "{}"),
    ]
    log = log_of(rows)
    users = queries.units(log, warehouse_queries.cohort(log, "signup", BASIS), BASIS, RETENTION)

    listed = [parse_behaviour(text) for text in ("play[mode=ranked]", "chat", "never")]
    firsts = engine.to_pandas(queries.first_times(log, BASIS, listed)).set_index("behaviour").first_time.to_dict()
    active = engine.to_pandas(queries.active_days(log, users, BASIS, days=[1, 3])).set_index("user_id")

    assert firsts == {"play[mode=ranked]": at(30), "chat": at(31)}
    assert active.active_3.to_dict() == {"a": 2, "b": 1}
    assert active.active_1.to_dict() == {"a": 1, "b": 1}


def test_daily_counts_and_days_active__small_log__are_those_of_the_fingers(engine: Any) -> None:
    rows: Rows = [
        ("a", "signup", at(0), "{}"),
        ("a", "play", at(1), CASUAL),
        ("a", "play", at(2), RANKED),
        ("a", "play", at(30), RANKED),
        ("a", "chat", at(71), "{}"),
        ("a", "chat", at(72), "{}"),  # day 3: beyond the landmark
        ("b", "signup", at(5), "{}"),
        ("b", "other", at(30), "{}"),
        ("c", "signup", at(5), "{}"),  # not of the sample
        ("c", "play", at(6), "{}"),
    ]
    log = log_of(rows)
    answer = engine.to_pyarrow(
        queries.units(log, warehouse_queries.cohort(log, "signup", BASIS), BASIS, RETENTION)
    ).sort_by("user_id")
    some = answer.slice(0, 2).append_column("unit", pa.array(np.arange(2, dtype=np.int32)))
    users, listed = ibis.memtable(some.select(list(UNIT_COLUMNS))), [parse_behaviour(text) for text in ("play", "chat")]

    counts = engine.to_pandas(queries.daily_counts(log, users, BASIS, days=3, behaviours=listed))
    active = engine.to_pandas(queries.days_active(log, users, BASIS, days=3))

    found = sorted(counts[["unit", "behaviour", "day", "n"]].itertuples(index=False, name=None))
    assert found == [(0, "chat", 2, 1), (0, "play", 0, 2), (0, "play", 1, 1)]
    assert sorted(active[["unit", "day"]].itertuples(index=False, name=None)) == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
    ]


@pytest.mark.parametrize("dialect", ["pyspark", "clickhouse", "bigquery", "snowflake", "trino", "postgres", "duckdb"])
def test_questions__every_engine__compile(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ibis fills this option only where PySpark is installed, but its compiler asks for it.
    spark = SimpleNamespace(pyspark=SimpleNamespace(treat_nan_as_null=False))
    monkeypatch.setattr("ibis.backends.sql.compilers.pyspark.options", spark)
    log, basis = ibis.table(SCHEMA, name="events"), Basis(Clock(), END, dialect=dialect)
    users = ibis.table(
        {"user_id": "string", "anchor": "timestamp", "anchor_date": "date", "unit": "int32", "retained": "float64"},
        name="chosen",
    )
    listed = [parse_behaviour(text) for text in LISTED]
    questions = [
        queries.units(log, warehouse_queries.cohort(log, "signup", basis), basis, RETENTION),
        queries.unit_counts(log, users, basis, days=DAYS, behaviours=listed),
        queries.histogram(log, users, basis, days=DAYS, cap=20),
        queries.histogram(log, users, basis, days=DAYS, cap=20, behaviours=listed),
        queries.active_days(log, users, basis, days=[1, 7]),
        queries.daily_counts(log, users, basis, days=7, behaviours=listed),
        queries.days_active(log, users, basis, days=7),
        queries.first_times(log, basis, listed),
        queries.first_sessions(log, users, basis, listed, days=7),
    ]

    for question in questions:
        assert "SELECT" in str(ibis.to_sql(question, dialect=dialect))
