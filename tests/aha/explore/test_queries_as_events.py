"""Every view counts what `events.warehouse` counts: definitions, both kinds of days, time zones, random logs."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import ibis
import pytest

from aha.explore import queries
from aha.explore.queries import columns
from events.metrics import MinEvents, Survival, parse_behaviour, parse_retention
from events.warehouse import queries as warehouse_queries
from events.windows import Clock
from tests.aha.explore.small_logs import CLOCKS, acts_of, basis_of, monday_of, people_of, random_rows, records
from tests.marks import first_is_fast

DEFINITIONS = [
    "on_day:0",
    "on_day:1",
    "on_day:7",
    "window:1-3",
    "window:14-20",
    "window:28-34",
    "week:1",
    "week:2",
    "unbounded:3",
    "unbounded:14",
    "min_days:0-6:2",
    "min_days:7-13:3",
    "min_events:play:0-6:2",
    "min_events:shop:7-13:1",
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    yield backend
    backend.disconnect()


@pytest.mark.slow
@pytest.mark.parametrize("clock", CLOCKS, ids=str)
@pytest.mark.parametrize("seed", first_is_fast([1, 2]))
def test_triangle__every_definition__counts_as_retention_does(engine: Any, clock: Clock, seed: int) -> None:
    rows = random_rows(seed)
    basis, people = basis_of(rows, clock), people_of(engine, rows, clock)
    users = warehouse_queries.cohort(engine.table("log"), "signup", basis)

    for text in DEFINITIONS:
        definition = parse_retention(text)
        expected = Counter[Any]()
        for row in records(engine, warehouse_queries.retention(engine.table("log"), users, basis, definition)):
            week = row["anchor_date"].isocalendar()[:2]
            if row["mature"]:
                expected[week, "e"] += 1
                expected[week, "r"] += int(row["retained"])

        found = Counter[Any]()
        shown = columns(definition, 40)
        chosen = next(place for place, column in enumerate(shown) if column.chosen)
        acts = None
        if isinstance(definition, MinEvents):
            acts = queries.since_signup(acts_of(engine, definition.event), people, basis)
        for row in records(engine, queries.triangle(people, definition, shown, acts)):
            week = row["week"].isocalendar()[:2]
            found[week, "e"] += row[f"e_{chosen}"]
            found[week, "r"] += row[f"r_{chosen}"]
        assert +found == +expected, text


@pytest.mark.slow
@pytest.mark.parametrize("clock", CLOCKS, ids=str)
def test_triangle__days_one_by_one__is_the_retention_curve(engine: Any, clock: Clock) -> None:
    rows = random_rows(3)
    basis, people = basis_of(rows, clock), people_of(engine, rows, clock)
    users = warehouse_queries.cohort(engine.table("log"), "signup", basis)
    curve = records(engine, warehouse_queries.retention_curve(engine.table("log"), users, basis, range(31)))
    expected = {row["day"]: (row["eligible"], row["active"]) for row in curve}

    definition = parse_retention("on_day:1")
    shown = columns(definition, 40)
    cells = records(engine, queries.triangle(people, definition, shown, None))

    found = {
        column.first: (sum(row[f"e_{k}"] for row in cells), sum(row[f"r_{k}"] for row in cells))
        for k, column in enumerate(shown)
    }
    assert len(expected) > 20
    assert {day: found[day] for day in expected} == expected


@pytest.mark.slow
@pytest.mark.parametrize("clock", CLOCKS, ids=str)
@pytest.mark.parametrize("gap", [1, 3, 7])
def test_triangle__survival__is_that_of_the_times_to_churn(engine: Any, clock: Clock, gap: int) -> None:
    rows = random_rows(4)
    basis, people = basis_of(rows, clock), people_of(engine, rows, clock)
    users = warehouse_queries.cohort(engine.table("log"), "signup", basis)
    times = records(engine, warehouse_queries.survival_times(engine.table("log"), users, basis, gap))

    definition = Survival(gap)
    shown = columns(definition, 40)
    cells = records(engine, queries.triangle(people, definition, shown, None))

    for k, column in enumerate(shown):
        ready = [row for row in times if row["complete_days"] >= column.first + gap + 1]
        lives = [row for row in ready if not (row["churned"] and row["duration"] <= column.first)]
        found = (sum(row[f"e_{k}"] for row in cells), sum(row[f"r_{k}"] for row in cells))
        assert found == (len(ready), len(lives)), column


@pytest.mark.slow
@pytest.mark.parametrize("clock", CLOCKS, ids=str)
@pytest.mark.parametrize("days", [1, 3, 7])
def test_times_within__any_days__are_the_counts_of_a_study(engine: Any, clock: Clock, days: int) -> None:
    rows = random_rows(5)
    basis, people = basis_of(rows, clock), people_of(engine, rows, clock)
    users = warehouse_queries.cohort(engine.table("log"), "signup", basis)
    retained = {
        row["user_id"]: bool(row["retained"])
        for row in records(
            engine, warehouse_queries.retention(engine.table("log"), users, basis, parse_retention("window:7-13"))
        )
        if row["mature"]
    }
    counted = Counter[str]()
    behaviours = [parse_behaviour("play")]
    for row in records(
        engine, warehouse_queries.counts(engine.table("log"), users, basis, days=days, behaviours=behaviours)
    ):
        counted[row["user_id"]] += row["n"]
    expected = Counter((counted[user], stayed) for user, stayed in retained.items())

    definition = parse_retention("window:7-13")
    chosen = next(column for column in columns(definition, 40) if column.chosen)
    people = people.mutate(stayed=queries.retained(people, definition, chosen))
    log = queries.since_signup(acts_of(engine, "play"), people, basis)
    found = records(engine, queries.times_within(people, log, days=days, needs=14))

    assert Counter({(row["n"], row["stayed"]): row["users"] for row in found}) == expected


@pytest.mark.parametrize("clock", CLOCKS, ids=str)
def test_active_dates__each_date__are_the_different_users_of_the_log(engine: Any, clock: Clock) -> None:
    rows = random_rows(6)
    basis, people = basis_of(rows, clock), people_of(engine, rows, clock)
    first: dict[Any, Any] = {}
    for user, event, time in sorted(rows, key=lambda row: row[2]):
        if event == "signup":
            first.setdefault(user, time)
    seen: dict[Any, set[str]] = {}
    for user, event, time in rows:
        if event != "Experiment Viewed" and first[user] <= time < basis.data_end:
            seen.setdefault(clock.local_date(time), set()).add(user)

    places = [(date, 1) for date in sorted(seen)]
    (row,) = records(engine, queries.active_dates(people, monday_of(rows, clock), places))

    assert [row[f"a_{k}"] for k in range(len(places))] == [len(seen[date]) for date, _ in places]
