"""Time to churn: published answers, real data, facts that hold for every input, edges."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from events.reasons import NotComputable, Reason
from experiments.stats.logrank import curves_cross, log_rank, stratified_log_rank
from experiments.stats.results import Interval
from experiments.stats.rmst import compare_restricted_means, largest_horizon, restricted_mean
from experiments.stats.survival import Durations, SurvivalCurve, at_risk_table, kaplan_meier, median_time
from tests.experiments.stats.make import computed

UNITS = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=40)

# R survival through statsmodels/duration/tests/test_survfunc.py @82c59e378; METHODS 8.
SMALL = ([3, 1, 2, 3, 2, 1, 5, 3], [0, 1, 1, 1, 0, 0, 1, 0])
OTHER = ([1, 1, 2, 3, 7, 1, 5, 3, 9], [0, 1, 0, 0, 1, 0, 1, 0, 1])


def durations(units: Any) -> Durations:
    return Durations.from_values([time for time, _ in units], [left for _, left in units])


def refused(value: Any) -> Reason:
    assert isinstance(value, NotComputable)
    return value.reason


def curve_of(group: Durations) -> SurvivalCurve:
    return computed(kaplan_meier(group))


# ── Published answers ─────────────────────────────────────────────────────────
def test_kaplan_meier__published_example__gives_the_shares_and_errors_of_r() -> None:
    curve = curve_of(Durations.from_values(*SMALL))
    assert [step.time for step in curve.steps] == [1, 2, 3, 5]
    assert [step.survival for step in curve.steps] == pytest.approx([0.875, 0.7291667, 0.546875, 0], abs=1e-6)
    errors = [step.standard_error for step in curve.steps[:3]]
    assert errors == pytest.approx([0.1169268, 0.1649762, 0.20058], abs=1e-6)
    assert refused(curve.steps[3].standard_error) is refused(curve.steps[3].interval) is Reason.AT_THE_EDGE


@pytest.mark.parametrize(("tau", "area", "variance"), [(4, 3.15104, 0.161823), (5, 3.69792, 0.340436)])
def test_rmst__published_example__gives_area_and_variance(tau: float, area: float, variance: float) -> None:
    """METHODS 8, by hand from the Kaplan-Meier row."""
    found = computed(restricted_mean(Durations.from_values(*SMALL), tau=tau))
    assert found.estimate == pytest.approx(area, abs=5e-6)
    assert found.standard_error**2 == pytest.approx(variance, abs=5e-7)


@pytest.mark.parametrize(
    ("control", "variant", "statistic", "p_value"),
    [
        (SMALL, OTHER, 2.14673, 0.14287),
        # R survdiff, in lifelines/tests/test_statistics.py
        (([10, 20, 50], [1, 1, 1]), ([10, 20, 30], [1, 1, 1]), 0.254237, 0.614107),
    ],
)
def test_log_rank__published_example__gives_the_answers_of_r(
    control: Any, variant: Any, statistic: float, p_value: float
) -> None:
    found = computed(log_rank(Durations.from_values(*control), Durations.from_values(*variant)))
    assert (found.statistic, found.p_value) == pytest.approx((statistic, p_value), abs=5e-6)
    assert found.degrees_of_freedom == 1


# ── Real data: data/README.md ─────────────────────────────────────────────────
def waltons(real_data: Path) -> tuple[Durations, Durations]:
    frame = pd.read_csv(real_data / "survival" / "lifelines_waltons.csv")
    groups = [frame[frame.group == name] for name in ("control", "miR-137")]
    control, mutant = (Durations.from_values(part["T"].to_numpy(), part.E.to_numpy()) for part in groups)
    return control, mutant


def lung(real_data: Path) -> tuple[pd.DataFrame, Durations, Durations]:
    frame = pd.read_csv(real_data / "survival" / "lifelines_lung.csv")
    parts = [frame[frame.sex == sex] for sex in (1, 2)]
    men, women = (Durations.from_values(part.time.to_numpy(), part.status.to_numpy()) for part in parts)
    return frame, men, women


def test_waltons__genotypes__gives_log_rank_medians_and_shares(real_data: Path) -> None:
    control, mutant = waltons(real_data)
    assert [(group.n, group.left) for group in (control, mutant)] == [(129, 122), (34, 34)]
    found = computed(log_rank(control, mutant))
    assert found.statistic == pytest.approx(122.2491, abs=5e-5)
    assert found.p_value == pytest.approx(2.04e-28, rel=0.003, abs=0)
    assert found.observed > found.expected
    groups = (control, mutant, control + mutant)
    assert [computed(median_time(curve_of(group))).time for group in groups] == [58, 26, 56]
    for group, shares in ((control, (0.984435, 0.953183, 0.378595)), (mutant, (0.647059, 0.117647, 0.058824))):
        assert [curve_of(group).survival_at(day) for day in (20, 40, 60)] == pytest.approx(shares, abs=5e-7)


def test_lung__by_sex__gives_log_rank_medians_and_shares(real_data: Path) -> None:
    _, men, women = lung(real_data)
    assert [(group.n, group.left) for group in (men, women)] == [(138, 112), (90, 53)]
    found = computed(log_rank(men, women))
    assert (found.statistic, found.p_value) == pytest.approx((10.3267, 0.001311), abs=5e-5)
    assert [computed(median_time(curve_of(group))).time for group in (men, women, men + women)] == [270, 426, 310]
    for group, shares in ((men, (0.336088, 0.078124)), (women, (0.526463, 0.187232))):
        assert [curve_of(group).survival_at(day) for day in (365, 730)] == pytest.approx(shares, abs=5e-7)


def test_lung__censored_taken_for_dead__gives_the_wrong_answer_of_the_readme(real_data: Path) -> None:
    frame, _, _ = lung(real_data)
    men, women = (frame[frame.sex == sex] for sex in (1, 2))
    dead = [Durations.from_values(part.time.to_numpy(), 1 - part.status.to_numpy()) for part in (men, women)]
    found = computed(log_rank(dead[0], dead[1]))
    assert (found.statistic, found.p_value) == pytest.approx((6.229, 0.0126), abs=5e-4)


def test_lung__stratified_by_ecog__equals_statsmodels(real_data: Path) -> None:
    from statsmodels.duration.survfunc import survdiff

    frame = lung(real_data)[0].dropna(subset=["ph.ecog"])
    strata = []
    for _, part in frame.groupby("ph.ecog"):
        arms = [part[part.sex == sex] for sex in (1, 2)]
        strata.append(tuple(Durations.from_values(arm.time.to_numpy(), arm.status.to_numpy()) for arm in arms))
    found = computed(stratified_log_rank(strata))  # type: ignore[arg-type]
    expected, _ = survdiff(
        frame.time.to_numpy(), frame.status.to_numpy(), frame.sex.to_numpy(), strata=frame["ph.ecog"].to_numpy()
    )
    assert found.statistic == pytest.approx(expected, rel=1e-9)


# ── For every input ───────────────────────────────────────────────────────────
@given(UNITS, UNITS)
def test_durations__pooled__equal_recomputed(left: Any, right: Any) -> None:
    pooled, whole = durations(left) + durations(right), durations(left + right)
    counted = Durations.from_counts([(time, gone, 1) for time, gone in reversed(left + right)])
    for group in (pooled, counted):
        np.testing.assert_array_equal(group.times, whole.times)
        np.testing.assert_array_equal(group.events, whole.events)
        np.testing.assert_array_equal(group.censored, whole.censored)
    assert (whole.n, whole.left) == (len(left + right), sum(gone for _, gone in left + right))


@given(UNITS)
def test_durations__any_units__at_risk_counts_those_not_gone_before(units: Any) -> None:
    days = [0, 0.5, 3, 12, 13]
    expected = tuple(sum(time >= day for time, _ in units) for day in days)
    assert durations(units).at_risk(days) == expected
    assert at_risk_table([durations(units)], days) == (expected,)


@given(UNITS)
def test_kaplan_meier__any_units__equals_statsmodels(units: Any) -> None:
    from statsmodels.duration.survfunc import SurvfuncRight

    group = durations([*units, (13, True)])
    fit = SurvfuncRight([time for time, _ in units] + [13], [int(left) for _, left in units] + [1])
    steps = curve_of(group).steps
    assert [step.time for step in steps] == fit.surv_times.tolist()
    assert [step.survival for step in steps] == pytest.approx(fit.surv_prob.tolist(), abs=1e-12)
    known = [n for n, step in enumerate(steps) if isinstance(step.standard_error, float)]
    assert [steps[n].standard_error for n in known] == pytest.approx(fit.surv_prob_se[known].tolist(), abs=1e-12)
    for n in known:
        band, share = steps[n].interval, steps[n].survival
        assert isinstance(band, Interval)
        assert 0 <= band.low < share < band.high <= 1


@given(UNITS, UNITS, st.floats(0.01, 100))
def test_log_rank__swapped_or_rescaled__keeps_the_statistic(left: Any, right: Any, scale: float) -> None:
    a, b = durations(left), durations(right)
    found, swapped = log_rank(a, b), log_rank(b, a)
    scaled = log_rank(*(Durations(g.times * scale, g.events, g.censored) for g in (a, b)))
    if isinstance(found, NotComputable):
        assert found == swapped == scaled
        return
    other = computed(swapped)
    assert found.statistic == pytest.approx(other.statistic, rel=1e-9, abs=1e-12)
    assert computed(scaled) == found
    total = a.left + b.left
    assert found.expected + other.expected == pytest.approx(total)
    assert found.observed + other.observed == total


@given(UNITS, UNITS)
def test_stratified_log_rank__one_stratum_or_an_empty_one__equals_unstratified(left: Any, right: Any) -> None:
    a, b, nobody = durations(left), durations(right), Durations.from_counts([])
    assert stratified_log_rank([(a, b)]) == log_rank(a, b) == stratified_log_rank([(a, b), (a, nobody)])


@given(UNITS, UNITS, st.integers(1, 12), st.floats(0.01, 100))
def test_rmst__swapped_or_rescaled__flips_or_scales(left: Any, right: Any, tau: int, scale: float) -> None:
    a, b = durations(left), durations(right)
    found = compare_restricted_means(a, b, tau=tau)
    if isinstance(found, NotComputable):
        assert refused(compare_restricted_means(b, a, tau=tau)) is found.reason
        return
    swapped = computed(compare_restricted_means(b, a, tau=tau))
    assert (swapped.estimate, swapped.low, swapped.high) == pytest.approx((-found.estimate, -found.high, -found.low))
    longer = [Durations(g.times * scale, g.events, g.censored) for g in (a, b)]
    scaled = computed(compare_restricted_means(longer[0], longer[1], tau=tau * scale))
    assert scaled.estimate == pytest.approx(found.estimate * scale)
    assert scaled.standard_error == pytest.approx(found.standard_error * scale)
    assert scaled.p_value == pytest.approx(found.p_value, rel=1e-6, abs=1e-12)


@given(st.lists(st.integers(0, 12), min_size=2, max_size=40), st.integers(1, 12))
def test_rmst__nobody_censored__is_the_mean_of_the_cut_times(times: list[int], tau: int) -> None:
    """Greenwood's variance of complete data is the n-divisor variance of min(T, tau), over n."""
    found = restricted_mean(Durations.from_values(times, np.ones(len(times))), tau=tau)
    cut = np.minimum(times, tau)
    if tau > max(times):
        assert refused(found) is Reason.BEYOND_FOLLOW_UP
        return
    assert computed(found).estimate == pytest.approx(cut.mean())
    assert computed(found).standard_error ** 2 == pytest.approx(cut.var() / len(times), abs=1e-12)


