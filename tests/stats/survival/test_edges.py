"""Time to churn at its edges: nobody, everybody, ties, impossible input."""

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from stats.results import NotComputable, Reason
from stats.survival.kaplan_meier import Durations, SurvivalCurve, kaplan_meier
from stats.survival.logrank import curves_cross, stratified_log_rank
from stats.survival.rmst import compare_restricted_means, restricted_mean
from tests.stats.make import computed, log_rank

UNITS = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=40)

# R survival through statsmodels/duration/tests/test_survfunc.py @82c59e378.
SMALL = ([3, 1, 2, 3, 2, 1, 5, 3], [0, 1, 1, 1, 0, 0, 1, 0])
OTHER = ([1, 1, 2, 3, 7, 1, 5, 3, 9], [0, 1, 0, 0, 1, 0, 1, 0, 1])


def durations(units: Any) -> Durations:
    return Durations.from_values([time for time, _ in units], [left for _, left in units])


def refused(value: Any) -> Reason:
    assert isinstance(value, NotComputable)
    return value.reason


def curve_of(group: Durations) -> SurvivalCurve:
    return computed(kaplan_meier(group))


# ── Edges ─────────────────────────────────────────────────────────────────────
def test_rmst__leaving_exactly_at_tau__counts_as_left_and_costs_nothing() -> None:
    group = Durations.from_counts([(5, True, 1), (9, False, 3)])
    found = computed(restricted_mean(group, tau=5))
    assert (found.estimate, found.standard_error, found.left) == (5, 0, 1)


def test_rmst__tau_on_either_side_of_the_shorter_follow_up__is_given_or_refused() -> None:
    control = Durations.from_values([2, 9, 20], [1, 1, 0])
    variant = Durations.from_values([3, 10, 14], [1, 0, 0])
    assert computed(compare_restricted_means(control, variant, tau=14)).method == "rmst-difference"
    assert refused(compare_restricted_means(control, variant, tau=14.01)) is Reason.BEYOND_FOLLOW_UP
    assert refused(compare_restricted_means(variant, control, tau=14.01)) is Reason.BEYOND_FOLLOW_UP
    # Longer follow-up of one group only helps that group.
    assert computed(restricted_mean(control, tau=20)).tau == 20


def test_rmst__variant_leaves_later__is_positive() -> None:
    early, late = (Durations.from_values([1 + d, 4 + d, 30], [1, 1, 0]) for d in (0, 5))
    assert computed(compare_restricted_means(early, late, tau=20)).estimate == pytest.approx(10 / 3)


def test_rmst__nobody_leaves_before_tau__has_no_variance() -> None:
    group = Durations.from_counts([(10, True, 3), (20, False, 3)])
    assert computed(restricted_mean(group, tau=5)).estimate == 5
    assert computed(restricted_mean(group, tau=5)).standard_error == 0
    assert refused(compare_restricted_means(group, group, tau=5)) is Reason.NO_VARIANCE


@pytest.mark.parametrize("n", [0, 1, 2])
def test_rmst__n_on_either_side_of_two__is_refused_or_given(n: int) -> None:
    group = Durations.from_counts([(10, True, n)] if n else [])
    found = restricted_mean(group, tau=5)
    assert isinstance(found, NotComputable) == (n < 2)


@pytest.mark.parametrize("tau", [0, -1, float("nan"), float("inf")])
def test_rmst__tau_not_positive__raises(tau: float) -> None:
    with pytest.raises(ValueError, match="tau"):
        restricted_mean(Durations.from_counts([(5, True, 5)]), tau=tau)


def test_log_rank__nobody_left_while_both_are_observed__is_refused() -> None:
    stay = Durations.from_counts([(10, False, 5)])
    assert refused(log_rank(stay, stay)) is Reason.NO_EVENTS
    assert refused(log_rank(stay, Durations.from_counts([(11, True, 5)]))) is Reason.NO_EVENTS
    assert refused(log_rank(stay, Durations.from_counts([]))) is Reason.NO_EVENTS
    assert computed(log_rank(stay, Durations.from_counts([(10, True, 5)]))).strata == 1
    assert refused(stratified_log_rank([])) is Reason.NO_EVENTS


