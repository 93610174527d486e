"""Safe peeking: published bounds, what the bounds promise, and experiments that are looked at all the time."""

from math import exp, inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from stats.sequential.boundaries import (
    Spending,
    always_valid_p,
    bounds,
    crossing,
    sequence_multiplier,
    spent,
    tightest_rho_squared,
)
from tests.stats.test_reference import rows

FIVE = [0.2, 0.4, 0.6, 0.8, 1.0]
Z = float(stats.norm.isf(0.025))


def equal_looks(count: int) -> list[float]:
    return [(look + 1) / count for look in range(count)]


def inflation(critical: list[float], power: float = 0.9) -> float:
    """Size of the plan over that of a plan with one look."""
    drift = optimize.brentq(lambda d: crossing(FIVE, critical, drift=d)[0] - power, 1.0, 8.0)
    return float((drift / (Z + stats.norm.ppf(power))) ** 2)


@pytest.mark.parametrize("row", rows("sequential.csv"), ids=lambda row: row["id"])
def test_looks__published_plans__give_the_published_figures(row: dict[str, str]) -> None:
    argument = float(row["argument"])
    match row["kind"]:
        case "obrien_fleming":
            found = bounds(equal_looks(int(argument)))
        case "peeking":
            found = (sum(crossing(equal_looks(int(argument)), [Z] * int(argument))),)
        case "constant":
            found = (sum(crossing(FIVE, [argument] * 5)),)
        case "constant3":
            found = (sum(crossing(equal_looks(3), [argument] * 3)),)
        case "falling":
            found = (sum(crossing(FIVE, [argument * sqrt(5 / k) for k in range(1, 6)])),)
        case _:
            found = (inflation([argument] * 5),)

    expected = [float(value) for value in row["expected"].split()]
    assert list(found) == pytest.approx(expected, abs=float(row["tolerance"]))


def test_spent__obrien_fleming__is_the_function_of_each_side_doubled() -> None:
    # 4.38 instead of 4.88 would be the first bound if the function took the whole alpha
    assert spent(0.2) == pytest.approx(4 * stats.norm.sf(stats.norm.isf(0.0125) / sqrt(0.2)), rel=1e-12)
    assert spent(0.2, spending=Spending.POCOCK) == pytest.approx(0.05 * np.log(1 + (exp(1) - 1) * 0.2))
    for spending in Spending:
        assert spent(0.0, spending=spending) == 0.0
        assert spent(1.0, spending=spending) == pytest.approx(0.05, abs=1e-15)
        assert spent(1.7, spending=spending) == spent(1.0, spending=spending)


@pytest.mark.slow
@given(
    steps=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=7),
    alpha=st.floats(0.001, 0.3),
    spending=st.sampled_from(Spending),
)
@settings(max_examples=40, deadline=None)
def test_bounds__any_looks__spend_exactly_what_is_allowed(steps: list[float], alpha: float, spending: Spending) -> None:
    fractions = [float(value) for value in np.cumsum(steps) / sum(steps)]
    critical = bounds(fractions, alpha=alpha, spending=spending)

    for count in range(1, len(fractions) + 1):
        above, below = crossing(fractions[:count], critical[:count])
        assert above == pytest.approx(below, abs=1e-12)
        assert above + below == pytest.approx(spent(fractions[count - 1], alpha=alpha, spending=spending), abs=1e-9)
    assert bounds(fractions[:-1], alpha=alpha, spending=spending) == pytest.approx(critical[:-1], abs=1e-7)


def test_bounds__skipped_look__spends_nothing_and_the_next_may_have_it() -> None:
    all_looks, skipped = bounds(FIVE), bounds([0.2, 0.8, 1.0])

    assert skipped[0] == all_looks[0]
    assert skipped[1] < all_looks[3]
    assert sum(crossing([0.2, 0.8, 1.0], skipped)) == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize("last", [0.7, 0.95, 1.0, 1.3])
def test_bounds__final_look_at_any_information__spends_the_rest(last: float) -> None:
    fractions = [0.3, 0.6, last]

    critical = bounds(fractions, final=True)

    assert sum(crossing(fractions, critical)) == pytest.approx(0.05, abs=1e-9)


def test_bounds__last_look_below_the_plan_and_not_final__keeps_something_back() -> None:
    assert bounds([0.3, 0.7])[1] > bounds([0.3, 0.7], final=True)[1]


def test_bounds__look_without_new_information__decides_nothing() -> None:
    repeated = bounds([0.5, 0.50009, 1.0])
    enough = bounds([0.5, 0.50011, 1.0])

    assert repeated[1] == inf
    assert enough[1] < inf
    assert (repeated[0], repeated[2]) == pytest.approx(bounds([0.5, 1.0]), abs=1e-9)


def test_bounds__final_look_without_new_information__still_spends_the_rest() -> None:
    critical = bounds([0.5, 0.5], final=True)

    assert 1.9 < critical[1] < 2.1


def test_bounds__after_the_plan_is_full__nothing_is_left() -> None:
    assert bounds([1.0, 1.2], final=True)[1] == inf
    assert bounds([0.01])[0] == inf  # O'Brien-Fleming has spent less than 1e-15 by then


