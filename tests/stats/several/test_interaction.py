"""The interaction of two experiments: against Welch's t, numbers by hand, and its error rate."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stats.interaction import FEWEST_IN_A_CELL, Independence, Interaction, independence, interaction
from stats.results import NotComputable, Reason, computable
from stats.summaries import Mean
from tests.marks import first_in_ci
from tests.rates import at_most

CELLS = [[Mean(100, 0.30, 0.21), Mean(80, 0.35, 0.23)], [Mean(120, 0.33, 0.22), Mean(60, 0.50, 0.25)]]


def found(cells: list[list[Mean]], **options: int) -> Interaction:
    answer = interaction(cells, **options)
    assert computable(answer), answer
    return answer


def test_two_by_two__equals_welchs_t_on_the_difference_in_differences() -> None:
    # (0.50 - 0.35) - (0.33 - 0.30) = 0.12; variance .21/100 + .23/80 + .22/120 + .25/60 = .010975
    parts = [0.21 / 100, 0.23 / 80, 0.22 / 120, 0.25 / 60]
    degrees = sum(parts) ** 2 / sum(v**2 / (n - 1) for v, n in zip(parts, (100, 80, 120, 60), strict=True))

    answer = found(CELLS)

    (contrast,) = answer.contrasts
    assert contrast.change.estimate == pytest.approx(0.12)
    assert contrast.change.standard_error == pytest.approx(sqrt(0.010975))
    # With one contrast Johansen's F is t^2 nearly: the correction of the statistic is of the order 1/n.
    assert answer.denominator == pytest.approx(degrees)
    assert answer.statistic == pytest.approx(0.12**2 / 0.010975, rel=0.01)
    assert answer.p_value == pytest.approx(2 * stats.t.sf(0.12 / sqrt(0.010975), degrees), rel=0.01)
    assert answer.units == 360
    assert not answer.any_look


def test_arms_by_arms__has_a_contrast_for_each_pair_of_treatments() -> None:
    cells = [[Mean(100, 0.1 * row + 0.05 * column, 0.2) for column in range(4)] for row in range(3)]

    answer = found(cells)

    assert answer.degrees == 6
    assert [(one.first, one.second) for one in answer.contrasts] == [(i, j) for i in (1, 2) for j in (1, 2, 3)]
    assert answer.p_value == pytest.approx(1.0)  # effects that add up have no interaction


@pytest.mark.slow
@given(st.lists(st.floats(-5, 5), min_size=9, max_size=9), st.floats(-10, 10), st.floats(0.1, 20))
def test_shift_and_scale__of_all_values__leave_the_p_value(means: list[float], shift: float, scale: float) -> None:
    plain = [[Mean(50, means[3 * i + j], 1.0 + i + j) for j in range(3)] for i in range(3)]
    other = [[Mean(50, scale * one.mean + shift, scale**2 * one.variance) for one in row] for row in plain]

    assert found(plain).p_value == pytest.approx(found(other).p_value, abs=1e-7)


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_swapping__both_experiments__changes_nothing(means: list[float]) -> None:
    cells = [[Mean(40 + j, means[3 * i + j], 1.0 + i) for j in range(3)] for i in range(2)]
    swapped = [list(column) for column in zip(*cells, strict=True)]

    assert found(cells).p_value == pytest.approx(found(swapped).p_value)


@pytest.mark.parametrize("n", [FEWEST_IN_A_CELL - 1, FEWEST_IN_A_CELL])
def test_small_cell__below_the_least__says_so(n: int) -> None:
    answer = interaction([[Mean(100, 0.3, 0.2), Mean(n, 0.3, 0.2)], [Mean(100, 0.3, 0.2), Mean(100, 0.3, 0.2)]])

    few = NotComputable(Reason.TOO_FEW_UNITS, {"n": n, "needed": FEWEST_IN_A_CELL})
    assert (answer == few) == (n < FEWEST_IN_A_CELL)


def test_no_value_differs__has_no_variance() -> None:
    same = Mean(100, 1.0, 0.0)

    assert interaction([[same, same], [same, same]]) == NotComputable(Reason.NO_VARIANCE)


@pytest.mark.parametrize(
    "cells", [[[Mean(50, 0, 1)]], [[Mean(50, 0, 1)] * 2], [[Mean(50, 0, 1)] * 2, [Mean(50, 0, 1)]]]
)
def test_no_full_table__is_the_callers_mistake(cells: list[list[Mean]]) -> None:
    with pytest.raises(ValueError, match="two arms"):
        interaction(cells)


def test_repeated__is_wider_and_says_so() -> None:
    once, always = found(CELLS), found(CELLS, planned_units=360)

    assert always.any_look
    assert always.denominator is None
    assert always.p_value > once.p_value
    assert always.contrasts[0].change.low < once.contrasts[0].change.low
    # p below alpha exactly where 0 lies outside the sequence's interval
    strong = [[Mean(400, 0.3, 0.2), Mean(400, 0.3, 0.2)], [Mean(400, 0.3, 0.2), Mean(400, 0.55, 0.2)]]
    answer = found(strong, planned_units=360)
    assert (answer.p_value < 0.05) == (answer.contrasts[0].change.low > 0) is True


def test_independence__by_hand() -> None:
    # expected 25 each: (30-25)^2/25 * 4 = 4 with one degree of freedom: p = .0455
    answer = independence([[30, 20], [20, 30]])

    assert isinstance(answer, Independence)
    assert answer.statistic == pytest.approx(4.0)
    assert (answer.degrees, answer.units) == (1, 100)
    assert answer.p_value == pytest.approx(0.0455002638963584)


def test_independence__empty_arms_and_few_units__are_told_apart() -> None:
    assert independence([[10, 0], [10, 0]]) == NotComputable(Reason.NO_DATA)
    assert independence([[3, 3], [3, 3]]) == NotComputable(Reason.TOO_FEW_UNITS, {"n": 12, "needed": 20})
    assert isinstance(independence([[5, 5], [5, 5]]), Independence)
    assert isinstance(independence([[9, 9, 0], [9, 9, 0]]), Independence)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "base", "arms"), [(60, 0.1, 3), (400, 0.3, 2)])
def test_no_interaction__alarms_at_the_nominal_rate(n: int, base: float, arms: int) -> None:
    rng = np.random.default_rng(11)
    runs = 2_000

    def draw() -> float:
        return found(
            [
                [
                    Mean.from_counts(int(rng.binomial(n * (1 + i), base + 0.05 * i + 0.04 * j)), n * (1 + i))
                    for j in range(arms)
                ]
                for i in range(2)
            ]
        ).p_value

    p_values = np.array([draw() for _ in range(runs)])

    for alpha in (0.01, 0.05, 0.1):
        low, high = stats.binom.interval(0.999, runs, alpha)
        assert low <= (p_values < alpha).sum() <= high


@pytest.mark.slow
@pytest.mark.parametrize("runs", first_in_ci([100, 400]))
def test_repeated_each_evening__alarms_at_most_at_the_nominal_rate(runs: int) -> None:
    rng = np.random.default_rng(12)
    alarms = 0
    for _ in range(runs):
        values = [[rng.normal(0.1 * i + 0.2 * j, 1, 1_400) for j in range(2)] for i in range(2)]
        alarms += any(
            found([[Mean.from_values(one[:n]) for one in row] for row in values], planned_units=2_800).p_value < 0.05
            for n in range(50, 1_401, 50)
        )

    assert at_most(alarms, runs, 0.05)
