"""Shares, curves and association of leaving, against published numbers and SciPy."""

import numpy as np
import pytest
from scipy import stats

from segments.search.leaving import SMALLEST_SHOWN, Curve, Residual, Share, curve, leaving, rate, share
from stats.results import NotComputable, Reason, computable

# docs/methods/known_answers.md, "Survival". Seven copies pass the floor of 50 and leave the curve as it is.
TIME = np.array([3.0, 1, 2, 3, 2, 1, 5, 3])
EVENT = np.array([False, True, True, True, False, False, True, False])


def test_curve__published_data__curve_and_errors() -> None:
    found = curve(np.tile(TIME, 7), np.tile(EVENT, 7))

    assert computable(found)
    assert found.days == (1.0, 2.0, 3.0, 5.0)
    assert found.at_risk == (56, 42, 28, 7)
    assert found.survival == pytest.approx((0.875, 0.72917, 0.546875, 0), abs=5e-6)
    s, error = 0.875, 0.11693 / np.sqrt(7)
    width = np.exp(1.959964 * error / (s * np.log(s)))
    assert found.low[0] == pytest.approx(s ** (1 / width), abs=1e-5)
    assert found.high[0] == pytest.approx(s**width, abs=1e-5)
    assert (found.low[3], found.high[3]) == (None, None)


def test_curve__nobody_left__is_empty() -> None:
    assert curve(np.ones(60), np.zeros(60, dtype=bool)) == Curve((), (), (), (), ())


@pytest.mark.parametrize(("n", "shown"), [(SMALLEST_SHOWN - 1, False), (SMALLEST_SHOWN, True)])
def test_small_groups__both_sides_of_fifty(n: int, shown: bool) -> None:
    flags = np.arange(n) < 10

    assert computable(curve(np.ones(n), flags)) is shown
    assert computable(share(flags, np.ones(n, dtype=bool))) is shown
    residuals, _ = leaving(np.repeat([0, 1], [200, n]), np.arange(200 + n) % 3 == 0)
    assert isinstance(residuals[1], Residual) is shown


def test_rate__published() -> None:
    # Newcombe 1998, table I: 81 of 263.
    found = rate(81, 263)

    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    assert rate(0, 60).low == 0


def test_share__without_flags__has_a_reason() -> None:
    assert share(None, np.ones(60, dtype=bool)) == NotComputable(Reason.NO_DATA)


def test_share__thirty_of_sixty__counts_the_members_only() -> None:
    found = share(np.arange(100) < 30, np.arange(100) < 60)

    assert isinstance(found, Share)
    assert (found.count, found.n, found.estimate) == (30, 60, 0.5)
    assert (found.low, found.high) == pytest.approx(_limits(30, 60))


def _limits(count: int, n: int) -> tuple[float, float]:
    interval = stats.binomtest(count, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def test_leaving__three_clusters__as_scipy_and_by_hand() -> None:
    labels = np.repeat([0, 1, 2, -1], [100, 80, 60, 50])
    left = np.concatenate([np.arange(100) < 20, np.arange(80) < 40, np.arange(60) < 15, np.ones(50, dtype=bool)])

    residuals, association = leaving(labels, ~left)

    table = np.array([[20, 80], [40, 40], [15, 45]])
    assert computable(association)
    assert association.cramers_v == pytest.approx(stats.contingency.association(table, method="cramer"))
    assert association.statistic == pytest.approx(stats.chi2_contingency(table, correction=False).statistic)
    assert association.df == 2
    # Cluster 1: expected 25, variance 25 (1 - 80/240)(1 - 75/240) = 11.4583.
    second = residuals[1]
    assert computable(second)
    assert second.value == pytest.approx(15 / np.sqrt(11.458333))
    assert second.p_value == pytest.approx(2 * stats.norm.sf(4.4313), rel=1e-3)
    assert second.adjusted_p_value == pytest.approx(3 * second.p_value)


def test_leaving__two_clusters__residual_squared_is_chi_square() -> None:
    rng = np.random.default_rng(1)
    labels, retained = rng.integers(0, 2, 500), rng.random(500) < 0.6

    residuals, association = leaving(labels, retained)

    first, second = residuals[0], residuals[1]
    assert computable(association)
    assert computable(first)
    assert computable(second)
    assert first.value**2 == pytest.approx(association.statistic)
    assert second.value == pytest.approx(-first.value)


def test_leaving__nothing_to_compare__has_a_reason() -> None:
    one, association = leaving(np.zeros(100, dtype=int), np.arange(100) < 50)
    all_stay, without = leaving(np.arange(200) % 2, np.ones(200, dtype=bool))

    assert association == NotComputable(Reason.TOO_FEW_STRATA)
    assert without == NotComputable(Reason.NO_VARIANCE)
    assert isinstance(one[0], NotComputable)
    assert isinstance(all_stay[1], NotComputable)


@pytest.mark.slow
def test_leaving__no_association__p_values_uniform() -> None:
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(1000):
        _, association = leaving(rng.integers(0, 4, 800), rng.random(800) < 0.4)
        assert computable(association)
        p_values.append(association.p_value)

    assert stats.kstest(p_values, "uniform").pvalue > 0.001
