"""The feature question: counted on fingers, balanced halves, the simulated log, every engine."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from events.counting import queries as events_queries
from events.counting.unit_values import Basis
from events.metrics import parse_behaviour
from events.simulation import WORLDS, events_table, simulate
from events.windows import Clock, Window
from segments.search import queries
from segments.search.features import unit_table

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


def asked(engine: Any, rows: list[tuple[Any, ...]], window: Window) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = pd.DataFrame(rows, columns=list(SCHEMA)).astype({"time": "datetime64[us]"})
    log = engine.create_table("log", frame, schema=ibis.schema(SCHEMA), temp=True, overwrite=True)
    users = queries.eligible(events_queries.cohort(log, "signup", BASIS), window)
    activity = engine.to_pandas(queries.activity(log, users, BASIS, window))
    return activity, engine.to_pandas(queries.pattern(log, users, BASIS, window, BEHAVIOURS))


def test_feature_question__a_dozen_rows__counted_on_fingers(engine: Any) -> None:
    activity, pattern = asked(engine, ROWS, Window(0, 6))
    whole = unit_table(activity, pattern, list(map(str, BEHAVIOURS)))

    found = {row[0]: row[1:] for row in activity.itertuples(index=False)}
    assert found["a"] == (3, 4, 30, 3)
    assert found["quiet"] == (1, 1, 30, 6)  # the signup itself
    assert whole.counts[0].tolist() == [4, 1, 3]
    assert sorted(pattern[pattern.user_id == "a"].active_days) == [1, 2]


def test_feature_question__window_from_day_2__counts_only_its_days_and_keeps_quiet_units(engine: Any) -> None:
    activity, pattern = asked(engine, ROWS, Window(2, 6))

    found = {row[0]: row[1:] for row in activity.itertuples(index=False)}
    assert found["a"] == (2, 2, 30, 3)
    assert found["quiet"] == (0, 0, 30, 5)
    assert unit_table(activity, pattern, list(map(str, BEHAVIOURS))).counts.tolist() == [[2, 0, 2], [0, 0, 0]]


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


def test_feature_question__simulated_log__equals_the_generators_counts(engine: Any, simulated: Any) -> None:
    simulation, log, basis = simulated
    users = events_queries.cohort(log, "signup", basis)
    behaviours = [parse_behaviour(item.name) for item in simulation.world.behaviours]
    window = Window(0, 13)

    activity = engine.to_pandas(queries.activity(log, users, basis, window))
    pattern = engine.to_pandas(queries.pattern(log, users, basis, window, behaviours))
    table = unit_table(activity, pattern, list(map(str, behaviours)))

    inside = simulation.active_day <= 13
    counts = np.zeros_like(table.counts)
    np.add.at(counts, simulation.active_user[inside], simulation.counts[inside])
    assert np.array_equal(table.counts, counts)
    assert np.array_equal(table.active_days, np.bincount(simulation.active_user[inside], minlength=2_000))


def test_halves__simulated_log__balanced_seeded_and_fair_to_every_day(engine: Any, simulated: Any) -> None:
    _, log, basis = simulated
    users = events_queries.cohort(log, "signup", basis)

    first, again, other = (
        engine.to_pandas(queries.halves(log, users, basis, Window(0, 13), seed=seed)).sort_values(["user_id", "day"])
        for seed in (1, 1, 2)
    )

    sizes = first.groupby(["user_id", "half"]).size().unstack(fill_value=0)
    assert (sizes[0] - sizes[1]).abs().max() == 1
    assert first.half.tolist() == again.half.tolist()
    assert 0.4 < (first.half.to_numpy() == other.half.to_numpy()).mean() < 0.6
    by_day = first.groupby("day").half.agg(["mean", "size"])
    assert (abs(by_day["mean"] - 0.5) < 4 * 0.5 / np.sqrt(by_day["size"])).all()
    # Neighbouring days go to the same half about as often as a fair deal says: (n/2 - 1)/(n - 1), below one half.
    same = first.half.eq(first.groupby("user_id").half.shift()).groupby(first.user_id).mean()
    assert 0.3 < same[first.groupby("user_id").size() >= 8].mean() < 0.5


@pytest.mark.parametrize("dialect", DIALECTS)
def test_feature_question__every_promised_engine__compiles(dialect: str) -> None:
    log = ibis.table(SCHEMA, name="log")
    users = queries.eligible(events_queries.cohort(log, "signup", BASIS), Window(0, 6))

    for question in (
        queries.activity(log, users, BASIS, Window(0, 6)),
        queries.pattern(log, users, BASIS, Window(0, 6), BEHAVIOURS[:1]),
    ):
        assert "SELECT" in str(ibis.to_sql(question, dialect=dialect))
