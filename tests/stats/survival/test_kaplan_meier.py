"""Time to churn: published answers, real data, facts that hold for every input."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.results import Interval, NotComputable, Reason
from stats.survival.kaplan_meier import Durations, SurvivalCurve, at_risk_table, kaplan_meier
from stats.survival.logrank import stratified_log_rank
from stats.survival.rmst import compare_restricted_means, restricted_mean
from tests.marks import first_in_ci
from tests.rates import plausible
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
    """By hand, from the Kaplan-Meier curve (docs/methods/known_answers.md)."""
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


def share_at(curve: SurvivalCurve, day: float) -> float:
    return next((step.survival for step in reversed(curve.steps) if step.time <= day), 1.0)


def median(curve: SurvivalCurve) -> float:
    return next(step.time for step in curve.steps if step.survival <= 0.5)


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
    assert [median(curve_of(group)) for group in groups] == [58, 26, 56]
    for group, shares in ((control, (0.984435, 0.953183, 0.378595)), (mutant, (0.647059, 0.117647, 0.058824))):
        assert [share_at(curve_of(group), day) for day in (20, 40, 60)] == pytest.approx(shares, abs=5e-7)


def test_lung__by_sex__gives_log_rank_medians_and_shares(real_data: Path) -> None:
    _, men, women = lung(real_data)
    assert [(group.n, group.left) for group in (men, women)] == [(138, 112), (90, 53)]
    found = computed(log_rank(men, women))
    assert (found.statistic, found.p_value) == pytest.approx((10.3267, 0.001311), abs=5e-5)
    assert [median(curve_of(group)) for group in (men, women, men + women)] == [270, 426, 310]
    for group, shares in ((men, (0.336088, 0.078124)), (women, (0.526463, 0.187232))):
        assert [share_at(curve_of(group), day) for day in (365, 730)] == pytest.approx(shares, abs=5e-7)


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
@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
@given(UNITS, UNITS)
def test_stratified_log_rank__an_empty_stratum__changes_nothing(left: Any, right: Any) -> None:
    a, b, nobody = durations(left), durations(right), Durations.from_counts([])
    assert stratified_log_rank([(a, b)]) == stratified_log_rank([(a, b), (a, nobody)])


@pytest.mark.slow
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


# ── Simulations ───────────────────────────────────────────────────────────────
def simulated(rng: np.random.Generator, n: int, scale: float, end: float) -> Durations:
    """Exponential times in whole days, censored uniformly late: a staggered enrolment."""
    times, ends = np.floor(rng.exponential(scale, n)), np.floor(rng.uniform(end / 2, end, n))
    return Durations.from_values(np.minimum(times, ends), times <= ends)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("runs", first_in_ci([400, 2_000]))
def test_log_rank_and_rmst__no_effect__reject_at_their_level(runs: int) -> None:
    """2 x 200 units."""
    rng = np.random.default_rng(7)
    p = np.empty((runs, 3))
    for run in range(runs):
        a, b = (simulated(rng, 200, 25, 60) for _ in range(2))
        strata = [(a, b), tuple(simulated(rng, n, 10, 60) for n in (50, 150))]
        p[run] = (
            computed(log_rank(a, b)).p_value,
            computed(stratified_log_rank(strata)).p_value,  # type: ignore[arg-type]
            computed(compare_restricted_means(a, b, tau=28)).p_value,
        )
    for alpha in (0.01, 0.05, 0.1):
        for rejected in (p < alpha).sum(axis=0):
            assert plausible(rejected, runs, alpha)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("runs", first_in_ci([400, 2_000]))
def test_rmst_difference__known_truth__is_covered(runs: int) -> None:
    rng = np.random.default_rng(11)
    tau = 28

    def truth(scale: float) -> float:
        return float(sum(np.exp(-day / scale) for day in range(1, tau + 1)))

    # floor(T) > t on [day, day+1) means T >= day + 1.
    gap = truth(30) - truth(20)
    covered = 0
    for _ in range(runs):
        found = computed(compare_restricted_means(simulated(rng, 150, 20, 60), simulated(rng, 150, 30, 60), tau=tau))
        covered += found.low <= gap <= found.high
    assert plausible(covered, runs, 0.95)


@settings(max_examples=50)
@given(UNITS)
def test_kaplan_meier__any_units__falls_from_one_step_to_the_next(units: Any) -> None:
    steps = curve_of(durations(units)).steps
    shares = [1.0, *(step.survival for step in steps)]
    assert all(left > right >= 0 for left, right in pairwise(shares))
    assert all(left.time < right.time for left, right in pairwise(steps))
