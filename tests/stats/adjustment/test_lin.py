"""Lin's effects of several outcomes at once: against single ones, strata without covariates, clusters of one."""

import numpy as np
import pytest

from stats.adjustment import lin, lin_clustered
from stats.cells import iv_moments_stratified
from stats.lin import UNITS_PER_COEFFICIENT, lin_effects, lin_effects_clustered, lin_effects_stratified
from stats.summaries import Array, Joint
from tests.stats.make import computed


def drawn(seed: int, n: int = 240) -> tuple[Array, Array, Array, Array]:
    """Outcome, behaviour, arm and two covariates, of which the first matters for both."""
    rng = np.random.default_rng(seed)
    arm, x = (np.arange(n) % 3 > 0).astype(float), rng.normal(3, 2, (n, 2))
    did = (x[:, 0] + arm + rng.normal(0, 2, n) > 4).astype(float)
    return 1 + 0.5 * x[:, 0] + 0.3 * arm * x[:, 1] + 0.4 * did + rng.normal(0, 1, n), did, arm, x


def arms(arm: Array, *columns: Array) -> tuple[Joint, Joint]:
    matrix = np.column_stack(columns)
    return Joint.from_columns(matrix[arm == 0]), Joint.from_columns(matrix[arm == 1])


@pytest.mark.parametrize("seed", range(5))
def test_effects__together__are_the_single_ones_and_their_sum(seed: int) -> None:
    r, d, arm, x = drawn(seed)
    found = computed(lin_effects(*arms(arm, r, d, x), 2)).moments
    of_r, of_d, of_sum = (computed(lin(*arms(arm, y, x))) for y in (r, d, r + d))

    assert (found.itt, found.first_stage) == pytest.approx((of_r.estimate, of_d.estimate))
    assert (found.v_r, found.v_d) == pytest.approx((of_r.standard_error**2, of_d.standard_error**2))
    # The variance of a sum: what one regression of R + D says of the covariance.
    assert found.v_r + found.v_d + 2 * found.c_rd == pytest.approx(of_sum.standard_error**2)


def test_strata__covariates_that_say_nothing__are_mantel_haenszel() -> None:
    rng = np.random.default_rng(3)
    strata = []
    for size, share in ((200, 0.5), (90, 0.2), (400, 0.7)):
        r, d = rng.normal(size=size), (rng.random(size) < 0.4).astype(float)
        strata.append(arms((rng.random(size) < share).astype(float), r, d, np.zeros(size)))
    found = computed(lin_effects_stratified(strata, 2)).moments
    plain = computed(iv_moments_stratified([(c.take(0, 1), v.take(0, 1)) for c, v in strata]))
    assert vars(found) == pytest.approx(vars(plain))


def test_strata__of_one__are_the_whole() -> None:
    r, d, arm, x = drawn(4)
    whole, one = lin_effects(*arms(arm, r, d, x), 2), lin_effects_stratified([arms(arm, r, d, x)], 2)
    assert vars(computed(whole).moments) == pytest.approx(vars(computed(one).moments))


@pytest.mark.parametrize(("n", "used"), [(UNITS_PER_COEFFICIENT * 3, (0, 1)), (UNITS_PER_COEFFICIENT * 3 - 1, ())])
def test_units__too_few_for_the_coefficients__are_compared_without_them(n: int, used: tuple[int, ...]) -> None:
    r, d, _arm, x = drawn(5, 2 * n)
    arm = np.repeat([0.0, 1.0], n)
    found = computed(lin_effects_stratified([arms(arm, r, d, x)], 2))
    assert found.kept == used
    if not used:
        assert found.moments.itt == pytest.approx(r[arm == 1].mean() - r[arm == 0].mean())


@pytest.mark.parametrize("seed", range(3))
def test_clusters__together__are_the_single_ones_and_their_sum(seed: int) -> None:
    r, d, _arm, x = drawn(seed, 480)
    cluster = np.arange(480) // 8
    arm = (cluster % 2).astype(float)
    found = computed(lin_effects_clustered(np.column_stack([r, d]), arm, x, cluster)).moments
    of_r, of_d, of_sum = (computed(lin_clustered(y, arm, x, cluster)) for y in (r, d, r + d))

    assert (found.itt, found.first_stage) == pytest.approx((of_r.estimate, of_d.estimate))
    assert (found.v_r, found.v_d) == pytest.approx((of_r.standard_error**2, of_d.standard_error**2))
    assert found.v_r + found.v_d + 2 * found.c_rd == pytest.approx(of_sum.standard_error**2)
    half = of_r.high - of_r.estimate
    assert half / of_r.standard_error == pytest.approx(found.critical_value(0.05))


@pytest.mark.slow
def test_covariance_of_levels__in_new_samples__is_how_the_levels_scatter() -> None:
    """2,000 samples, seed 6: levels of both arms and what they share, within 8 % of what the formula says."""
    rng = np.random.default_rng(6)
    n, runs = 200, 2_000
    levels, told = np.empty((runs, 2)), np.zeros((2, 2))
    for run in range(runs):
        x = rng.normal(size=n)
        arm = (np.arange(n) % 4 == 0).astype(float)
        y = x + arm * x + rng.normal(size=n)
        found = computed(lin_effects(*arms(arm, y, x), 1))
        levels[run] = found.levels[:, 0]
        told += found.covariance[:, 0, :, 0] / runs
    np.testing.assert_allclose(np.cov(levels.T), told, rtol=0.08)