@pytest.mark.parametrize("fractions", [[0.0], [-0.1], [float("nan")], [inf]])
def test_bounds__impossible_fractions__are_refused(fractions: list[float]) -> None:
    with pytest.raises(ValueError, match="fractions of information"):
        bounds(fractions)


@pytest.mark.parametrize(
    ("fractions", "critical"), [([0.5], [1.0, 2.0]), ([0.5], [-1.0]), ([0.5], [float("nan")]), ([0.5, 0.50005], [2, 2])]
)
def test_crossing__looks_and_bounds_that_don_t_fit__are_refused(fractions: list[float], critical: list[float]) -> None:
    with pytest.raises(ValueError, match="each look"):
        crossing(fractions, critical)


def test_crossing__one_look__is_the_normal_tail() -> None:
    assert crossing([1.0], [Z], drift=2.8) == pytest.approx((stats.norm.sf(Z - 2.8), stats.norm.sf(Z + 2.8)))
    assert crossing([0.5, 1.0], [inf, Z], drift=1.0)[0] == pytest.approx(stats.norm.sf(Z - 1.0), abs=1e-12)


def test_spent__negative_fraction__is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        spent(-0.1)


def test_multiplier__plan_of_5000__is_3_035_there_and_3_13_at_20000() -> None:
    rho_squared = tightest_rho_squared(5000)

    assert rho_squared * 5000 == pytest.approx(8.212, abs=0.0005)
    assert sequence_multiplier(5000, rho_squared=rho_squared) == pytest.approx(3.035, abs=0.0005)
    assert sequence_multiplier(20000, rho_squared=rho_squared) == pytest.approx(3.13, abs=0.005)


@given(planned=st.integers(1, 10**9), alpha=st.floats(1e-6, 0.5), factor=st.sampled_from([0.5, 0.9, 1.1, 3.0]))
def test_rho__any_plan__no_other_is_tighter_at_the_planned_size(planned: int, alpha: float, factor: float) -> None:
    rho_squared = tightest_rho_squared(planned, alpha=alpha)

    best = sequence_multiplier(planned, rho_squared=rho_squared, alpha=alpha)
    assert best < sequence_multiplier(planned, rho_squared=rho_squared * factor, alpha=alpha)


@given(
    z=st.floats(-12, 12), units=st.integers(200, 10**7), planned=st.integers(200, 10**7), alpha=st.floats(0.001, 0.3)
)
def test_sequence__any_look__p_below_alpha_exactly_if_z_reaches_the_multiplier(
    z: float, units: int, planned: int, alpha: float
) -> None:
    rho_squared = tightest_rho_squared(planned, alpha=alpha)

    limit = sequence_multiplier(units, rho_squared=rho_squared, alpha=alpha)
    p_value = always_valid_p(z, units, rho_squared=rho_squared)

    if abs(abs(z) - limit) > 1e-9:
        assert (p_value < alpha) == (abs(z) > limit)
    assert 0 < p_value <= 1


def test_sequence__impossible_arguments__are_refused() -> None:
    with pytest.raises(ValueError, match="planned_units"):
        tightest_rho_squared(0)
    with pytest.raises(ValueError, match="units"):
        sequence_multiplier(0, rho_squared=1.0)
    with pytest.raises(ValueError, match="rho_squared"):
        always_valid_p(1.0, 100, rho_squared=0.0)


def looked_at(
    rng: np.random.Generator, *, p0: float, p1: float, looks: int, step: int, runs: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of control and variant after each look of many experiments, and the units of each group."""
    n = step * np.arange(1, looks + 1)
    control, variant = (rng.binomial(step, p, size=(runs, looks)).cumsum(axis=1) / n for p in (p0, p1))
    return control, variant, n


def test_sequence__looked_at_a_hundred_times__false_alarms_stay_below_alpha() -> None:
    control, variant, n = looked_at(np.random.default_rng(81), p0=0.3, p1=0.3, looks=100, step=100, runs=4000)
    errors = np.sqrt((control * (1 - control) + variant * (1 - variant)) / n)
    rho_squared = tightest_rho_squared(2 * 5000)

    multipliers = np.array([sequence_multiplier(2 * units, rho_squared=rho_squared) for units in n])
    wrong = (abs(variant - control) > multipliers * errors).any(axis=1).mean()
    naive = (abs(variant - control) > Z * errors).any(axis=1).mean()

    # looking for ever would spend 5 %; a hundred looks from 1 % to twice the plan spend a part of it
    assert 0.005 < wrong < 0.05
    assert naive > 0.3


def test_bounds__looked_at_five_times__false_alarms_are_alpha() -> None:
    control, variant, n = looked_at(np.random.default_rng(82), p0=0.3, p1=0.3, looks=5, step=1000, runs=10000)
    pooled = (control + variant) / 2
    z = (variant - control) / np.sqrt(2 * pooled * (1 - pooled) / n)

    for spending in Spending:
        wrong = (abs(z) >= np.array(bounds(FIVE, spending=spending))).any(axis=1).mean()
        assert wrong == pytest.approx(0.05, abs=3 * sqrt(0.05 * 0.95 / 10000))
