"""Cells against the rows they stand for, and strata against two-stage least squares with dummies."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.cells import iv_moments_cells, iv_moments_stratified, pool_cells
from stats.instrument.encouragement import anderson_rubin, iv_moments, iv_moments_adjusted, wald
from stats.results import NotComputable, Reason
from stats.stratified import risk_difference
from stats.summaries import Joint
from tests.stats.make import computed

SEEDS = st.integers(0, 10**6)


def rows_of(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """R, D, G and two discrete covariates of a made encouragement design."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.integers(0, 3, n), rng.integers(0, 2, n)]).astype(float)
    g = (rng.random(n) < 0.4).astype(float)
    g[:2], g[2:4] = 0, 1
    d = (rng.random(n) < 0.2 + 0.4 * g + 0.1 * x[:, 1]).astype(float)
    return 3 * d + x[:, 0] + rng.normal(0, 1, n), d, g, x


def cells_of(
    r: np.ndarray, d: np.ndarray, g: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    keys, code = np.unique(np.column_stack([g, x]), axis=0, return_inverse=True)
    joints = [Joint.from_columns(np.column_stack([r, d])[code == cell]) for cell in range(len(keys))]
    means, covariance = np.array([j.means for j in joints]), np.array([j.covariance for j in joints])
    return np.array([j.n for j in joints]), means, covariance, keys[:, 0], keys[:, 1:]


def same(left: object, right: object) -> None:
    assert type(left) is type(right)
    if isinstance(left, NotComputable) or isinstance(right, NotComputable):
        assert left == right
        return
    for name, value in vars(right).items():
        if value is not None:
            assert getattr(left, name) == pytest.approx(value, rel=1e-8, abs=1e-12), name


@settings(max_examples=80, deadline=None)
@given(SEEDS, st.integers(6, 200), st.integers(0, 2))
def test_cells__any_design__give_the_moments_of_their_rows(seed: int, n: int, columns: int) -> None:
    r, d, g, x = rows_of(seed, n)
    kept = x[:, :columns]
    by_rows = iv_moments_adjusted(r, d, g, kept)
    same(iv_moments_cells(*cells_of(r, d, g, kept)), by_rows)
    same(iv_moments_cells(np.ones(n), np.column_stack([r, d]), np.zeros((n, 2, 2)), g, kept), by_rows)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(12, 200))
def test_pool_cells__any_design__gives_the_moments_of_its_rows(seed: int, n: int) -> None:
    r, d, g, x = rows_of(seed, n)
    size, means, covariance, _, levels = cells_of(r, d, g, x)
    pooled, whole = pool_cells(size, means, covariance, levels), Joint.from_columns(np.column_stack([r, d, x]))
    assert pooled.n == whole.n
    np.testing.assert_allclose(pooled.means, whole.means, atol=1e-10)
    np.testing.assert_allclose(pooled.covariance, whole.covariance, atol=1e-10)


def test_cells__outcome_of_a_hundred_million__keeps_its_digits() -> None:
    r, d, g, x = rows_of(4, 300)
    plain, moved = (computed(iv_moments_cells(*cells_of(values, d, g, x))) for values in (r, 1e8 + r))
    assert moved.itt == pytest.approx(plain.itt, abs=1e-6)
    assert moved.v_r == pytest.approx(plain.v_r, rel=1e-6)


def test_cells__hc0_of_statsmodels__is_the_same() -> None:
    import statsmodels.api as sm

    r, d, g, x = rows_of(7, 400)
    size, means, covariance, arm, levels = cells_of(r, d, g, x)
    fitted = sm.OLS(r, sm.add_constant(np.column_stack([g, x]))).fit(cov_type="HC0")
    moments = computed(iv_moments_cells(size, means, covariance, arm, levels))
    assert (moments.itt, moments.v_r**0.5) == pytest.approx((fitted.params[1], fitted.bse[1]), rel=1e-9)
    assert anderson_rubin(moments, alpha=0.05).contains(0.0) == (fitted.pvalues[1] >= 0.05)


