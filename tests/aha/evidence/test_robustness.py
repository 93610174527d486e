"""Robustness values against the published example, and against least squares made elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS

from aha.evidence.sensitivity import Robustness, robustness, robustness_value
from stats.results import NotComputable, Reason
from tests.stats.make import computed


def test_value__darfur__is_the_published_one() -> None:
    # Cinelli, Hazlett 2020, table 1: directly harmed, t 4.18, df 783: 13.9 %, and 7.6 % for q = 1, alpha = .05.
    assert round(robustness_value(4.18, 783), 3) == 0.139
    assert round(robustness_value(4.18, 783, alpha=0.05), 3) == 0.076


@given(st.floats(-60, 60), st.integers(2, 100_000))
def test_value__any_t__both_shares_make_exactly_that_bias(t: float, df: int) -> None:
    value = robustness_value(t, df)

    # Their equation 6 with R2_Y = R2_D = RV: the bias equals the estimate.
    assert 0 <= value < 1
    assert value**2 / (1 - value) == pytest.approx(t**2 / df, rel=1e-6, abs=1e-12)
    assert robustness_value(-t, df) == value
    assert robustness_value(t, df, alpha=0.05) <= value


def test_value__half_of_the_estimate__needs_less() -> None:
    assert robustness_value(4.18, 783, q=0.5) == robustness_value(2.09, 783)


@pytest.mark.parametrize(("t", "positive"), [(1.97, True), (1.95, False), (-1.97, True)])
def test_limit__either_side_of_significance(t: float, positive: bool) -> None:
    assert (robustness_value(t, 1_000, alpha=0.05) > 0) is positive


@pytest.mark.parametrize(("df", "q"), [(1, 1.0), (10, 0.0)])
def test_value__impossible__raises(df: int, q: float) -> None:
    with pytest.raises(ValueError, match="df of 2"):
        robustness_value(1.0, df, q=q)


def made(n: int = 800, strength: float = 1.0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(6)
    activity, other = rng.integers(1, 4, n), rng.normal(size=n)
    did = strength * activity + other + rng.normal(size=n) > 2
    outcome = 0.3 * did + 0.2 * strength * activity + 0.1 * other + rng.normal(size=n)
    dummies = (activity[:, None] == np.array([2, 3])).astype(np.float64)
    return outcome, did, dummies, other[:, None]


def test_robustness__least_squares__are_those_of_statsmodels() -> None:
    outcome, did, activity, other = made()

    found = computed(robustness(outcome, did, activity, other, seed=1))

    columns = np.column_stack([did, np.ones(len(did)), activity, other])
    theirs, without = OLS(outcome, columns).fit(), OLS(outcome, np.delete(columns, (2, 3), axis=1)).fit()
    both = [OLS(did.astype(float), kept).fit() for kept in (columns[:, 1:], np.delete(columns[:, 1:], (1, 2), axis=1))]
    assert (found.estimate, found.t, found.df) == pytest.approx((theirs.params[0], theirs.tvalues[0], theirs.df_resid))
    assert found.value == robustness_value(found.t, found.df)
    assert found.limit == robustness_value(found.t, found.df, alpha=0.05)
    assert found.activity_outcome == pytest.approx(1 - theirs.ssr / without.ssr)
    assert found.activity_did == pytest.approx(1 - both[0].ssr / both[1].ssr)


def test_robustness__a_column_twice__counts_once() -> None:
    outcome, did, activity, other = made()

    once, twice = (computed(robustness(outcome, did, activity, rest, seed=1)) for rest in (other, np.tile(other, 2)))

    assert twice.df == once.df
    assert twice.t == pytest.approx(once.t)


@pytest.mark.parametrize(("did", "outcome", "erases"), [(0.138, 0.138, False), (0.14, 0.14, True), (0.9, 0.0, False)])
def test_activity__either_side_of_the_value(did: float, outcome: float, erases: bool) -> None:
    found = Robustness(0.139, 0.076, 0.1, 4.18, 783, did, outcome, 790, 0.95)

    assert found.activity_would_erase is erases


def test_robustness__nothing_left_to_explain__is_a_reason() -> None:
    outcome, did, activity, _ = made(50)

    assert robustness(outcome, did, activity, did[:, None] * 1.0, seed=1) == NotComputable(Reason.NO_VARIANCE)
    few = robustness(outcome[:4], did[:4], activity[:4], np.eye(4), seed=1)
    assert isinstance(few, NotComputable)
    assert few.reason is Reason.TOO_FEW_UNITS


def test_robustness__more_units_than_the_models_see__are_drawn() -> None:
    assert computed(robustness(*made(), seed=1, max_units=300)).units == 300
