"""The difference of two independent estimates, against a published example and its own symmetries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats.results import Estimate, NotComputable, Reason
from stats.synthesis import difference_of
from tests.stats.make import computed

NUMBERS = st.floats(-1e3, 1e3, allow_nan=False)
ERRORS = st.floats(1e-3, 1e3)


def estimate(value: float, error: float) -> Estimate:
    return Estimate(value, error, value - error, value + error, 0.5, 0.95, "x")


def test_difference__of_altman_and_bland__has_their_numbers() -> None:
    """BMJ 2003;326:219: log relative risks -0.3857 (0.1884) and -0.1054 (0.1050): -0.2803, SE 0.2157, z -1.30, p .2."""
    found = computed(difference_of(estimate(-0.3857, 0.1884), estimate(-0.1054, 0.1050)))

    assert found.estimate == pytest.approx(-0.2803, abs=5e-5)
    assert found.standard_error == pytest.approx(0.2157, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((-0.703, 0.142), abs=5e-4)
    assert found.p_value == pytest.approx(0.194, abs=1e-3)


@given(NUMBERS, ERRORS, NUMBERS, ERRORS)
def test_difference__the_other_way_round__flips_its_sign(a: float, s: float, b: float, t: float) -> None:
    found = computed(difference_of(estimate(a, s), estimate(b, t)))
    other = computed(difference_of(estimate(b, t), estimate(a, s)))

    assert (found.estimate, found.low, found.high) == (-other.estimate, -other.high, -other.low)
    assert found.p_value == other.p_value


def test_difference__without_an_estimate_or_an_error__has_a_reason() -> None:
    missing = NotComputable(Reason.NO_DATA)

    assert difference_of(missing, estimate(1, 1)) == missing
    assert difference_of(estimate(1, 1), missing) == missing
    assert difference_of(estimate(1, 0), estimate(1, 0)) == NotComputable(Reason.NO_VARIANCE)
    with pytest.raises(ValueError, match="alpha"):
        difference_of(estimate(1, 1), estimate(1, 1), alpha=1)