def test_cells__too_few_or_collinear__say_so() -> None:
    one = np.zeros((2, 2, 2)), np.array([0.0, 1.0])
    few = iv_moments_cells([5, 1], np.zeros((2, 2)), *one, np.zeros((2, 0)))
    assert few == NotComputable(Reason.TOO_FEW_UNITS, {"n": 1, "needed": 2})
    told = iv_moments_cells([5, 5], np.zeros((2, 2)), *one, np.array([[0.0], [1.0]]))
    assert told == NotComputable(Reason.COLLINEAR_COVARIATES)
    with pytest.raises(ValueError, match="one entry per cell"):
        iv_moments_cells([5, 5, 5], np.zeros((2, 2)), *one, np.zeros((2, 0)))
    with pytest.raises(ValueError, match="0 and 1 only"):
        iv_moments_cells([5, 5], np.zeros((2, 2)), one[0], [0.0, 2.0], np.zeros((2, 0)))


def strata_of(r: np.ndarray, d: np.ndarray, g: np.ndarray, s: np.ndarray) -> list[tuple[Joint, Joint]]:
    both = np.column_stack([r, d])
    return [
        (Joint.from_columns(both[(s == k) & (g == 0)]), Joint.from_columns(both[(s == k) & (g == 1)]))
        for k in np.unique(s)
    ]


def test_strata__two_stage_with_dummies__gives_the_same_effect() -> None:
    from linearmodels.iv import IV2SLS

    r, d, g, x = rows_of(11, 900)
    ratio = computed(wald(computed(iv_moments_stratified(strata_of(r, d, g, x[:, 0])))))
    fitted = IV2SLS(r, pd.get_dummies(x[:, 0]).to_numpy(float), d, g).fit(cov_type="robust")
    assert ratio.estimate == pytest.approx(float(fitted.params.iloc[-1]), rel=1e-9)
    # The library's residuals hold the differences of effects between strata as well: a few per cent here.
    assert ratio.standard_error == pytest.approx(float(fitted.std_errors.iloc[-1]), rel=0.05)
    assert ratio.standard_error != pytest.approx(float(fitted.std_errors.iloc[-1]), rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_strata__one_or_several__agree_with_plain_and_mantel_haenszel(seed: int) -> None:
    r, d, g, x = rows_of(seed, 300)
    strata = strata_of(r, d, g, x[:, 0])
    whole = strata_of(r, d, g, np.zeros(len(r)))
    same(iv_moments_stratified(whole), iv_moments(*whole[0]))
    pooled, plain = (
        computed(iv_moments_stratified(strata)),
        computed(risk_difference([(c.column(0), v.column(0)) for c, v in strata])),
    )
    assert (pooled.itt, pooled.v_r**0.5) == pytest.approx((plain.estimate, plain.standard_error), rel=1e-9)


def test_strata__arm_missing_or_single__carry_no_weight_or_refuse() -> None:
    empty = Joint(0, np.zeros(2), np.zeros((2, 2)))
    r, d, g, x = rows_of(3, 200)
    full = strata_of(r, d, g, x[:, 0])
    same(iv_moments_stratified([*full, (empty, full[0][1])]), iv_moments_stratified(full))
    assert iv_moments_stratified([(empty, full[0][1])]) == NotComputable(Reason.TOO_FEW_STRATA)
    single = Joint(1, np.zeros(2), np.zeros((2, 2)))
    assert iv_moments_stratified([(single, full[0][1])]) == NotComputable(Reason.TOO_FEW_UNITS, {"n": 1, "needed": 2})


def test_sesame__cells_of_single_children__give_the_known_effect(real_data: Path) -> None:
    """Estimate and HC0 error: data/README.md (published 14.0; Gelman, Hill and Vehtari)."""
    frame = pd.read_csv(real_data / "iv" / "sesame.csv")
    x = np.column_stack([frame[["prelet", "setting"]], pd.get_dummies(frame["site"])]).astype(float)
    values, n = frame[["postlet", "watched"]].to_numpy(float), len(frame)
    moments = computed(iv_moments_cells(np.ones(n), values, np.zeros((n, 2, 2)), frame.encouraged.to_numpy(float), x))
    ratio = computed(wald(moments))
    assert (moments.first_stage, moments.itt) == pytest.approx((0.34266, 4.8089), abs=5e-5)
    assert (ratio.estimate, ratio.standard_error) == pytest.approx((14.0340, 4.0256), abs=5e-5)
