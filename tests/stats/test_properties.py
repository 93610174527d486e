"""Facts that hold for every input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.adjustment import lin, lin_clustered
from stats.compare import compare_means, compare_proportions, compare_unpooled
from stats.instrument.encouragement import IvMoments, anderson_rubin, iv_moments, iv_moments_adjusted, wald
from stats.results import Estimate, NotComputable
from stats.stratified import breslow_day, cmh_test, heterogeneity, risk_difference
from stats.summaries import Joint, Mean
from tests.marks import first_in_ci
from tests.rates import plausible
from tests.stats.make import computed

VALUES = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=20)
COUNTS = st.tuples(st.integers(2, 400), st.floats(0, 1)).map(lambda p: Mean.from_counts(round(p[0] * p[1]), p[0]))
MOMENTS = st.builds(
    lambda t_r, t_d, rho, v_r, v_d: IvMoments(
        t_r * v_r**0.5, t_d * v_d**0.5, v_r, v_d, rho * (v_r * v_d) ** 0.5, 100, 100
    ),
    st.floats(-6, 6),
    st.floats(-6, 6),
    st.floats(-0.99, 0.99),
    st.floats(1e-3, 1e6),
    st.floats(1e-6, 1e-2),
)
Q = float(stats.chi2.isf(0.05, 1))


def gap(moments: IvMoments, b: float) -> float:
    """How far b is inside (negative) or outside the set, in units of the rejected variance."""
    variance = moments.v_r - 2 * b * moments.c_rd + b * b * moments.v_d
    return float((moments.itt - b * moments.first_stage) ** 2 / variance - Q)


@given(VALUES, VALUES)
def test_mean__pooled__equals_recomputed(left: list[float], right: list[float]) -> None:
    pooled, whole = Mean.from_values(left) + Mean.from_values(right), Mean.from_values(left + right)
    assert (pooled.n, pooled.mean, pooled.variance) == pytest.approx((whole.n, whole.mean, whole.variance), abs=1e-9)
    assert Mean(0, 0.0, 0.0) + whole == whole == whole + Mean(0, 0.0, 0.0)


@given(VALUES, VALUES)
def test_joint__pooled__equals_recomputed(left: list[float], right: list[float]) -> None:
    matrices = [np.column_stack([values, np.square(values)]) for values in (left, right)]
    pooled = Joint.from_columns(matrices[0]) + Joint.from_columns(matrices[1])
    whole = Joint.from_columns(np.vstack(matrices))
    np.testing.assert_allclose(pooled.means, whole.means, atol=1e-9)
    np.testing.assert_allclose(pooled.covariance, whole.covariance, rtol=1e-9, atol=1e-7)


def test_mean__huge_offset__keeps_the_variance() -> None:
    values = 1e8 + np.array([-1.0, 0.0, 1.0])
    assert (Mean.from_values(values[:2]) + Mean.from_values(values[2:])).variance == pytest.approx(1.0, rel=1e-9)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(COUNTS, COUNTS)
def test_proportions__any_counts__p_and_interval_agree(control: Mean, variant: Mean) -> None:
    result = computed(compare_proportions(control, variant))
    swapped = computed(compare_proportions(variant, control))
    assert -1 <= result.low <= result.estimate <= result.high <= 1
    assert (swapped.low, swapped.high) == pytest.approx((-result.high, -result.low), abs=1e-9)
    assert swapped.p_value == pytest.approx(result.p_value, rel=1e-6)
    if result.method == "score-interval":
        assert (result.p_value < 0.05) == (not result.low <= 0 <= result.high)


@pytest.mark.slow
@given(VALUES, VALUES, st.sampled_from([1e-3, 0.5, 7.0, 1e6]))
def test_means__swapped_and_scaled__flip_and_scale(left: list[float], right: list[float], k: float) -> None:
    result = compare_means(Mean.from_values(left), Mean.from_values(right))
    if isinstance(result, NotComputable):
        return
    swapped = computed(compare_means(Mean.from_values(right), Mean.from_values(left)))
    scaled = computed(compare_means(Mean.from_values(k * np.array(left)), Mean.from_values(k * np.array(right))))
    oracle = stats.ttest_ind(right, left, equal_var=False)
    assert (swapped.low, swapped.high) == pytest.approx((-result.high, -result.low), abs=1e-9)
    assert (scaled.low, scaled.high) == pytest.approx((k * result.low, k * result.high), rel=1e-6, abs=1e-6 * k)
    assert result.p_value == pytest.approx(oracle.pvalue, rel=1e-6)


@given(MOMENTS)
def test_anderson_rubin__any_moments__has_the_promised_facts(moments: IvMoments) -> None:
    found, ratio = anderson_rubin(moments), wald(moments)
    t_r, t_d = moments.itt**2 / moments.v_r, moments.first_stage**2 / moments.v_d
    if abs(t_d - Q) > 1e-9:
        assert found.bounded == (t_d > Q)
    if abs(t_r - Q) > 1e-9:
        assert found.contains(0.0) == (t_r <= Q)
    if not isinstance(ratio, NotComputable):
        assert found.contains(ratio.estimate)
    unit = (moments.v_r / moments.v_d) ** 0.5
    for b in np.linspace(-20, 20, 81) * unit:
        if abs(gap(moments, float(b))) > 1e-6:
            assert found.contains(float(b)) == (gap(moments, float(b)) <= 0)


@pytest.mark.slow
@given(MOMENTS, st.sampled_from([-3.0, 0.01, 2.0, 1e4]), st.sampled_from([-2.0, 0.5, 3.0]))
def test_anderson_rubin__outcome_scaled_or_shifted__moves_alike(moments: IvMoments, k: float, shift: float) -> None:
    m = shift * (moments.v_r / moments.v_d) ** 0.5
    found = anderson_rubin(moments)
    scaled = anderson_rubin(
        IvMoments(k * moments.itt, moments.first_stage, k * k * moments.v_r, moments.v_d, k * moments.c_rd, 9, 9)
    )
    moved = anderson_rubin(
        IvMoments(
            moments.itt + m * moments.first_stage,
            moments.first_stage,
            moments.v_r + 2 * m * moments.c_rd + m * m * moments.v_d,
            moments.v_d,
            moments.c_rd + m * moments.v_d,
            9,
            9,
        )
    )
    if found.low is None or found.high is None or abs(moments.first_stage**2 / moments.v_d - Q) < 1e-3:
        return
    ends = sorted((k * found.low, k * found.high))
    size = abs(found.high) + abs(found.low) + abs(m)
    assert (scaled.low, scaled.high) == pytest.approx(tuple(ends), rel=1e-6, abs=1e-6 * abs(k) * size)
    if found.high - found.low > 1e-3 * size:
        assert (moved.low, moved.high) == pytest.approx((found.low + m, found.high + m), abs=1e-4 * size)


def test_anderson_rubin__itt_of_a_real_arm__agrees_with_the_unpooled_test() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        arms = [
            Joint.from_columns(np.column_stack([rng.random(60) < 0.4 + 0.15 * g, rng.random(60) < 0.5])) for g in (0, 1)
        ]
        found = anderson_rubin(computed(iv_moments(*arms)))
        p_value = computed(compare_unpooled(arms[0].column(0), arms[1].column(0))).p_value
        assert found.contains(0.0) == (p_value >= 0.05)


def simulated(seed: int, n: int = 240) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    g = (np.arange(n) % 12 < 6).astype(float)
    clusters, x = np.arange(n) // 6, rng.normal(5, 3, (n, 2))
    y = 2 + g * (1 + 0.5 * x[:, 0]) + x @ [1.0, -0.5] + rng.normal(0, 1, n) + rng.normal(0, 1, n // 6)[clusters]
    return y, g, x, clusters


def test_lin__moments__equal_interacted_ols_plus_the_term_of_the_means() -> None:
    import statsmodels.api as sm

    y, g, x, _clusters = simulated(1)
    arms = [Joint.from_columns(np.column_stack([y, x, 1 - x[:, 0]])[g == value]) for value in (0, 1)]
    found = computed(lin(*arms))
    centred = x - x.mean(axis=0)
    design = sm.add_constant(np.column_stack([g, centred, centred * g[:, None]]))
    ols = sm.OLS(y, design).fit()
    separate = sum(sm.OLS(y[g == v], sm.add_constant(x[g == v])).fit().mse_resid / (g == v).sum() for v in (0, 1))
    slopes = ols.params[4:]
    assert found.estimate == pytest.approx(ols.params[1], rel=1e-10)
    assert found.standard_error**2 == pytest.approx(separate + slopes @ np.cov(x.T) @ slopes / len(y), rel=1e-9)
    assert found.kept == (0, 1)


def test_lin_clustered__against_statsmodels__differs_by_the_term_of_the_means() -> None:
    import statsmodels.api as sm

    y, g, x, clusters = simulated(2)
    # Slopes equal in both arms by construction of the outcome: then the extra term is nearly nothing.
    y = y - g * 0.5 * x[:, 0]
    centred = x - x.mean(axis=0)
    design = sm.add_constant(np.column_stack([g, centred, centred * g[:, None]]))
    ols = sm.OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    found = computed(lin_clustered(y, g, x, clusters))
    assert found.estimate == pytest.approx(ols.params[1], rel=1e-10)
    assert found.standard_error == pytest.approx(ols.bse[1], rel=0.02)


def test_iv_moments_adjusted__no_covariates__equal_the_moments_but_for_the_divisor() -> None:
    y, g, x, _ = simulated(3)
    d = (x[:, 1] + 2 * g > 6).astype(float)
    plain = computed(iv_moments(*(Joint.from_columns(np.column_stack([y, d])[g == v]) for v in (0, 1))))
    adjusted = computed(iv_moments_adjusted(y, d, g, np.zeros((len(y), 0))))
    own = computed(iv_moments_adjusted(y, d, g, np.zeros((len(y), 0)), np.arange(len(y))))
    ratio = 119 / 120
    assert adjusted.itt == pytest.approx(plain.itt)
    assert (adjusted.v_r, adjusted.c_rd) == pytest.approx((plain.v_r * ratio, plain.c_rd * ratio), rel=1e-9)
    # Each unit its own cluster: the factor G/(G-1) * (n-1)/(n-2) is n/(n-2).
    assert own.v_d == pytest.approx(adjusted.v_d * len(y) / (len(y) - 2))


@pytest.mark.slow
@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=2, max_size=4))
def test_strata__any_counts__agree_with_statsmodels_and_flip(strata: list[tuple[Mean, Mean]]) -> None:
    from statsmodels.stats.contingency_tables import StratifiedTable

    found, flipped = risk_difference(strata), risk_difference([(v, c) for c, v in strata])
    if not isinstance(found, NotComputable) and not isinstance(flipped, NotComputable):
        assert flipped.estimate == pytest.approx(-found.estimate)
        assert flipped.standard_error == pytest.approx(found.standard_error, rel=1e-6)
    test = cmh_test(strata)
    if isinstance(test, NotComputable):
        return
    tables = [[[g.successes, g.n - g.successes] for g in (v, c)] for c, v in strata]
    oracle = StratifiedTable([np.array(t, dtype=float) for t in tables])
    assert test[0] == pytest.approx(oracle.test_null_odds().statistic, rel=1e-9, abs=1e-12)
    equal = breslow_day(strata)
    if not isinstance(equal, NotComputable) and all(0 < x.successes < x.n for pair in strata for x in pair):
        expected = oracle.test_equal_odds(adjust=True).statistic
        if np.isfinite(expected):
            assert equal.statistic == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_heterogeneity__two_effects__is_the_squared_z_of_their_gap() -> None:
    def effect(value: float, error: float) -> Estimate:
        return Estimate(value, error, 0.0, 0.0, 1.0, 0.95, "unpooled-z")

    found = heterogeneity([effect(0.1, 0.03), effect(0.2, 0.04)])
    assert computed(found).statistic == pytest.approx(4.0)
    assert computed(found).p_value == pytest.approx(0.0455, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("runs", first_in_ci([800, 4_000]))
def test_false_alarms__equal_arms__stay_in_the_binomial_band(runs: int) -> None:
    rng = np.random.default_rng(11)
    alarms = {"share": 0, "mean": 0}
    for _ in range(runs):
        shares = [Mean.from_counts(int(rng.binomial(500, 0.3)), 500) for _ in range(2)]
        means = [Mean.from_values(rng.exponential(1, 100)) for _ in range(2)]
        alarms["share"] += computed(compare_proportions(*shares)).p_value < 0.05
        alarms["mean"] += computed(compare_means(*means)).p_value < 0.05
    assert all(plausible(count, runs, 0.05) for count in alarms.values()), alarms


@pytest.mark.slow
def test_anderson_rubin__weak_nudge__covers_as_promised() -> None:
    rng = np.random.default_rng(12)
    runs, n, covered, unbounded = 3000, 400, 0, 0
    for _ in range(runs):
        arms = []
        for g in (0, 1):
            hidden = rng.normal(size=n)
            d = (hidden + rng.normal(size=n) + 0.15 * g > 0.5).astype(float)
            arms.append(Joint.from_columns(np.column_stack([2 * d + hidden + rng.normal(size=n), d])))
        found = anderson_rubin(computed(iv_moments(*arms)))
        covered += found.contains(2.0)
        unbounded += not found.bounded
    low, high = (stats.binom.ppf(q, runs, 0.95) for q in (0.0005, 0.9995))
    assert low <= covered <= high
    assert unbounded > runs / 3


def test_risk_difference__large_strata__sato_agrees_with_greenland_and_robins() -> None:
    # Equal differences and unequal arms: there both variances are consistent, and a slip of sign shows.
    counts = [(600, 3000, 300, 1000), (250, 500, 1200, 2000)]
    found = computed(risk_difference([(Mean.from_counts(c, n0), Mean.from_counts(a, n1)) for c, n0, a, n1 in counts]))
    weights = [n0 * n1 / (n0 + n1) for _, n0, _, n1 in counts]
    terms = [
        w**2 * (a * (n1 - a) / n1**3 + c * (n0 - c) / n0**3) for w, (c, n0, a, n1) in zip(weights, counts, strict=True)
    ]
    assert found.estimate == pytest.approx(0.1)
    assert found.standard_error == pytest.approx((sum(terms)) ** 0.5 / sum(weights), rel=0.01)


def test_lin_clustered__each_unit_its_own_cluster__agrees_with_the_moments() -> None:
    rng = np.random.default_rng(8)
    n = 4000
    g, x = np.arange(n) % 2.0, rng.normal(0, 2, (n, 1))
    y = g * (1 + 3 * x[:, 0]) + rng.normal(0, 1, n)
    arms = [Joint.from_columns(np.column_stack([y, x])[g == value]) for value in (0, 1)]
    own, clustered = computed(lin(*arms)), computed(lin_clustered(y, g, x, np.arange(n)))
    # The estimated mean of x carries most of the variance here: without its term the error would be 3 times smaller.
    assert clustered.estimate == pytest.approx(own.estimate, rel=1e-9)
    assert clustered.standard_error == pytest.approx(own.standard_error, rel=0.03)


def test_joint__some_columns__are_those_of_the_matrix() -> None:
    matrix = np.random.default_rng(1).normal(0, 1, (9, 3))
    taken, direct = Joint.from_columns(matrix).take(2, 0), Joint.from_columns(matrix[:, [2, 0]])
    np.testing.assert_allclose(taken.means, direct.means)
    np.testing.assert_allclose(taken.covariance, direct.covariance)
