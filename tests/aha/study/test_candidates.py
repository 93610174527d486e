"""Which cell is taken, which behaviours qualify and in which order, and how they are marked."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aha.evidence.sensitivity import EmpiricalNull
from aha.study.candidates import Evidence, follow, ladder_of, qualifying, take_cell
from aha.study.choice import Choice, Choosing, Pick
from aha.study.grid import CountTable, build_table, count_cells, levels
from aha.study.hold_out import split
from aha.study.ranking import Attributes
from aha.study.report_columns import grid_columns
from aha.study.result import Controls, Judged
from aha.study.step import Step, StepVerdict
from aha.study.window_guard import Flag, Flagged
from stats.results import NotComputable, Reason

NOTHING = NotComputable(Reason.NO_DATA)
NAMES = ("a", "b", "c")


def choice(behaviour: str, times: int = 1) -> Choice:
    pick = Pick(1, times, 0.5)
    picks = (pick, Pick(1, 3, 0.3))
    zero = dict.fromkeys(("ppv", "recall", "difference", "phi", "j"), 0.0)
    return Choice(behaviour, Choosing(), pick, pick, (pick,), picks, picks, 0.01, (pick,), zero)


def step(behaviour: str, verdict: StepVerdict, times: int = 3) -> Step:
    return Step(behaviour, verdict, 1, times, 9.0, 0.01, 0.01, 0.5, (times,), None, NOTHING, None)


def judged(behaviour: str, **more: Any) -> Judged:
    values: dict[str, Any] = {
        "flags": (),
        "choice": choice(behaviour),
        "step": step(behaviour, StepVerdict.CANNOT_TELL),
        "dose": None,
        "chosen": Pick(1, 1, 0.5),
        "by_step": False,
    }
    return Judged(behaviour, **{**values, **more})


def table(n: int = 1_000) -> CountTable:
    rng = np.random.default_rng(1)
    counts = rng.poisson(1.0, size=(n, 3))
    retained = rng.random(n) < 0.2 + 0.3 * (counts[:, 0] >= 1)
    unit, place = np.divmod(np.arange(3 * n), 3)
    return build_table(
        behaviours=NAMES,
        days=[1],
        unit_ids=[f"u{k}" for k in range(n)],
        retained=retained,
        week=np.arange(n) % 5,
        active_days=rng.integers(1, 3, n),
        rows=(unit, np.asarray(NAMES, dtype=object)[place], counts.reshape(-1, 1)),
    )


def evidence(flags: tuple[Flagged, ...] = (), **columns: Any) -> Evidence:
    """p and z of the cells "at least once" of a, b, c; the others have none."""
    data = table()
    times = [(1, 2, 3)] * 3
    exact = count_cells(levels(data, times), data.retained)
    grid = grid_columns(exact, NOTHING, NOTHING, rng=np.random.default_rng(0))
    places = [exact.find(number, 1, 1) for number in range(len(NAMES))]
    for name, values in columns.items():
        column: list[float | None] = [None] * grid.size
        for place, value in zip(places, values, strict=True):
            column[place] = value
        changed: Any = {name: tuple(column)}
        grid = replace(grid, **changed)
    nobody = Attributes((), np.zeros((data.n, 0)))
    return Evidence(data, nobody, split(data), grid, flags, 1, 1_000, outcome="window:21-27")


@pytest.mark.parametrize(("reach", "by_step"), [(0.04, False), (0.05, True), (0.80, True), (0.81, False)])
def test_take__step_at_either_side_of_the_recommended_reach(reach: float, by_step: bool) -> None:
    n, did = 1_000, round(reach * 1_000)
    data = build_table(
        behaviours=["a"],
        days=[1],
        unit_ids=[str(k) for k in range(n)],
        retained=np.zeros(n),
        week=np.zeros(n),
        active_days=np.ones(n),
        rows=(np.arange(n), np.asarray(["a"] * n, dtype=object), np.where(np.arange(n) < did, 3, 1)[:, None]),
    )
    exact = count_cells(levels(data, [(1, 2, 3)]), data.retained)

    pick, found = take_cell(choice("a"), step("a", StepVerdict.JUMP), exact, 0)

    assert found is by_step
    assert pick == (Pick(1, 3, 0.3) if by_step else choice("a").recommended)


@pytest.mark.parametrize("verdict", [StepVerdict.SMOOTH, StepVerdict.CANNOT_TELL])
def test_take__no_jump__the_rule_decides(verdict: StepVerdict) -> None:
    assert take_cell(choice("a"), step("a", verdict), evidence().grid, 0) == (Pick(1, 1, 0.5), False)
    assert take_cell(choice("a"), None, evidence().grid, 0) == (Pick(1, 1, 0.5), False)
    assert take_cell(NOTHING, step("a", StepVerdict.JUMP), evidence().grid, 0) == (NOTHING, False)


@pytest.mark.parametrize(
    ("p", "z", "expected"), [(0.05, 2.0, ["a"]), (0.0501, 2.0, []), (0.05, -2.0, []), (0.05, 0.0, []), (None, None, [])]
)
def test_qualify__both_sides_of_luck_and_sign(p: float | None, z: float | None, expected: list[str]) -> None:
    found = qualifying([judged("a")], evidence(p_luck=[p, None, None], z_luck=[z, None, None]))

    assert [row.behaviour for row in found] == expected


def test_qualify__controls_and_rows_without_a_cell__never() -> None:
    given = evidence(p_luck=[0.01] * 3, z_luck=[5.0] * 3)

    assert qualifying([judged("a", step=None), judged("b", chosen=NOTHING)], given) == []


def test_qualify__order__jump_then_beats_activity_then_its_statistic() -> None:
    given = evidence(p_luck=[0.01] * 3, z_luck=[9.0] * 3, p_active=[0.01, 0.06, 0.01], z_active=[3.0, 8.0, 4.0])

    plain = qualifying([judged(name) for name in NAMES], given)
    jump = qualifying([judged("a"), judged("b", by_step=True), judged("c")], given)

    assert [row.behaviour for row in plain] == ["c", "a", "b"]
    assert [row.behaviour for row in jump] == ["b", "c", "a"]


@pytest.mark.slow
@pytest.mark.parametrize(("p", "marked"), [(0.05, False), (0.06, True), (None, True)])
def test_follow__not_better_than_equally_active__is_marked(p: float | None, marked: bool) -> None:
    given = evidence(p_luck=[0.01] * 3, z_luck=[9.0] * 3, p_active=[p] * 3, z_active=[3.0] * 3)

    found = follow(judged("a"), given, Controls((), NOTHING))

    assert ("activity_only" in found.flags) is marked


@pytest.mark.slow
def test_follow__controls_as_far_off__are_said_so() -> None:
    given = evidence(p_luck=[0.01] * 3, z_luck=[9.0] * 3, p_active=[0.01] * 3, z_active=[3.0] * 3)

    strong = follow(judged("a"), given, Controls((), EmpiricalNull(0.0, 0.5, 5, True)))
    weak = follow(judged("a"), given, Controls((), EmpiricalNull(0.0, 0.0, 5, True)))

    assert "as_strong_as_inert" in strong.flags
    assert "as_strong_as_inert" not in weak.flags


def test_ladder__a_behaviour_that_repeats_it__is_not_held_equal() -> None:
    repeated = build_table(
        behaviours=["a", "b"],
        days=[1],
        unit_ids=[str(k) for k in range(1_000)],
        retained=table().retained,
        week=np.zeros(1_000),
        active_days=np.ones(1_000),
        rows=(
            np.repeat(np.arange(1_000), 2),
            np.asarray(["a", "b"] * 1_000, dtype=object),
            np.repeat(table().counts[:, 0, :], 2, axis=0),
        ),
    )
    mark = Flagged("b", Flag.DUPLICATE, 1.0, "a")
    held, left = (replace(evidence(flags), table=repeated) for flags in ((), (mark,)))

    rungs = [ladder_of(given, "a", Pick(1, 1, 0.5)).rungs[3].difference for given in (held, left)]
    other_way = ladder_of(left, "b", Pick(1, 1, 0.5)).rungs[3].difference

    assert isinstance(rungs[0], NotComputable)
    assert not isinstance(rungs[1], NotComputable)
    assert not isinstance(other_way, NotComputable)
