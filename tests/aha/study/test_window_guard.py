"""The window guard, and every flag on both sides of its border."""

from datetime import datetime, timedelta

import ibis
import numpy as np
import pyarrow as pa
import pytest

from aha.study import queries
from aha.study.cells import risk_difference
from aha.study.grid import CountTable, build_table, count_cells, levels
from aha.study.window_guard import Flag, Flagged, flag_behaviours, may_be_candidates, not_yet_available, valid_windows
from events.metrics import parse_behaviour, parse_retention
from events.simulation import WORLDS, events_table, simulate
from events.warehouse import queries as warehouse_queries
from events.warehouse.unit_values import Basis
from events.windows import Clock
from runs.refusals import Refused
from stats.results import NotComputable, Reason
from tests.aha.make import UNIT_COLUMNS, table_of, table_of_world

WINDOW = parse_retention("window:7-13")


def table_with(columns: dict[str, list[int]], active_days: list[int]) -> CountTable:
    n = len(active_days)
    names = list(columns)
    return build_table(
        behaviours=names,
        days=[7],
        unit_ids=[f"u{number}" for number in range(n)],
        retained=[0] * n,
        week=[0] * n,
        active_days=active_days,
        rows=(
            np.tile(np.arange(n), len(names)),
            np.repeat(np.array(names, dtype=object), n),
            np.concatenate([np.array(columns[name]) for name in names])[:, None],
        ),
    )


def flags(table: CountTable, definition: str = "window:7-13", **options: object) -> set[tuple[str, Flag]]:
    found = flag_behaviours(
        table,
        [parse_behaviour(name) for name in table.behaviours],
        parse_retention(definition),
        first_sessions=options.pop("first_sessions", {}),  # type: ignore[arg-type]
        **options,  # type: ignore[arg-type]
    )
    return {(mark.behaviour, mark.flag) for mark in found}


@pytest.mark.parametrize(("gap", "valid"), [(0, (1, 6, 7)), (1, (1, 6)), (2, (1,))])
def test_windows__on_both_sides_of_the_border__are_told_apart(gap: int, valid: tuple[int, ...]) -> None:
    windows = valid_windows([8, 7, 6, 1], WINDOW, gap=gap)

    assert windows.valid == valid
    assert windows.landmark == max(valid)
    assert dict(windows.invalid)[8] == NotComputable(Reason.WINDOWS_OVERLAP, {"days": 8, "gap": gap, "first": 7})
    assert len(windows.valid) + len(windows.invalid) == 4


@pytest.mark.parametrize(
    ("days", "definition", "word"),
    [
        ([8, 14], "window:7-13", "within at most 7 days"),
        ([1], "on_day:0", "within at most 0 days"),
        ([1], "survival:7", "survival"),
        ([1], "unbounded:7", "grows as the data age"),
        ([], "window:7-13", "whole numbers"),
        ([0], "window:7-13", "whole numbers"),
    ],
)
def test_windows__none_is_valid__is_refused_with_a_sentence(days: list[int], definition: str, word: str) -> None:
    with pytest.raises(Refused, match=word):
        valid_windows(days, parse_retention(definition))


def test_windows__immortal_time__is_what_the_guard_keeps_out() -> None:
    # Half of 4,000 units leave on day 3. While there, everyone does an inert thing with probability .3 a day.
    rng = np.random.default_rng(5)
    stays = rng.random(4000) < 0.5
    done = rng.random((4000, 7)) < 0.3
    done[~stays, 3:] = False
    table = table_of(np.stack([done[:, :3].sum(1), done.sum(1)], axis=1).tolist(), stays.tolist(), days=(3, 7))
    cells = count_cells(levels(table, [(2,)]), table.retained)

    within_3, within_7 = risk_difference(*cells.counts)

    assert abs(within_3) < 0.05
    assert within_7 > 0.3
    assert valid_windows([3, 7], parse_retention("window:3-6")).valid == (3,)


def test_flags__reach_at_95_percent__is_forced() -> None:
    active = [1, 2] * 50
    at, below = [1] * 95 + [0] * 5, [1] * 94 + [0] * 6

    assert (("x", Flag.FORCED) in flags(table_with({"x": at}, active))) is True
    assert (("x", Flag.FORCED) in flags(table_with({"x": below}, active))) is False


def test_flags__95_percent_first_in_the_first_session__is_forced() -> None:
    table = table_with({"x": [1, 0] * 50}, [1, 2] * 50)

    assert ("x", Flag.FORCED) in flags(table, first_sessions={"x": (100, 95)})
    assert ("x", Flag.FORCED) not in flags(table, first_sessions={"x": (100, 94)})


