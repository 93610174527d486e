"""Guardrails at a look: both sides of each threshold, other packages' tests, and the same plan at another rate."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.weightstats import CompareMeans

from stats.compare import compare_means, compare_proportions
from stats.results import Estimate, computable
from stats.sequential.looks import Look, fixed
from stats.sequential.non_inferiority import Safety, judge, one_sided
from stats.summaries import Mean


def estimate(value: float, *, error: float = 0.01, critical: float = 1.96) -> Estimate:
    """An effect by z."""
    half = critical * error
    p_value = 2 * float(stats.norm.sf(abs(value) / error))
    return Estimate(value, error, value - half, value + half, p_value, 0.95, "x")


def safety(value: float, *, margin: float | None = 0.03, higher: bool = True, tests: int = 1) -> Safety:
    """What is known of one guardrail with a standard error of .01 at the fixed end."""
    narrow = estimate(value, critical=float(stats.norm.isf(0.05)))
    return judge(estimate(value), narrow, higher_is_better=higher, margin=margin, alpha=0.05, tests=tests).safety


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-0.01354, Safety.NO_HARM),  # the limit of the loss is .01354 + 1.645 · .01 = .02999
        (-0.01356, Safety.UNKNOWN),
        (-0.0195, Safety.UNKNOWN),
        (-0.0197, Safety.HARM),
        (0.05, Safety.NO_HARM),
    ],
)
def test_safety__on_both_sides_of_margin_and_level(value: float, expected: Safety) -> None:
    assert safety(value) is expected
    assert safety(-value, higher=False) is expected


def test_safety__loss_proved_inside_the_margin__is_harm() -> None:
    assert safety(-0.03, margin=0.06) is Safety.HARM


def test_safety__no_margin__is_never_no_harm() -> None:
    assert safety(0.05, margin=None) is Safety.UNKNOWN
    assert safety(-0.05, margin=None) is Safety.HARM


def test_harm__of_several_tests__needs_more() -> None:
    assert safety(-0.021, tests=1) is Safety.HARM  # p = .036
    assert safety(-0.021, tests=2) is Safety.UNKNOWN


@pytest.mark.parametrize("counts", [(300, 1_000, 285, 1_000), (30, 1_000, 41, 900), (5, 400, 9, 380)])
def test_loss__shares__is_the_margin_at_which_the_score_test_turns(counts: tuple[int, int, int, int]) -> None:
    """Farrington, Manning 1990, with the likelihood under the margin maximised here by search."""
    c, n0, t, n1 = counts
    groups = Mean.from_counts(c, n0), Mean.from_counts(t, n1)
    wide, narrow = (compare_proportions(*groups, alpha=alpha) for alpha in (0.05, 0.1))
    assert computable(wide)
    assert computable(narrow)

    loss = judge(wide, narrow, higher_is_better=True, margin=0.05, alpha=0.05).loss

    def minus_likelihood(p0: float) -> float:
        return -float(stats.binom.logpmf(c, n0, p0) + stats.binom.logpmf(t, n1, p0 - loss))

    found = optimize.minimize_scalar(
        minus_likelihood, bounds=(loss + 1e-9, 0.999), method="bounded", options={"xatol": 1e-12}
    )
    p0, p1 = found.x, found.x - loss
    z = (t / n1 - c / n0 + loss) / sqrt(p0 * (1 - p0) / n0 + p1 * (1 - p1) / n1)
    assert stats.norm.sf(z) == pytest.approx(0.05, abs=1e-6)


def test_loss__means__is_the_margin_at_which_the_t_test_turns() -> None:
    rng = np.random.default_rng(1)
    control, variant = rng.normal(5, 2, 80), rng.normal(4.8, 3, 60)
    groups = Mean.from_values(control), Mean.from_values(variant)
    wide, narrow = (compare_means(*groups, alpha=alpha) for alpha in (0.05, 0.1))
    assert computable(wide)
    assert computable(narrow)

    loss = judge(wide, narrow, higher_is_better=True, margin=1, alpha=0.05).loss

    pair = CompareMeans.from_data(variant, control)
    p_value = pair.ttest_ind(alternative="larger", usevar="unequal", value=-loss)[1]
    assert p_value == pytest.approx(0.05, abs=1e-9)


def test_one_sided__every_method__asks_less_than_the_plan_itself() -> None:
    looks = [
        fixed(0.05),
        Look(0.05, "group_sequential", fractions=(0.5, 1.0), final=True),
        Look(0.05, "always_valid", units=4_000, planned_units=5_000),
    ]

    for look in looks:
        assert one_sided(look).critical < look.critical
        assert one_sided(look) == replace(look, alpha=0.1)
    assert one_sided(looks[0]).critical == pytest.approx(1.644854, abs=1e-6)
