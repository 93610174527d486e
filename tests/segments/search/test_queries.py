"""The feature question: counted on fingers, balanced halves, the simulated log, every engine."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from events.metrics import Behaviour, parse_behaviour
from events.simulation import WORLDS, events_table, simulate
from events.warehouse import queries as warehouse_queries
from events.warehouse.unit_values import Basis
from events.windows import Clock, Window
from segments.search import queries
from segments.search.features import UnitTable
from segments.search.gather import Counts, Numbers, half_tables, whole_table

type Tables = tuple[UnitTable, UnitTable, UnitTable]

DIALECTS = ["pyspark", "clickhouse", "bigquery", "snowflake", "trino", "postgres", "duckdb"]
SCHEMA = {"user_id": "string", "event": "string", "time": "timestamp", "properties": "string"}
BASIS = Basis(Clock(), datetime(2024, 4, 1, tzinfo=UTC))
START = datetime(2024, 3, 1, 10, tzinfo=UTC).replace(tzinfo=None)
BEHAVIOURS = [parse_behaviour("play"), parse_behaviour("play[mode=ranked]"), parse_behaviour("play#map")]


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    yield backend
    backend.disconnect()


def at(day: int, minutes: int, properties: str = "{}", event: str = "play", user: str = "a") -> tuple[Any, ...]:
    return user, event, START + timedelta(days=day, minutes=minutes), properties


ROWS = [
    at(0, 0, event="signup"),
    at(0, 30, '{"mode": "ranked", "map": "x"}'),  # 30 minutes after: the same session
    at(0, 61, '{"mode": "casual", "map": "y"}'),  # 31 minutes after: a new one
    at(2, 0, '{"map": "x"}'),
    at(3, 0, '{"map": "z"}'),
    at(7, 0, '{"map": "w"}'),  # outside days 0 to 6
    at(0, 0, event="signup", user="quiet"),
]


def tables(engine: Any, log: Any, window: Window, behaviours: list[Behaviour], *, basis: Basis = BASIS) -> Tables:
    """Both questions as `segments.search.gather` asks them: units on all days, and the halves of their days."""
    users = queries.numbered(queries.eligible(warehouse_queries.cohort(log, "signup", basis), window))
    dealt = queries.halves(queries.days(log, users, basis, window), users)
    numbers = Numbers.of(engine.to_pyarrow(users))
    activity = engine.to_pyarrow(queries.activity(dealt))
    rows = engine.to_pyarrow(queries.pattern(log, users, basis, window, behaviours, halves=dealt))
    plain = engine.to_pyarrow(queries.pattern(log, users, basis, window, behaviours))
    counts = Counts.of(rows.to_batches(), numbers, len(behaviours))
    assert (Counts.of(plain.to_batches(), numbers, len(behaviours)).whole == counts.whole).all()
    whole = whole_table(numbers, activity, counts.whole, list(map(str, behaviours)), window)
    return whole, *half_tables(whole, numbers.spread(activity, "second"), counts.second)


def asked(engine: Any, rows: list[tuple[Any, ...]], window: Window, *, basis: Basis = BASIS) -> Tables:
    frame = pd.DataFrame(rows, columns=list(SCHEMA)).astype({"time": "datetime64[us]"})
    log = engine.create_table("log", frame, schema=ibis.schema(SCHEMA), temp=True, overwrite=True)
    return tables(engine, log, window, BEHAVIOURS, basis=basis)


def active(table: UnitTable) -> dict[str, tuple[float, ...]]:
    columns = (table.active_days, table.sessions, table.tenure, table.recency)
    return dict(zip(table.unit_ids, zip(*(column.tolist() for column in columns), strict=True), strict=True))


def test_feature_question__a_dozen_rows__counted_on_fingers(engine: Any) -> None:
    whole, first, second = asked(engine, ROWS, Window(0, 6))

    assert active(whole) == {"a": (3, 4, 30, 3), "quiet": (1, 1, 30, 6)}  # quiet: the signup itself
    assert whole.counts.tolist() == [[4, 1, 3], [0, 0, 0]]
    assert sorted([first.active_days[0], second.active_days[0]]) == [1, 2]
    assert (first.counts + second.counts).tolist() == whole.counts.tolist()


def test_halves__a_dozen_rows__counts_lie_in_the_half_of_their_day(engine: Any) -> None:
    _, first, second = asked(engine, ROWS, Window(0, 6))
    log, played = engine.table("log"), {0: 2, 2: 1, 3: 1}
    users = queries.numbered(queries.eligible(warehouse_queries.cohort(log, "signup", BASIS), Window(0, 6)))

    dealt = engine.to_pandas(queries.halves(queries.days(log, users, BASIS, Window(0, 6)), users))

    days = [dealt[(dealt.unit == 0) & (dealt.half == half)].day.tolist() for half in (0, 1)]
    assert [first.active_days[0], second.active_days[0]] == [len(found) for found in days]
    assert [table.counts[0, 0] for table in (first, second)] == [sum(played[day] for day in found) for found in days]


def test_feature_question__window_from_day_2__counts_only_its_days_and_keeps_quiet_units(engine: Any) -> None:
    whole, _, _ = asked(engine, ROWS, Window(2, 6))

    assert active(whole) == {"a": (2, 2, 30, 3), "quiet": (0, 0, 30, 5)}
    assert whole.counts.tolist() == [[2, 0, 2], [0, 0, 0]]


def test_feature_question__activity_by_named_events__leaves_out_what_lies_on_other_days(engine: Any) -> None:
    named = replace(BASIS, activity=("signup",))

    whole, _, _ = asked(engine, ROWS, Window(0, 6), basis=named)

    assert active(whole)["a"] == (1, 1, 30, 6)
    assert whole.counts[0].tolist() == [2, 1, 2]


def test_eligible__window_or_outcome_incomplete__unit_is_left_out(engine: Any) -> None:
    users = ibis.memtable({"user_id": ["a", "b", "c"], "complete_days": [28, 27, 6]})

    both = engine.to_pandas(queries.eligible(users, Window(0, 6), Window(21, 27)))
    window = engine.to_pandas(queries.eligible(users, Window(0, 6)))

    assert both.user_id.tolist() == ["a"]
    assert sorted(window.user_id) == ["a", "b"]


@pytest.fixture(scope="module")
def simulated(engine: Any) -> tuple[Any, Any, Any]:
    simulation = simulate(WORLDS["planted_groups"], seed=1, units=2_000)
    table = events_table(simulation).select(list(SCHEMA))
    log = engine.create_table("world", table, temp=True, overwrite=True)
    log = log.mutate(time=log.time.cast("timestamp"))
    basis = Basis(Clock(), datetime(2030, 1, 1, tzinfo=UTC))
    return simulation, log, basis


@pytest.mark.slow
def test_feature_question__simulated_log__equals_the_generators_counts(engine: Any, simulated: Any) -> None:
    simulation, log, basis = simulated
    behaviours = [parse_behaviour(item.name) for item in simulation.world.behaviours]
    window = Window(0, 13)

    table, _, _ = tables(engine, log, window, behaviours, basis=basis)

    inside = simulation.active_day <= 13
    counts = np.zeros_like(table.counts)
    np.add.at(counts, simulation.active_user[inside], simulation.counts[inside])
    assert np.array_equal(table.counts, counts)
    assert np.array_equal(table.active_days, np.bincount(simulation.active_user[inside], minlength=2_000))


@pytest.mark.slow
def test_halves__simulated_log__balanced_seeded_and_fair_to_every_day(engine: Any, simulated: Any) -> None:
    _, log, basis = simulated
    users = queries.numbered(warehouse_queries.cohort(log, "signup", basis))
    days = queries.days(log, users, basis, Window(0, 13))

    first, again, other = (
        engine.to_pandas(queries.halves(days, users, seed=seed)).sort_values(["unit", "day"]) for seed in (1, 1, 2)
    )

    sizes = first.groupby(["unit", "half"]).size().unstack(fill_value=0)
    assert (sizes[0] - sizes[1]).abs().max() == 1
    assert first.half.tolist() == again.half.tolist()
    assert 0.4 < (first.half.to_numpy() == other.half.to_numpy()).mean() < 0.6
    by_day = first.groupby("day").half.agg(["mean", "size"])
    assert (abs(by_day["mean"] - 0.5) < 4 * 0.5 / np.sqrt(by_day["size"])).all()
    # Neighbouring days go to the same half about as often as a fair deal says: (n/2 - 1)/(n - 1), below one half.
    same = first.half.eq(first.groupby("unit").half.shift()).groupby(first.unit).mean()
    assert 0.3 < same[first.groupby("unit").size() >= 8].mean() < 0.5


@pytest.mark.parametrize("dialect", DIALECTS)
def test_feature_question__every_promised_engine__compiles(dialect: str) -> None:
    log = ibis.table(SCHEMA, name="log")
    users = queries.numbered(queries.eligible(warehouse_queries.cohort(log, "signup", BASIS), Window(0, 6)))
    days = queries.halves(queries.days(log, users, BASIS, Window(0, 6)), users)

    for question in (
        queries.activity(days),
        queries.pattern(log, users, BASIS, Window(0, 6), BEHAVIOURS[:1]),
        queries.pattern(log, users, BASIS, Window(0, 6), BEHAVIOURS[:1], halves=days),
    ):
        assert "SELECT" in str(ibis.to_sql(question, dialect=dialect))