def test_log_rank__ten_million_units__equals_the_sum_in_exact_arithmetic() -> None:
    from fractions import Fraction

    control = Durations.from_counts([(1, True, 1_000_000), (2, True, 900_000), (3, False, 3_100_000)])
    variant = Durations.from_counts([(1, True, 999_000), (2, True, 899_000), (3, False, 3_102_000)])
    expected, variance = Fraction(0), Fraction(0)
    for n0, n1, d in ((5_000_000, 5_000_000, 1_999_000), (4_000_000, 4_001_000, 1_799_000)):
        n = n0 + n1
        expected += Fraction(d * n1, n)
        variance += Fraction(n0 * n1 * d * (n - d), n * n * (n - 1))
    found = computed(log_rank(control, variant))
    assert found.statistic == pytest.approx(float((1_898_000 - expected) ** 2 / variance), rel=1e-9)


def test_kaplan_meier__nobody__is_refused_and_nobody_left_has_no_step() -> None:
    assert refused(kaplan_meier(Durations.from_counts([]))) is Reason.NO_DATA
    curve = curve_of(Durations.from_counts([(7, False, 3)]))
    assert curve.steps == ()
    assert curve.follow_up == 7


def test_kaplan_meier__leaving_on_day_0__counts_from_the_start() -> None:
    curve = curve_of(Durations.from_counts([(0, True, 1), (4, False, 3)]))
    assert [(step.time, step.survival) for step in curve.steps] == [(0, 0.75)]
    assert computed(restricted_mean(Durations.from_counts([(0, True, 1), (4, False, 3)]), tau=4)).estimate == 3


def test_crossing__curves_that_turn__are_said_to_cross() -> None:
    control = Durations.from_counts([(1, True, 400), (20, True, 50), (30, False, 550)])
    variant = Durations.from_counts([(1, True, 100), (20, True, 600), (30, False, 300)])
    found = computed(curves_cross(control, variant))
    assert (found.crosses, found.clearly) == (True, True)
    assert (found.ahead, found.behind) == pytest.approx((0.3, 0.25))
    weak = computed(curves_cross(*(Durations(g.times, g.events // 50, g.censored // 50) for g in (control, variant))))
    assert (weak.crosses, weak.clearly) == (True, False)


def test_crossing__one_curve_above__does_not_cross_and_an_empty_group_is_refused() -> None:
    control = Durations.from_counts([(1, True, 4), (9, False, 6)])
    variant = Durations.from_counts([(2, True, 4), (9, False, 6)])
    found = computed(curves_cross(control, variant))
    assert not found.crosses
    assert (found.ahead, found.behind) == pytest.approx((0.4, 0))
    assert refused(curves_cross(control, Durations.from_counts([]))) is Reason.NO_DATA


def test_crossing__single_unit_without_an_error__is_not_clear() -> None:
    control, variant = Durations.from_counts([(10, True, 1)]), Durations.from_counts([(5, True, 20), (30, False, 20)])
    found = computed(curves_cross(control, variant))
    assert (found.crosses, found.clearly) == (True, False)


def test_crossing__few_units_all_still_there__are_not_clear() -> None:
    """Four of four beside 90 % is no finding, though Greenwood's error of the four is 0."""
    control = Durations.from_counts([(10, True, 3), (30, False, 1)])
    variant = Durations.from_counts([(5, True, 100), (30, False, 900)])
    found = computed(curves_cross(control, variant))
    assert (found.crosses, found.clearly) == (True, False)


def test_crossing__beyond_the_common_follow_up__is_not_looked_at() -> None:
    control = Durations.from_counts([(1, True, 4), (9, False, 6)])
    variant = Durations.from_counts([(2, True, 3), (20, True, 7)])
    assert not computed(curves_cross(control, variant)).crosses


@pytest.mark.parametrize(
    ("times", "events", "censored"),
    [([2, 1], [1, 1], [0, 0]), ([1, 1], [1, 1], [0, 0]), ([-1], [1], [0]), ([1], [-1], [0]), ([1], [1, 1], [0])],
)
def test_durations__impossible_counts__raise(times: Any, events: Any, censored: Any) -> None:
    with pytest.raises(ValueError):
        Durations(np.array(times, float), np.array(events), np.array(censored))


def test_durations__impossible_values__raise() -> None:
    with pytest.raises(ValueError, match="mark"):
        Durations.from_values([1, 2], [0, 2])
    with pytest.raises(ValueError, match="mark"):
        Durations.from_values([1, 2], [0])
    with pytest.raises(ValueError, match="finite"):
        Durations.from_values([float("nan")], [0])
    with pytest.raises(ValueError, match="negative"):
        Durations.from_counts([(1, True, -1)])
