"""What a reading says: against the tests it is made of, behind the lock, and with a broken draw."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.analyse.across.holdout_question import HELD, OPEN, REST, WAITING, Due
from experiments.analyse.across.holdout_result import HOLDOUT, HoldoutLook, HoldoutReport, SideMoments, read_holdout
from stats.compare import compare_means, compare_proportions
from stats.results import Estimate, NotComputable, Reason, computable
from stats.sequential.boundaries import bounds
from stats.summaries import Joint, Mean
from tests.experiments.analyse.holdout_report.test_side_moments import asked

UNTIL = datetime(2026, 3, 20, tzinfo=UTC)
OPENED = Due(OPEN, "due", UNTIL, date(2026, 3, 20), None, final=True)
LOCKED = Due(WAITING, "before", UNTIL, None, date(2026, 3, 20), final=False)
NOTHING = NotComputable(Reason.NO_DATA)


def sides(held: Any, rest: Any, more: int = 0) -> SideMoments:
    values = {
        HELD: np.atleast_2d(np.asarray(held, dtype=np.float64).T).T,
        REST: np.atleast_2d(np.asarray(rest, dtype=np.float64).T).T,
    }
    return SideMoments(
        units={side: len(one) + more for side, one in values.items()},
        outcome={side: Joint.from_columns(one) for side, one in values.items()},
    )


def shares(held: int, of_held: int, rest: int, of_rest: int) -> SideMoments:
    return sides([1] * held + [0] * (of_held - held), [1] * rest + [0] * (of_rest - rest))


def reading(
    found: SideMoments, at: Due = OPENED, earlier: tuple[HoldoutLook, ...] = (), **changes: Any
) -> HoldoutReport:
    report = read_holdout(asked(**changes), at, found, earlier=earlier, shipped=(), sums=NOTHING)
    assert HOLDOUT.read(HOLDOUT.store(report)) == report  # what is stored reads back
    return report


def test_difference__is_the_rest_minus_the_holdout_by_the_score_test() -> None:
    report = reading(shares(100, 400, 130, 410))

    assert report.difference == compare_proportions(Mean.from_counts(100, 400), Mean.from_counts(130, 410))
    assert computable(report.difference)
    assert report.difference.estimate > 0
    assert (report.state, report.final, report.reading) == ("open", True, date(2026, 3, 20))
    (look,) = report.looks
    assert (look.on, look.units) == (date(2026, 3, 20), 810)
    assert look.critical == pytest.approx(1.959963984540054)
    assert {side: level.n for side, level in report.levels.items()} == {HELD: 400, REST: 410}


def test_means__by_welch() -> None:
    rng = np.random.default_rng(1)
    held, rest = rng.exponential(2, 300), rng.exponential(2.2, 320)

    report = reading(sides(held, rest), outcome="count:buy:0-3")

    assert report.difference == compare_means(Mean.from_values(held), Mean.from_values(rest))


def test_ratio__is_a_ratio_of_sums() -> None:
    held, rest = [[4, 1], [0, 3]] * 50, [[6, 2], [3, 2]] * 50

    report = reading(sides(held, rest), outcome="count:buy:0-3 / active_days:0-3")

    assert computable(report.difference)
    assert isinstance(report.difference, Estimate)
    assert report.difference.estimate == pytest.approx(9 / 4 - 4 / 4)


def test_locked__nothing_of_the_outcome_is_there() -> None:
    one, other = reading(shares(0, 400, 400, 400), LOCKED), reading(shares(400, 400, 0, 400), LOCKED)

    assert one == other  # whatever differs would tell of the outcome
    assert (one.difference, one.lift, one.levels, one.looks, one.final) == (None, None, {}, (), False)
    assert one.mature == {HELD: 400, REST: 400}


def test_nobody_is_mature__says_so() -> None:
    report = reading(
        SideMoments({HELD: 5, REST: 5}, {side: Joint.from_columns(np.zeros((0, 1))) for side in (HELD, REST)})
    )

    assert isinstance(report.difference, NotComputable)
    assert report.looks == ()


@pytest.mark.parametrize(("held", "broken"), [(460, False), (300, True)])
def test_sample_ratio__far_from_the_plan__is_broken_in_any_state(held: int, broken: bool) -> None:
    # Half was planned: 460 of 1,000 has p = .011, 300 one of 1e-37.
    for at in (OPENED, LOCKED):
        assert reading(shares(10, held, 10, 1_000 - held), at).broken is broken


def test_sample_ratio__only_of_the_mature_ones__is_broken_too() -> None:
    found = shares(10, 300, 10, 700)
    uneven = replace(found, units={HELD: 1_000, REST: 1_000})

    assert reading(uneven).broken


def test_planned_readings__spend_alpha_as_planned() -> None:
    days = (date(2026, 3, 15), date(2026, 3, 20))
    plan: Any = {"method": "group_sequential", "readings": days, "planned_units": 1_600}
    first = replace(OPENED, reading=date(2026, 3, 15), final=False)

    early = reading(shares(100, 400, 140, 400), first, **plan)
    late = reading(shares(200, 800, 270, 800), OPENED, early.looks, **plan)

    expected = bounds((0.5, 1.0), final=True)
    assert [one.critical for one in late.looks] == pytest.approx(expected)
    assert [one.fraction for one in late.looks] == [0.5, 1.0]
    assert isinstance(early.difference, Estimate)
    plain = compare_proportions(Mean.from_counts(100, 400), Mean.from_counts(140, 400))
    assert isinstance(plain, Estimate)
    assert early.difference.p_value > plain.p_value  # one of several readings
    assert early.difference.level == 0.95
    assert early.difference.high - early.difference.low > plain.high - plain.low


@pytest.mark.parametrize(("n", "state"), [(99, "waiting"), (100, "open")])
def test_any_day__below_a_hundred_mature__stays_locked(n: int, state: str) -> None:
    at = Due(OPEN, "any_time", UNTIL, UNTIL.date(), None, final=False)

    report = reading(shares(30, n, 300, 1_000), at, method="always_valid", planned_units=2_000)

    assert report.state == state
    assert (report.difference is None) == (state == "waiting")
    assert report.why == ("any_time" if state == "open" else "too_few")


@pytest.mark.slow
@given(st.integers(15, 45), st.integers(15, 45))
def test_swapped_outcomes__flip_the_sign(held: int, rest: int) -> None:
    one, other = reading(shares(held, 60, rest, 60)).difference, reading(shares(rest, 60, held, 60)).difference

    assert isinstance(one, Estimate)
    assert isinstance(other, Estimate)
    assert one.estimate == pytest.approx(-other.estimate)
    assert one.low == pytest.approx(-other.high, abs=1e-9)
