"""One look among several: its critical value, its repeated p-value, and that they never disagree."""

from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments.analyse.comparison.protocol import Pair
from experiments.analyse.engine import simultaneous
from stats.compare import by_z
from stats.results import Estimate, NotComputable
from stats.sequential.boundaries import Spending, bounds, sequence_multiplier, tightest_rho_squared
from stats.sequential.looks import SMALLEST_P, Look, fixed
from tests.stats.make import computed


def test_fixed__is_the_plain_test() -> None:
    look = fixed(0.05)

    assert look.critical == pytest.approx(1.959964, abs=1e-6)
    assert look.nominal_alpha == 0.05
    assert look.p_value(0.03) == 0.03
    assert not look.is_repeated


# Reboussin et al. 2000 (ldbounds), five equal looks, O'Brien-Fleming type.
@pytest.mark.parametrize(("looks", "expected"), [(1, 4.877), (2, 3.357), (3, 2.680), (4, 2.290), (5, 2.031)])
def test_group_sequential__critical__is_the_published_bound(looks: int, expected: float) -> None:
    look = Look(0.05, "group_sequential", fractions=tuple(0.2 * k for k in range(1, looks + 1)))

    assert look.critical == pytest.approx(expected, abs=6e-4)
    assert look.nominal_alpha == pytest.approx(2 * stats.norm.sf(look.critical), rel=1e-12)


def test_always_valid__critical__is_the_sequence() -> None:
    look = Look(0.05, "always_valid", units=5_000, planned_units=5_000)

    # docs/methods/comparison.md, "Confidence sequence": k(5,000) = 3.035 for a plan of 5,000.
    assert look.critical == pytest.approx(3.035, abs=1e-3)
    r2 = tightest_rho_squared(5_000)
    assert look.critical == sequence_multiplier(5_000, rho_squared=r2)


@settings(max_examples=25, deadline=None)
@given(
    z=st.floats(0.5, 6.0),
    method=st.sampled_from(["group_sequential", "always_valid"]),
    spending=st.sampled_from(list(Spending)),
    share=st.floats(0.1, 1.0),
)
def test_repeated_p__below_alpha__exactly_beyond_the_bound(
    z: float, method: str, spending: Spending, share: float
) -> None:
    look = Look(
        0.05, method, units=round(share * 4_000), planned_units=4_000, fractions=(share / 2, share), spending=spending
    )
    nominal = 2 * float(stats.norm.sf(z))

    if abs(z - look.critical) > 1e-3:
        assert (look.p_value(nominal) < 0.05) == (z > look.critical)
        assert (nominal < look.nominal_alpha) == (z > look.critical)


def test_repeated_p__of_a_group_sequential_look__inverts_the_bounds() -> None:
    fractions = (0.3, 0.7)
    look = Look(0.05, "group_sequential", fractions=fractions)

    for alpha in (0.001, 0.02, 0.3):
        bound = bounds(fractions, alpha=alpha)[-1]
        assert look.p_value(2 * float(stats.norm.sf(bound))) == pytest.approx(alpha, rel=1e-3)


@pytest.mark.parametrize("method", ["group_sequential", "always_valid"])
def test_repeated_p__at_the_ends__stays_a_probability(method: str) -> None:
    look = Look(0.05, method, units=1_000, planned_units=2_000, fractions=(0.5,))

    assert look.p_value(1.0) == pytest.approx(1.0, abs=1e-6)
    # Below that a planned look spends less than 1e-15, which the recursion counts as nothing.
    assert 0 <= look.p_value(0.0) <= (1e-7 if method == "group_sequential" else SMALLEST_P)


class Standard:
    """A comparison whose difference is 0 with a standard error of 1."""

    def difference(self, *, alpha: float) -> Estimate | NotComputable:
        return by_z(0.0, 1.0, alpha, "z")


@pytest.mark.parametrize(
    ("look", "wanted"),
    [
        (Look(0.05, "group_sequential", fractions=(0.2,)), 5.463),
        (Look(0.05, "group_sequential", fractions=(0.2, 0.4, 0.6)), 3.027),
        (Look(0.05, "always_valid", units=5_000, planned_units=5_000), 3.279),
        (fixed(0.05), 2.241),
    ],
)
def test_simultaneous__is_the_same_plan_at_alpha_over_m(look: Look, wanted: float) -> None:
    # Dividing the look's own level by 2 gave 5.012, 2.905 and 3.238 in version 0.3.
    found = computed(simultaneous(cast("Pair", Standard()), look, 2))

    assert found.high == pytest.approx(wanted, abs=1e-3)


@pytest.mark.slow
def test_repeated_p__looking_daily_without_effect__is_below_alpha_rarely_enough() -> None:
    rng = np.random.default_rng(11)
    steps = np.linspace(0.05, 1.0, 20)
    noise = rng.normal(size=(2_000, 20)) * np.sqrt(np.diff(steps, prepend=0.0))
    z = np.cumsum(noise, axis=1) / np.sqrt(steps)
    crossed = {"group_sequential": 0, "always_valid": 0}
    for method in crossed:
        critical = np.array(
            [
                Look(
                    0.05, method, units=round(4_000 * t), planned_units=4_000, fractions=tuple(steps[: k + 1])
                ).critical
                for k, t in enumerate(steps)
            ]
        )
        crossed[method] = int((np.abs(z) >= critical).any(axis=1).sum())
    # 99.9 % of binomials of 2,000 at .05 lie below 132.
    assert crossed["group_sequential"] <= 132
    assert crossed["always_valid"] <= 132
    assert crossed["group_sequential"] >= 68  # it spends its alpha