# ── Edges ─────────────────────────────────────────────────────────────────────
def test_rmst__leaving_exactly_at_tau__counts_as_left_and_costs_nothing() -> None:
    group = Durations.from_counts([(5, True, 1), (9, False, 3)])
    found = computed(restricted_mean(group, tau=5))
    assert (found.estimate, found.standard_error, found.left) == (5, 0, 1)


def test_rmst__tau_on_either_side_of_the_shorter_follow_up__is_given_or_refused() -> None:
    control = Durations.from_values([2, 9, 20], [1, 1, 0])
    variant = Durations.from_values([3, 10, 14], [1, 0, 0])
    assert largest_horizon(control, variant) == 14
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
    assert (curve.survival_at(7), curve.follow_up) == (1.0, 7)
    assert refused(curve.survival_at(7.5)) is Reason.BEYOND_FOLLOW_UP
    assert refused(median_time(curve)) is Reason.MEDIAN_NOT_REACHED


def test_kaplan_meier__leaving_on_day_0__counts_from_the_start() -> None:
    curve = curve_of(Durations.from_counts([(0, True, 1), (4, False, 3)]))
    assert curve.survival_at(0) == 0.75
    assert computed(restricted_mean(Durations.from_counts([(0, True, 1), (4, False, 3)]), tau=4)).estimate == 3


