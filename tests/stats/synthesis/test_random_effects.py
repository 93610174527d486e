"""Random effects: published values, and what statsmodels says of the same weights."""

import numpy as np
import pytest
from scipy import stats

from stats.results import NotComputable, Reason
from stats.synthesis import predicted, random_effects, restricted_likelihood
from tests.stats.make import computed

# Colditz et al. 1994, BCG vaccine: cases and others, vaccinated and not.
BCG = np.array(
    [
        (4, 119, 11, 128),
        (6, 300, 29, 274),
        (3, 228, 11, 209),
        (62, 13536, 248, 12619),
        (33, 5036, 47, 5761),
        (180, 1361, 372, 1079),
        (8, 2537, 10, 619),
        (505, 87886, 499, 87892),
        (29, 7470, 45, 7232),
        (17, 1699, 65, 1600),
        (186, 50448, 141, 27197),
        (5, 2493, 3, 2338),
        (27, 16886, 29, 17825),
    ],
    dtype=np.float64,
)


def log_ratios() -> tuple[np.ndarray, np.ndarray]:
    a, b, c, d = BCG.T
    return np.log(a / (a + b) * (c + d) / c), np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))


def test_restricted_likelihood__bcg_vaccine__gives_the_published_values() -> None:
    """metafor's own example: Viechtbauer 2010, Journal of Statistical Software 36(3)."""
    mean, spread, error = restricted_likelihood(*log_ratios())

    assert mean == pytest.approx(-0.7145, abs=5e-5)
    assert spread**2 == pytest.approx(0.3132, abs=5e-5)
    assert error == pytest.approx(0.1798, abs=5e-5)


def test_random_effects__bcg_vaccine__is_the_hartung_knapp_interval_of_statsmodels() -> None:
    from statsmodels.stats.meta_analysis import combine_effects

    effects, errors = log_ratios()
    found = computed(random_effects(effects.tolist(), errors.tolist()))
    # Given the spread, the mean is a weighted mean: statsmodels' fixed effect of these variances.
    oracle = combine_effects(effects, errors**2 + found.spread**2)

    half = float(stats.t.isf(0.025, 12)) * float(oracle.var_hksj_fe) ** 0.5
    assert found.mean.estimate == pytest.approx(float(oracle.mean_effect_fe))
    assert (found.mean.low, found.mean.high) == pytest.approx((found.mean.estimate - half, found.mean.estimate + half))
    # The interval that takes the spread as known is narrower.
    far = float(stats.t.isf(0.025, 11)) * (float(oracle.var_hksj_fe) + found.spread**2) ** 0.5
    assert far < found.prediction.high - found.prediction.estimate < 1.3 * far


def test_random_effects__effects_closer_than_chance__is_never_narrower_than_their_errors() -> None:
    found = computed(random_effects([0.1, 0.1, 0.1], [0.3, 0.3, 0.3]))

    assert found.spread == 0
    assert found.mean.high - 0.1 == pytest.approx(float(stats.t.isf(0.025, 2)) * 0.3 / 3**0.5)
    assert found.prediction.low <= found.mean.low < found.mean.high <= found.prediction.high


def test_predicted__errors_far_below_the_spread__is_that_of_a_normal_sample() -> None:
    """Known effects: with a flat prior of the spread the next one is t with k - 2 degrees of freedom."""
    effects = np.array([0.1, 0.25, 0.3, 0.42, 0.2, 0.15, 0.38])
    low, high = predicted(effects, np.full(7, 1e-3), 0.05)

    scale = (((effects - effects.mean()) ** 2).sum() / 5 * (1 + 1 / 7)) ** 0.5
    half = float(stats.t.isf(0.025, 5)) * scale
    assert (low, high) == pytest.approx((effects.mean() - half, effects.mean() + half), rel=0.01, abs=0.002)


@pytest.mark.slow
def test_random_effects__one_more_experiment__is_predicted_at_its_level() -> None:
    rng = np.random.default_rng(3)
    errors = np.array([0.05, 0.08, 0.1, 0.06, 0.12, 0.07, 0.09, 0.05])
    inside = averaged = 0
    for _ in range(300):
        truths = rng.normal(0.2, 0.1, 9)
        found = computed(random_effects(rng.normal(truths[:8], errors).tolist(), errors.tolist()))
        inside += found.prediction.low <= truths[8] <= found.prediction.high
        averaged += found.mean.low <= 0.2 <= found.mean.high

    # Taking the spread as known: 88 %.
    assert inside / 300 >= 0.94
    assert averaged / 300 == pytest.approx(0.95, abs=0.04)


def test_random_effects__two_experiments__refuses() -> None:
    assert random_effects([0.1, 0.2], [0.1, 0.1]) == NotComputable(Reason.TOO_FEW_TO_POOL, {"n": 2, "needed": 3})