def test_flags__rules_of_names__are_applied() -> None:
    table = table_with(
        {"x": [1, 0, 2, 5, 0, 1], "x#p": [0, 1, 0, 0, 2, 0], "y": [0, 0, 1, 0, 0, 0]}, [1, 3, 2, 1, 2, 3]
    )

    found = flags(table, "min_events:x:7-13:2", inert=["y"], unavailable={"x#p": None})

    assert found == {("x", Flag.GOAL_LIKE), ("x#p", Flag.GOAL_LIKE), ("x#p", Flag.NOT_AVAILABLE), ("y", Flag.INERT)}
    assert may_be_candidates(table, [Flagged("x", Flag.GOAL_LIKE), Flagged("y", Flag.DUPLICATE)]) == ("x#p", "y")


def test_flags__correlations__mark_activity_and_duplicates() -> None:
    rng = np.random.default_rng(2)
    active = rng.integers(1, 8, 300)
    x = rng.poisson(2, 300)
    table = table_with(
        {"x": x.tolist(), "twin": (2 * x).tolist(), "login": active.tolist(), "all": [1] * 300}, active.tolist()
    )

    found = flags(table)

    assert found == {
        ("twin", Flag.DUPLICATE),
        ("login", Flag.ACTIVITY_LIKE),
        ("login", Flag.FORCED),
        ("all", Flag.FORCED),
    }


def test_availability__late_by_chance_and_late_by_release__are_told_apart() -> None:
    start = np.datetime64("2026-01-01T00:00:00", "us")
    anchors = start + np.arange(100) * np.timedelta64(1, "D")
    done = [0] * 50 + [1, 0] * 25
    table = table_with({"new": done, "rare": [0] * 99 + [1], "never": [0] * 100}, [1] * 100)
    moment = datetime(2026, 2, 20)  # noqa: DTZ001 - naive UTC, as the warehouse answers

    late = not_yet_available(table, anchors, {"new": moment, "rare": moment + timedelta(days=48), "never": None})

    # 44 units had all their days behind them, and not one of the 25 doers is among them; one rare doer proves nothing.
    assert late == {"new": moment, "never": None}
    # 22 units before are proof (0.07 % of chance), 21 are none (0.103 %); one whose last day ends at the moment counts.
    for days, is_late in ((28, True), (27, False)):
        at = datetime(2026, 1, 1) + timedelta(days=days)  # noqa: DTZ001
        assert ("new" in not_yet_available(table, anchors, {"new": at, "rare": at, "never": at})) is is_late
    early = datetime(2026, 1, 14)  # noqa: DTZ001 - only 7 units before: no proof
    assert "new" not in not_yet_available(table, anchors, {"new": early, "rare": early, "never": early})


@pytest.mark.slow
def test_forced_world__tutorial_and_daily_bonus__are_flagged_and_friend_add_is_not() -> None:
    simulation = simulate(WORLDS["forced"], 2_000, 3)
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    log = ibis.memtable(events_table(simulation))
    log = log.mutate(time=log.time.cast("timestamp"))
    definition = parse_retention("window:21-27")
    basis = Basis(Clock(), datetime(2027, 1, 1))  # noqa: DTZ001 - naive UTC
    names = ["friend_add", "chat", "tutorial", "daily_bonus"]
    listed = [parse_behaviour(name) for name in names]
    answer = backend.to_pyarrow(queries.units(log, warehouse_queries.cohort(log, "signup", basis), basis, definition))
    answer = answer.append_column("unit", pa.array(np.arange(answer.num_rows, dtype=np.int32)))
    users, frame = ibis.memtable(answer.select(list(UNIT_COLUMNS))), answer.to_pandas()
    counts = backend.to_pandas(queries.unit_counts(log, users, basis, days=[7], behaviours=listed))
    firsts = backend.to_pandas(queries.first_sessions(log, users, basis, listed, days=7))
    active = backend.to_pandas(queries.active_days(log, users, basis, days=[7])).set_index("user_id").active_7
    table = build_table(
        behaviours=names,
        days=[7],
        unit_ids=frame.user_id,
        retained=frame.retained,
        week=np.zeros(len(frame)),
        active_days=active.reindex(frame.user_id).fillna(0),
        rows=(counts.unit, counts.behaviour, counts[["n_7"]].to_numpy()),
    )
    backend.disconnect()

    sessions = {row.behaviour: (row.doers, row.in_first_session) for row in firsts.itertuples()}
    found = flag_behaviours(table, listed, definition, first_sessions=sessions)

    marked = {mark.behaviour for mark in found if mark.flag is Flag.FORCED}
    assert marked == {"tutorial", "daily_bonus"}
    assert may_be_candidates(table, found) == ("friend_add", "chat")
    straight = table_of_world(simulation, [7]).only(["friend_add", "chat"])
    order = np.argsort(table.unit_ids)
    assert (table.counts[order][:, :2] == straight.counts).all()
    assert (table.active_days[order] == straight.active_days).all()
    assert (table.retained[order] == straight.retained).all()
