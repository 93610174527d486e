"""Differences of quantiles: the density's bandwidth, the column whose mean they are, and simulated experiments."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.audit_04 import quantile_ties
from stats.compare import compare_means
from stats.quantiles import bandwidth, linearised_quantile, order_limits, quantile_point
from stats.summaries import Mean
from tests.marks import first_in_ci
from tests.rates import at_least, at_most, plausible
from tests.stats.make import computed


def arm(values: np.ndarray, share: float) -> Mean:
    """One arm as the warehouse answers it: three quantiles, and the share at or below the middle one."""
    ordered, n = np.sort(values), len(values)
    width = bandwidth(n, share)

    def at(one: float) -> float:
        return float(ordered[max(int(np.ceil(one * n - 1e-9)) - 1, 0)])

    on = int((values == at(share)).sum())
    point = quantile_point(n, share, at(share), at(share - width), at(share + width), on=on)
    below = (values <= point.value).astype(float)
    mean, variance = linearised_quantile(np.array(below.mean()), np.array(below.var(ddof=1)), point)
    return Mean(n, float(mean), float(variance))


@pytest.mark.parametrize(("n", "share"), [(1_000, 0.5), (1_000, 0.9), (100_000, 0.5)])
def test_bandwidth__is_hall_and_sheathers(n: int, share: float) -> None:
    """As quantreg's bandwidth.rq writes it: n^(-1/3) z(.975)^(2/3) ((1.5 phi(x)^2) / (2 x^2 + 1))^(1/3)."""
    x = stats.norm.ppf(share)
    by_hand = n ** (-1 / 3) * 1.959964 ** (2 / 3) * (1.5 * stats.norm.pdf(x) ** 2 / (2 * x**2 + 1)) ** (1 / 3)

    assert bandwidth(n, share) == pytest.approx(by_hand, rel=1e-6)


def test_bandwidth__few_units_and_an_extreme_share__stays_inside() -> None:
    assert bandwidth(10, 0.99) == pytest.approx(0.005)


def test_arm__standard_error__is_that_of_the_normal_median() -> None:
    """The median of n normal values has the standard error sqrt(pi / 2 / n)."""
    found = arm(np.random.default_rng(1).normal(5, 2, 200_000), 0.5)

    assert found.mean == pytest.approx(5, abs=0.02)
    assert found.standard_error == pytest.approx(2 * np.sqrt(np.pi / 2 / 200_000), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("law", ["lognormal", "tenths"])
@pytest.mark.parametrize("runs", first_in_ci([200, 1_000]))
def test_difference__simulated__covers_the_truth(runs: int, law: str, share: float) -> None:
    """2,000 units an arm."""
    rng, covered, shift = np.random.default_rng(20261126), 0, 1.2
    truth = (shift - 1) * np.exp(3 + 0.8 * stats.norm.ppf(share))
    for _ in range(runs):
        control, variant = np.exp(3 + 0.8 * rng.normal(size=2_000)), shift * np.exp(3 + 0.8 * rng.normal(size=2_000))
        if law == "tenths":
            control, variant = np.round(control, 1), np.round(variant, 1)
        found = computed(compare_means(arm(control, share), arm(variant, share)))
        covered += found.low <= truth <= found.high

    assert plausible(covered, runs, 0.95)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "share"), [(50, 0.9), (500, 0.99), (2_000, 0.9)])
@pytest.mark.parametrize("law", ["lognormal", "pareto"])
@pytest.mark.parametrize("runs", first_in_ci([200, 500]))
def test_difference__skewed_law_and_few_units__covers_the_truth(runs: int, law: str, n: int, share: float) -> None:
    """At the fewest units for which an error is given, and at many."""
    rng, covered, shift = np.random.default_rng(20261127), 0, 1.2

    def drawn() -> np.ndarray:
        return np.exp(3 + 0.8 * rng.normal(size=n)) if law == "lognormal" else (1 - rng.random(n)) ** (-1 / 1.5)

    at = np.exp(3 + 0.8 * stats.norm.ppf(share)) if law == "lognormal" else (1 - share) ** (-1 / 1.5)
    for _ in range(runs):
        found = computed(compare_means(arm(drawn(), share), arm(shift * drawn(), share)))
        covered += found.low <= (shift - 1) * at <= found.high

    assert at_least(covered, runs, 0.95)


@pytest.mark.parametrize(("n", "known"), [(50, True), (49, False)])
def test_arm__five_units_beyond_the_quantile__are_needed(n: int, known: bool) -> None:
    values = np.exp(np.random.default_rng(2).normal(size=n))

    assert (arm(values, 0.9).variance > 0) is known
    assert (arm(values, 0.1).variance > 0) is known


@pytest.mark.parametrize(("share", "on", "known"), [(0.5, 10, True), (0.5, 11, False), (0.9, 6, True), (0.9, 7, False)])
def test_quantile_point__units_on_the_quantile__at_most_one_error_of_the_share(
    share: float, on: int, known: bool
) -> None:
    """400 units: sqrt(400 p (1 - p)) is 10 at the median, 6 at the ninth tenth."""
    assert (quantile_point(400, share, 3.0, 2.0, 4.0, on=on).spread > 0) is known


@pytest.mark.parametrize("law", quantile_ties.LAWS, ids=lambda law: f"{law.name}, {law.n}")
def test_difference__one_law__is_refused_for_ties_or_alarms_as_planned(law: quantile_ties.Law) -> None:
    runs = 150

    known, alarms = quantile_ties.count(np.random.default_rng(20261216), law, runs)

    assert at_most(alarms, runs, 0.05)
    assert law.ties or known == runs


@pytest.mark.parametrize("name", ["sessions", "Poisson 3,", "minutes rounded to 5, median", "prices"])
def test_difference__many_ties__is_never_computable(name: str) -> None:
    for law in (law for law in quantile_ties.LAWS if law.name.startswith(name)):
        assert quantile_ties.count(np.random.default_rng(1), law, 50) == (0, 0)


def test_order_limits__ten_values__are_those_of_the_table() -> None:
    """The median of ten lies between the second and the ninth with 97.9 % (David and Nagaraja 2003, section 7.1)."""
    assert order_limits(10, 0.5, 0.05) == (2, 9)
    assert order_limits(5, 0.5, 0.05) == (0, 6)  # all five on one side with 3.1 %


def test_arm__most_units_share_one_value__has_no_spread() -> None:
    assert arm(np.array([0.0] * 900 + [5.0] * 100), 0.5).variance == 0