@pytest.mark.parametrize(("staying", "reached"), [(1, True), (2, False)])
def test_median__share_at_or_above_one_half__is_given_or_not(staying: int, reached: bool) -> None:
    group = Durations.from_counts([(3, True, 1), (8, False, staying)])
    found = median_time(curve_of(group))
    assert isinstance(found, NotComputable) != reached


def test_median__half_by_rounded_factors__counts_as_half() -> None:
    group = Durations.from_values([*range(1, 13), *[99] * 12], [1] * 12 + [0] * 12)
    last = curve_of(group).steps[-1]
    assert last.survival > 0.5  # 0.5000000000000001: the case is a real one
    assert computed(median_time(curve_of(group))).time == last.time == 12


def test_median__bands__limits_are_where_they_reach_one_half() -> None:
    """Brookmeyer and Crowley: the band is inverted."""
    curve = curve_of(Durations.from_values(np.arange(1, 41), np.ones(40)))
    found = computed(median_time(curve))
    inside = [
        step.time
        for step in curve.steps
        if isinstance(step.interval, Interval) and step.interval.low <= 0.5 <= step.interval.high
    ]
    assert found.time == 20
    assert found.low == inside[0]
    assert found.high == inside[-1] + 1


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


# ── Simulations ───────────────────────────────────────────────────────────────
def simulated(rng: np.random.Generator, n: int, scale: float, end: float) -> Durations:
    """Exponential times in whole days, censored uniformly late: a staggered enrolment."""
    times, ends = np.floor(rng.exponential(scale, n)), np.floor(rng.uniform(end / 2, end, n))
    return Durations.from_values(np.minimum(times, ends), times <= ends)


