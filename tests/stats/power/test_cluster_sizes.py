"""The price of whole clusters: published numbers, limits of the formulas, and a simulated power."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stats.adjustment import cluster_difference
from stats.power.family_and_looks import Plan
from stats.power.sample_size import ClusterLaw, cluster_law, design_effect, sample_size
from stats.results import NotComputable, Reason, computable
from tests.marks import first_in_ci
from tests.rates import plausible

# Shrout and Fleiss 1979, table 2: four judges (columns) rate six targets. ICC(1,1) is .17; its F 1.79.
RATINGS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)


def law_of(groups: list[np.ndarray]) -> ClusterLaw:
    sizes, means = [len(one) for one in groups], [one.mean() for one in groups]
    found = cluster_law(sizes, means, [one.var(ddof=1) if len(one) > 1 else 0.0 for one in groups])
    assert computable(found)
    return found


def test_correlation__of_shrout_and_fleiss__is_theirs() -> None:
    found = law_of(list(RATINGS))

    assert found.correlation == pytest.approx(0.17, abs=0.005)
    assert (found.low, found.high) == pytest.approx((-0.13, 0.72), abs=0.005)
    assert (found.clusters, found.units, found.mean_size, found.variation) == (6, 24, 4, 0)


def test_correlation__of_unequal_clusters__is_that_of_the_one_way_analysis_of_variance() -> None:
    rng = np.random.default_rng(1)
    groups = [rng.normal(rng.normal(), 2, size) for size in (2, 5, 9, 30, 4)]
    n = np.array([len(one) for one in groups])
    typical = (n.sum() - (n**2).sum() / n.sum()) / 4
    ratio = float(stats.f_oneway(*groups).statistic)

    assert law_of(groups).correlation == pytest.approx((ratio - 1) / (ratio + typical - 1))


def test_design_effect__equal_clusters__is_donner_and_klars() -> None:
    assert design_effect(10, 0, 0.1) == pytest.approx(1.9)
    assert design_effect(1, 0, 0.5) == 1


@given(st.lists(st.integers(1, 500), min_size=2, max_size=30), st.floats(0, 1))
def test_design_effect__of_any_sizes__is_kishs(sizes: list[int], correlation: float) -> None:
    n = np.array(sizes, dtype=float)

    found = design_effect(n.mean(), n.std() / n.mean(), correlation)

    assert found == pytest.approx(1 + ((n**2).sum() / n.sum() - 1) * correlation)


@given(st.floats(1, 1_000), st.floats(0, 1))
def test_design_effect__variation_below_a_quarter__costs_hardly_anything(size: float, correlation: float) -> None:
    """Eldridge, Ashby and Kerry 2006: below .23 the effect of unequal sizes is negligible (at most 5.3 %)."""
    plain = design_effect(size, 0, correlation)

    assert plain <= design_effect(size, 0.23, correlation) <= 1.0530 * plain


def test_law__one_cluster_or_one_unit_each__is_a_reason() -> None:
    assert cluster_law([5], [1.0], [1.0]) == NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": 1, "needed": 2})
    assert cluster_law([1, 1], [1.0, 0.0], [0.0, 0.0]) == NotComputable(Reason.TOO_FEW_UNITS, {"n": 2, "needed": 3})
    assert cluster_law([2, 2], [1.0, 0.0], [0.0, 0.0]) == NotComputable(Reason.NO_VARIANCE)


@pytest.mark.slow
@pytest.mark.parametrize("runs", first_in_ci([400, 1_000]))
def test_interval_of_the_correlation__simulated__covers(runs: int) -> None:
    rng, covered = np.random.default_rng(7), 0
    for _ in range(runs):
        sizes = np.maximum(np.round(20 * np.exp(rng.normal(0, 0.5, 60))), 1).astype(int)
        groups = [rng.normal(rng.normal(0, np.sqrt(0.1)), np.sqrt(0.9), size) for size in sizes]
        found = law_of(groups)
        covered += found.low <= 0.1 <= found.high

    assert plausible(covered, runs, 0.95)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.8])
@pytest.mark.parametrize("runs", first_in_ci([400, 1_000]))
def test_planned_size__simulated_clusters__find_the_effect_as_often_as_promised(runs: int, spread: float) -> None:
    rng, correlation, mean = np.random.default_rng(3), 0.05, 20
    variation = float(np.sqrt(np.exp(spread**2) - 1))
    plan = Plan(sd=1.0, cluster_size=mean, cluster_variation=variation, cluster_correlation=correlation)
    size = sample_size(plan, 0.2)
    assert computable(size)
    each, found = round(size.units[0] / mean), 0
    for _ in range(runs):
        sizes = np.maximum(np.round(mean * np.exp(rng.normal(-(spread**2) / 2, spread, 2 * each))), 1).astype(int)
        cluster = np.repeat(np.arange(2 * each), sizes)
        arm = (cluster >= each).astype(float)
        shared = rng.normal(0, np.sqrt(correlation), 2 * each)[cluster]
        y = 0.2 * arm + shared + rng.normal(0, np.sqrt(1 - correlation), len(cluster))
        test = cluster_difference(y, arm, cluster)
        found += computable(test) and test.p_value < 0.05

    assert plausible(found, runs, 0.8)


def test_size__clusters_of_unequal_size__need_more_units() -> None:
    plan = Plan(baseline=0.3, cluster_size=20, cluster_correlation=0.05)
    equal, unequal = (sample_size(replace(plan, cluster_variation=one), 0.05) for one in (0.0, 1.0))

    assert computable(equal)
    assert computable(unequal)
    assert unequal.exact / equal.exact == pytest.approx((1 + 39 * 0.05) / (1 + 19 * 0.05))
