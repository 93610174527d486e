"""May the outcome be read? Each method before, at and after its moment."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from experiments.analyse.outcome_lock import looks_of, mature_by_arm, maturity_of
from experiments.analyse.result import LookTaken, State
from experiments.plan.analysed import Analysed
from tests.experiments.make_answers import draw_units, make_analysed, make_answers

TODAY = date(2026, 4, 1)


def look(fraction: float, *, peeked: bool = False) -> LookTaken:
    return LookTaken(TODAY, "", "nudge", 100, fraction, 0.1, -0.1, 0.3, 1.0, 2.0, 0.4, "INCONCLUSIVE", peeked)


def maturity(plan: Analysed, *, mature: int = 2_000, looks: tuple[LookTaken, ...] = (), peek: bool = False) -> Any:
    units = draw_units(2_000, mature=np.arange(2_000) < mature)
    return maturity_of(plan, make_answers(units), looks=looks, peek=peek, today=TODAY)


@pytest.mark.parametrize(
    ("ended", "mature", "state", "why"),
    [
        (None, 2_000, State.PENDING, "enrolling"),
        (date(2026, 2, 1), 1_999, State.PENDING, "maturing"),
        (date(2026, 2, 1), 2_000, State.OPEN, "ended"),
    ],
)
def test_fixed__opens_when_enrolment_ended_and_all_are_mature(
    ended: date | None, mature: int, state: State, why: str
) -> None:
    found = maturity(make_analysed(enrolment_ended=ended), mature=mature)

    assert (found.state, found.why) == (state, why)
    assert found.final is (state is State.OPEN)
    assert sum(found.mature.values()) == mature


def test_fixed__while_enrolling__says_when_it_opens() -> None:
    found = maturity(make_analysed(enrolment_ended=None, planned_end=date(2026, 5, 1)), mature=10)

    assert found.opens_on == date(2026, 5, 29)  # 28 complete days after the last one enrolled


def test_fixed__peek__opens_and_says_so_but_is_not_final() -> None:
    found = maturity(make_analysed(enrolment_ended=None), mature=900, peek=True)

    assert (found.state, found.why, found.peeked, found.final) == (State.OPEN, "peek", True, False)


def test_fixed__peek_without_any_mature_unit__stays_locked() -> None:
    assert maturity(make_analysed(enrolment_ended=None), mature=0, peek=True).state is State.PENDING


@pytest.mark.parametrize(
    ("mature", "taken", "why"),
    [
        (399, (), "next_look"),
        (400, (), "look"),
        (799, (0.2,), "next_look"),
        (800, (0.2,), "look"),
        (1_700, (0.2,), "look"),  # two planned looks were slept through: one look now
        (1_700, (0.2, 0.85), "next_look"),
        (1_999, (0.5,), "look"),
        (1_999, (0.85,), "next_look"),
        (2_000, (0.85,), "next_look"),  # the last look is the end itself
    ],
)
def test_group_sequential__looks_when_a_planned_share_is_passed(
    mature: int, taken: tuple[float, ...], why: str
) -> None:
    plan = make_analysed(method="group_sequential", enrolment_ended=None)

    found = maturity(plan, mature=mature, looks=tuple(look(share) for share in taken))

    assert found.why == why
    assert (found.state is State.OPEN) is (why == "look")


def test_group_sequential__the_end__is_the_last_look() -> None:
    found = maturity(make_analysed(method="group_sequential", planned_units=1_000), looks=(look(0.85),))

    assert (found.why, found.final, found.fraction) == ("ended", True, 2.0)


@pytest.mark.parametrize(("mature", "why"), [(199, "too_few"), (200, "any_time")])
def test_always_valid__opens_at_a_hundred_mature_units_an_arm(mature: int, why: str) -> None:
    units = draw_units(2_000, arm=np.arange(2_000) % 2, mature=np.arange(2_000) < mature)
    analysed = make_analysed(method="always_valid", enrolment_ended=None)

    assert maturity_of(analysed, make_answers(units), looks=(), peek=False, today=TODAY).why == why


def test_looks__of_a_peeked_past__dont_count_as_looks() -> None:
    analysed = make_analysed(method="group_sequential", enrolment_ended=None)
    found = maturity(analysed, mature=900)

    looks = looks_of(analysed.plan, found, (look(0.2), look(0.3, peeked=True)))

    assert looks["nudge"].fractions == (0.2, 0.45)
    assert looks["nudge"].planned_units == 2_000


def test_mature__needs_every_primary_outcome() -> None:
    units = draw_units(2_000)
    answers = make_answers(units)
    late = draw_units(2_000, mature=np.arange(2_000) < 100)
    cells = make_answers(late).cells
    blocks = {"window:21-27": answers.cells.blocks["window:21-27"], "window:28-34": cells.blocks["window:21-27"]}
    both = type(answers.cells)(**{**vars(answers.cells), "blocks": blocks})

    found = mature_by_arm(make_analysed(primary=("window:21-27", "window:28-34")).plan, both)

    assert sum(found.values()) == 100
