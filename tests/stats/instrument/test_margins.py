"""Nudges of different strength: the effect between neighbours, and the test that it is one effect."""

import numpy as np
import pytest

from stats.instrument.arms import arms_effect_set
from stats.instrument.encouragement import wald
from stats.instrument.margins import effect_at_margins
from stats.iv_moments import iv_moments
from stats.results import NotComputable, Reason, computable
from stats.summaries import Joint
from tests.stats.make import computed


def arms(seed: int, take_up: tuple[float, ...], effects: tuple[float, float], n: int = 3_000) -> list[Joint]:
    """Users ordered by how easily they are moved: the first 30 % of them gain effects[0], the others effects[1]."""
    rng = np.random.default_rng(seed)
    found = []
    for share in take_up:
        place = rng.random(n)
        did = place < share
        kept = rng.random(n) < 0.2 + 0.2 * (1 - place) + did * np.where(place < 0.3, *effects)
        found.append(Joint.from_columns(np.column_stack([kept, did]).astype(float)))
    return found


def test_margins__rows__are_the_ratios_of_neighbours_in_take_up() -> None:
    control, weak, strong = arms(1, (0.1, 0.3, 0.5), (0.3, 0.1))
    found = computed(effect_at_margins(control, [strong, weak]))

    assert [(row.weaker, row.stronger) for row in found.rows] == [(0, 2), (2, 1)]
    for row, (low, high) in zip(found.rows, ((control, weak), (weak, strong)), strict=True):
        expected = computed(wald(computed(iv_moments(low, high))))
        assert computed(row.effect).estimate == pytest.approx(expected.estimate)
        assert (row.take_up_low, row.take_up_high) == pytest.approx((low.means[1], high.means[1]))
    assert found.degrees_of_freedom == 1


def test_margins__weighted_by_their_users__are_the_effect_of_the_strongest() -> None:
    control, weak, strong = arms(2, (0.1, 0.3, 0.5), (0.3, 0.1))
    found = computed(effect_at_margins(control, [weak, strong]))
    sizes = np.array([row.take_up_high - row.take_up_low for row in found.rows])
    effects = [computed(row.effect).estimate for row in found.rows]

    assert sizes @ effects / sizes.sum() == pytest.approx(
        computed(wald(computed(iv_moments(control, strong)))).estimate
    )


@pytest.mark.slow
def test_margins__statistic__is_the_smallest_over_common_effects() -> None:
    """Where the joint set at some level is empty, its quantile lies below the smallest statistic, and the other way."""
    control, *nudged = arms(3, (0.1, 0.3, 0.5), (0.4, 0.0))
    found = computed(effect_at_margins(control, nudged))
    grid = np.linspace(-2, 2, 40_001)
    gaps = np.array([arm.means[:2] - control.means[:2] for arm in nudged])
    parts = [group.covariance / group.n for group in (control, *nudged)]

    def statistic(b: float) -> float:
        v = [part[0, 0] - 2 * b * part[0, 1] + b**2 * part[1, 1] for part in parts]
        gap = gaps[:, 0] - b * gaps[:, 1]
        return float(gap @ np.linalg.solve(np.diag(v[1:]) + v[0], gap))

    assert found.statistic == pytest.approx(min(map(statistic, grid)), rel=1e-5)
    wide = computed(arms_effect_set(control, nudged, alpha=1e-8))
    assert computable(wide)
    assert not wide.empty


def test_margins__without_variation__says_so() -> None:
    control, weak, strong = arms(4, (0.1, 0.3, 0.5), (0.3, 0.1))
    still = Joint(control.n, np.array([control.means[0], 0.0]), np.diag([control.covariance[0, 0], 0.0]))

    assert effect_at_margins(still, [weak, strong]) == NotComputable(Reason.NO_VARIANCE)
    with pytest.raises(ValueError, match="at least 2"):
        effect_at_margins(control, [weak])


@pytest.mark.slow
@pytest.mark.proof
def test_margins__1_000_experiments__test_and_sets_keep_their_levels() -> None:
    for take_up, most in (((0.1, 0.3, 0.5), 0.065), ((0.1, 0.12, 0.13), 0.05)):
        rejected, covers = [], []
        for seed in range(1_000):
            control, *nudged = arms(100 + seed, take_up, (0.2, 0.2), n=2_000)
            found = computed(effect_at_margins(control, nudged))
            rejected.append(found.p_value < 0.05)
            covers += [computable(row.effect_set) and row.effect_set.contains(0.2) for row in found.rows]
        assert np.mean(rejected) <= most
        assert np.mean(covers) >= 0.94
    found_it = [
        computed(effect_at_margins(one[0], one[1:])).p_value < 0.05
        for one in (arms(seed, (0.1, 0.3, 0.5), (0.3, 0.0), n=2_000) for seed in range(200))
    ]
    assert np.mean(found_it) > 0.5
