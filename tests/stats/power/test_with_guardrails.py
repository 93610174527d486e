"""Sizes with guardrails: another package's sizes, shared chances to fail, and simulated experiments."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower

from stats.power.family_and_looks import Method, Plan
from stats.power.sample_size import power_at, sample_size
from stats.power.with_guardrails import Watched, guarded_size, power_to_ship
from stats.ratios import unit_sd
from stats.results import NotComputable
from tests.stats.make import computed

SHARE = Plan(baseline=0.3)


@pytest.mark.parametrize(("margin", "sd", "ratio"), [(0.2, 1.0, 1.0), (0.05, 0.4, 1.0), (0.2, 1.0, 0.5)])
def test_guardrail__of_a_mean__has_the_size_of_statsmodels(margin: float, sd: float, ratio: float) -> None:
    plan = replace(SHARE, shares=(1.0, ratio))

    found = computed(guarded_size(plan, 0.5, [Watched(margin, sd=sd)]))

    each = 1 - 0.2 / 2
    n0 = NormalIndPower().solve_power(margin / sd, alpha=0.05, power=each, ratio=ratio, alternative="larger")
    assert found.each == pytest.approx(each)
    assert found.guardrails[0] == pytest.approx((n0, n0 * ratio), abs=1)
    assert found.size.units == found.guardrails[0]


def test_guardrails__none__is_the_plain_size() -> None:
    found = computed(guarded_size(SHARE, 0.05, []))

    plain = computed(sample_size(SHARE, 0.05))
    assert found.size.units == plain.units
    assert power_to_ship(SHARE, 0.05, [], plain.units) == pytest.approx(power_at(SHARE, 0.05, plain.units))


def test_guardrails__more_of_them__share_the_chance_to_fail() -> None:
    wide = Watched(1.0, sd=0.1)  # no doubt about any of these

    sizes = [computed(guarded_size(SHARE, 0.05, [wide] * count)) for count in range(4)]

    for count, found in enumerate(sizes):
        alone = computed(sample_size(replace(SHARE, power=1 - 0.2 / (count + 1)), 0.05))
        assert found.size.units == alone.units


def test_guardrails__of_several_arms__are_compared_with_control_at_the_whole_alpha() -> None:
    plan = replace(SHARE, shares=(0.4, 0.3, 0.3), placebo=2)

    found = computed(guarded_size(plan, 0.5, [Watched(0.02, baseline=0.5)]))

    total = (stats.norm.isf(0.05) + stats.norm.ppf(0.9)) ** 2 * 0.25 * (1 / 0.4 + 1 / 0.3) / 0.02**2
    assert sum(found.size.units) == pytest.approx(total, abs=3)


def test_guardrail__of_looks__needs_more() -> None:
    watched = [Watched(0.02, baseline=0.5)]
    sizes = [
        computed(guarded_size(replace(SHARE, method=method), 0.5, watched)).size.total
        for method in (Method.FIXED, Method.GROUP_SEQUENTIAL, Method.ALWAYS_VALID)
    ]

    assert sizes == sorted(sizes)
    assert sizes[1] < 1.06 * sizes[0]


def test_guardrail__margin_of_nothing__needs_too_many() -> None:
    assert isinstance(guarded_size(SHARE, 0.05, [Watched(1e-9, baseline=0.5)]), NotComputable)


@pytest.mark.parametrize("given", [{"margin": 0.0}, {"baseline": 0.0}, {"baseline": 1.0}, {"sd": 0.0}])
def test_guardrail__impossible__is_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="guardrail"):
        Watched(**{"margin": 0.01, "baseline": 0.5, **given})


def test_ratio__spread_of_a_unit__sizes_an_experiment_that_finds_its_effect() -> None:
    """5,000 experiments of the planned size, by the delta method on the units' own columns."""
    rng, effect = np.random.default_rng(20261126), 0.1
    spread = unit_sd((2.0, 4.0), (1.0, 2.0), 0.9)
    size = computed(sample_size(Plan(baseline=0.5, sd=float(spread)), effect))  # type: ignore[arg-type]
    n, runs = size.units[0], 5_000
    cov = np.array([[1.0, 0.9], [0.9, 2.0]]) / n
    control = rng.multivariate_normal((2.0, 4.0), cov, runs)
    variant = rng.multivariate_normal((2.0 + effect * 4, 4.0), cov, runs)

    difference = variant[:, 0] / variant[:, 1] - control[:, 0] / control[:, 1]
    found = float(np.mean(difference / (float(spread) * np.sqrt(2 / n)) > stats.norm.isf(0.025)))  # type: ignore[arg-type]

    assert found == pytest.approx(0.8, abs=0.06)  # the variant's own ratio has another spread
