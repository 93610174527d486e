"""The split at any look: the martingale it rests on, its alarms on both sides, and every night."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments.analyse.health.context import MATURE, OVERALL, SEGMENTS
from experiments.analyse.health.sample_ratio import SAMPLE_RATIO_ALARM
from stats.srm import PRIORS, any_look_p, evidence_against_split, split_evidence
from tests.marks import first_in_ci
from tests.rates import at_least, at_most

PLAN = {"a": 0.5, "b": 0.3, "c": 0.2}


def test_evidence__by_hand__is_the_ratio_of_beta_binomial_and_binomial() -> None:
    seen, n = 70, 100
    ratios = [w * stats.betabinom.pmf(seen, n, c / 2, c / 2) / stats.binom.pmf(seen, n, 0.5) for w, c in PRIORS]

    found = evidence_against_split([({"a": seen, "b": n - seen}, {"a": 1, "b": 1})])

    assert found == pytest.approx(np.log(sum(ratios)), rel=1e-9)


def test_evidence__under_the_plan__has_the_mean_one_at_every_size() -> None:
    """A martingale that starts at 1: what makes the alarm hold at any look. Summed over all counts of eight units."""
    plan = np.array(list(PLAN.values()))
    counts = np.array([row for row in product(range(9), repeat=3) if sum(row) == 8], dtype=np.float64)

    mean = (stats.multinomial.pmf(counts, 8, plan) * np.exp(split_evidence(counts, plan))).sum()

    assert mean == pytest.approx(1, rel=1e-9)


@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=3), st.floats(0.01, 100))
@settings(max_examples=50)
def test_evidence__scale_of_the_shares_and_an_arm_of_weight_zero__change_nothing(
    units: list[int], scale: float
) -> None:
    counts = dict(zip(PLAN, units, strict=True))
    scaled = {arm: scale * share for arm, share in PLAN.items()} | {"off": 0.0}

    assert evidence_against_split([(counts, PLAN)]) == pytest.approx(
        evidence_against_split([({**counts, "off": 5}, scaled)]), rel=1e-6, abs=1e-6
    )


def test_evidence__parts_with_plans_of_their_own__multiply() -> None:
    one, two = ({"a": 60, "b": 40}, {"a": 0.5, "b": 0.5}), ({"a": 85, "b": 15}, {"a": 0.8, "b": 0.2})

    assert evidence_against_split([one, two]) == pytest.approx(
        evidence_against_split([one]) + evidence_against_split([two])
    )


def test_any_look_p__both_sides__and_impossible_input() -> None:
    assert any_look_p(-3.0) == 1.0
    assert any_look_p(np.log(1000.0)) == pytest.approx(0.001)
    assert any_look_p(np.log(1000.0), share=0.5) == pytest.approx(0.002)
    with pytest.raises(ValueError, match="share"):
        any_look_p(1.0, share=0)
    with pytest.raises(ValueError, match="at least 0"):
        evidence_against_split([({"a": -1}, {"a": 1.0})])


NIGHTS, GROUPS, LAG = 90, 10, 14
FIXED = 42_686  # (z(.0005) + z(.2))^2 .25 / .01^2: units in which a chi-square at .001 finds 49:51 with power .8


def alarms(seen: np.ndarray, share: float) -> np.ndarray:
    """Whether the nightly test of these counts alarms, with its share of the error rate."""
    return np.asarray(split_evidence(seen, np.array([0.5, 0.5])) > np.log(1 / (share * SAMPLE_RATIO_ALARM)))


def both(ones: np.ndarray, per_night: int) -> np.ndarray:
    return np.stack([ones, per_night * np.arange(1, NIGHTS + 1) - ones], axis=-1).astype(np.float64)


@pytest.mark.parametrize("runs", first_in_ci([600, 10_000]))
def test_every_night__sound_split__is_seldom_called_invalid_in_ninety_nights(runs: int) -> None:
    """All units, mature ones and ten segments; the chi-square of 0.3 gave 2 to 3 %."""
    rng = np.random.default_rng(13)
    parts = [rng.binomial(50, 0.5, (runs, NIGHTS)).astype(np.int32).cumsum(axis=1) for _ in range(GROUPS)]
    whole = sum(parts[1:], parts[0])
    mature = np.concatenate([np.zeros((runs, LAG)), whole[:, :-LAG]], axis=1)
    units = np.maximum(500 * (np.arange(1, NIGHTS + 1) - LAG), 0)
    hits = alarms(both(whole, 500), OVERALL) | alarms(np.stack([mature, units - mature], axis=-1), MATURE)
    for part in parts:
        hits |= alarms(both(part, 50), SEGMENTS / GROUPS)

    assert at_most(int(hits.any(axis=1).sum()), runs, 0.003)


@pytest.mark.parametrize("runs", first_in_ci([600, 10_000]))
def test_every_night__49_to_51__is_found_within_one_and_a_half_times_the_fixed_tests_units(runs: int) -> None:
    per_night = int(1.5 * FIXED / NIGHTS)
    ones = np.random.default_rng(14).binomial(per_night, 0.49, (runs, NIGHTS)).cumsum(axis=1)

    assert at_least(int(alarms(both(ones, per_night), OVERALL).any(axis=1).sum()), runs, 0.8)


@pytest.mark.parametrize("arms", [(50, 0), (600, 400)])
def test_one_night__gross_imbalance__alarms(arms: tuple[int, int]) -> None:
    assert alarms(np.array(arms, dtype=np.float64), OVERALL)