@pytest.mark.slow
@pytest.mark.once
def test_log_rank_and_rmst__no_effect__reject_at_their_level() -> None:
    """2,000 runs of 2 x 200 units; the band holds 99.9 % of a right test's counts."""
    rng = np.random.default_rng(7)
    runs, p = 2000, np.empty((2000, 3))
    for run in range(runs):
        a, b = (simulated(rng, 200, 25, 60) for _ in range(2))
        strata = [(a, b), tuple(simulated(rng, n, 10, 60) for n in (50, 150))]
        p[run] = (
            computed(log_rank(a, b)).p_value,
            computed(stratified_log_rank(strata)).p_value,  # type: ignore[arg-type]
            computed(compare_restricted_means(a, b, tau=28)).p_value,
        )
    for alpha in (0.01, 0.05, 0.1):
        low, high = stats.binom.interval(0.999, runs, alpha)
        for rejected in (p < alpha).sum(axis=0):
            assert low <= rejected <= high, (alpha, rejected)


@pytest.mark.slow
@pytest.mark.once
def test_rmst_difference__known_truth__is_covered() -> None:
    rng = np.random.default_rng(11)
    tau, runs = 28, 2000

    def truth(scale: float) -> float:
        return float(sum(np.exp(-day / scale) for day in range(1, tau + 1)))

    # floor(T) > t on [day, day+1) means T >= day + 1.
    gap = truth(30) - truth(20)
    covered = 0
    for _ in range(runs):
        found = computed(compare_restricted_means(simulated(rng, 150, 20, 60), simulated(rng, 150, 30, 60), tau=tau))
        covered += found.low <= gap <= found.high
    assert covered / runs >= 0.94
    assert covered <= stats.binom.isf(0.0005, runs, 0.95) + 1


@settings(max_examples=50)
@given(UNITS)
def test_survival_at__any_units__falls_from_one_to_the_last_step(units: Any) -> None:
    group = durations(units)
    curve = curve_of(group)
    shares = [curve.survival_at(day) for day in np.linspace(0, group.follow_up, 9)]
    assert all(isinstance(share, float) for share in shares)
    assert shares == sorted(shares, reverse=True)  # type: ignore[type-var]
    assert shares[-1] == (curve.steps[-1].survival if curve.steps else 1.0)
