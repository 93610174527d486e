"""Score intervals of many shares at once, against statsmodels and published numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from statsmodels.stats.proportion import proportion_confint

from stats.score import newcombe_limits, share, wilson_limits

COUNTS = st.integers(1, 500)


def test_wilson__many_shares_at_once__equal_statsmodels() -> None:
    part, whole = np.array([0, 1, 7, 34, 500]), np.array([10, 34, 34, 34, 1000])

    low, high = wilson_limits(part, whole)

    expected = proportion_confint(part, whole, method="wilson")
    assert_allclose(low, expected[0], atol=1e-12)
    assert_allclose(high, expected[1], atol=1e-12)
    assert (low[0], high[3]) == (0.0, 1.0)


def test_shares__no_whole__is_nan_with_its_limits() -> None:
    assert np.isnan([share(0, 0), *wilson_limits(0, 0), *newcombe_limits((0, 0), (1, 2))]).all()


def test_newcombe__seven_of_34_against_one__equals_the_published_interval() -> None:
    # Fagerland, Lydersen and Laake 2015.
    low, high = newcombe_limits((7, 34), (1, 34))

    assert (round(float(low), 3), round(float(high), 2)) == (0.019, 0.34)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_newcombe__any_counts__hold_the_difference_and_turn_with_the_groups(a: int, b: int, c: int, o: int) -> None:
    doers, others = (b, b + c), (a, a + o)

    low, high = newcombe_limits(doers, others)

    assert low <= share(*doers) - share(*others) <= high
    assert_allclose(newcombe_limits(others, doers), (-high, -low))
