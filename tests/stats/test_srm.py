"""The split at any look: the martingale it rests on, its alarms on both sides, and the figures of the audit, small."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.srm import PRIORS, any_look_p, evidence_against_split, split_evidence
from tests.stats import night_ratio

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


def test_figures__small__are_met() -> None:
    """The chi-square of 0.3 gives 2 to 3 % of sound experiments an INVALID night here."""
    assert [row.what for row in night_ratio.figures(0.03) if row.met is False and "sound" in row.what] == []


@pytest.mark.slow
@pytest.mark.proof
def test_figures__of_the_audit__are_met() -> None:
    assert [row.what for row in night_ratio.figures(1) if row.met is False] == []
