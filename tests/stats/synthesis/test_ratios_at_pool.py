"""Ratios of findings to promises: by hand, where promises are exact, and their errors in a simulated world."""

import numpy as np
import pytest

from stats.synthesis import ratios_at_pool


def test_exact_promises__give_plain_ratios_and_errors() -> None:
    found = ratios_at_pool(np.array([0.1, -0.05]), np.array([0.02, 0.04]), np.array([0.2, 0.4]), np.zeros(2))

    assert found.values == pytest.approx([0.5, -0.125])
    assert found.errors == pytest.approx([0.1, 0.1])


def test_one_pair__by_hand() -> None:
    # r = .1/.2 = .5 = f/p, so nothing is left to move: q = p, and the error is sqrt(.02^2 + .25 * .04^2) / .2.
    found = ratios_at_pool(np.array([0.1]), np.array([0.02]), np.array([0.2]), np.array([0.04]))

    assert found.values == pytest.approx([0.5])
    assert found.errors == pytest.approx([(0.02**2 + 0.25 * 0.04**2) ** 0.5 / 0.2])


def test_small_ratio__claims_no_smaller_error_than_a_large_one() -> None:
    # Alike in everything but what was found: .02 and .18 of promises of .2.
    found = ratios_at_pool(np.array([0.02, 0.18]), np.full(2, 0.02), np.full(2, 0.2), np.full(2, 0.06))

    # By the delta method at each ratio's own value .104 and .288: a weight of eight to one.
    assert found.errors[0] / found.errors[1] > 0.8


def test_finding_far_from_the_promise__moves_it_to_half_at_most() -> None:
    found = np.array([0.16, 0.16, 0.16, -0.5])
    ratios = ratios_at_pool(found, np.full(4, 0.02), np.full(4, 0.2), np.full(4, 0.1))

    assert np.isfinite(ratios.values).all()
    assert ratios.values[3] < 0
    assert (ratios.errors > 0).all()


@pytest.mark.parametrize("ratio", [0.25, 0.8])
def test_errors__are_those_of_the_values__when_promises_are_known_to_a_third(ratio: float) -> None:
    """Large collections of one ratio: standardised values have mean 0 and variance 1 around the truth."""
    rng = np.random.default_rng(3)
    true = rng.uniform(0.08, 0.2, 20_000)
    promised = np.maximum(rng.normal(true, 0.3 * true), 0.01)
    found = rng.normal(ratio * true, 0.02)

    pooled = ratios_at_pool(found, np.full(20_000, 0.02), promised, 0.3 * true)

    weights = 1 / pooled.errors**2
    assert weights @ pooled.values / weights.sum() == pytest.approx(ratio, rel=0.02)
    assert ((pooled.values - ratio) / pooled.errors).var() == pytest.approx(1.0, abs=0.1)
