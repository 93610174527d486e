"""Bayesian companion numbers against exact sums, and shrinkage against statsmodels."""

from math import exp, lgamma, sqrt

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from stats.bayes import beta_binomial, normal_posterior
from stats.heterogeneity import shrink
from stats.results import Estimate, NotComputable, Reason
from stats.summaries import Mean
from tests.stats.make import computed

COUNTS = st.tuples(st.integers(0, 150), st.integers(0, 150))


def log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def exact_chance(zero: tuple[int, int], one: tuple[int, int]) -> float:
    """P(Beta(one) > Beta(zero)) for whole numbers: Cook 2005; Miller, "Formulas for Bayesian A/B testing"."""
    (a0, b0), (a1, b1) = zero, one
    return sum(exp(log_beta(a0 + i, b0 + b1) - log_beta(1 + i, b1) - log_beta(a0, b0)) / (b1 + i) for i in range(a1))


def exact_loss(zero: tuple[int, int], one: tuple[int, int]) -> float:
    """E[max(P0 - P1, 0)]: Stucchio 2015, from two of the chances above."""
    (a0, b0), (a1, b1) = zero, one
    first = a0 / (a0 + b0) * exact_chance((a1, b1), (a0 + 1, b0))
    return first - a1 / (a1 + b1) * exact_chance((a1 + 1, b1), (a0, b0))


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(COUNTS, COUNTS)
@example((0, 0), (0, 150))
@example((150, 3), (120, 0))
def test_beta_binomial__whole_numbers__equal_the_exact_sums(zero: tuple[int, int], one: tuple[int, int]) -> None:
    control, variant = (Mean.from_counts(yes, yes + no) for yes, no in (zero, one))
    found = computed(beta_binomial(control, variant))
    after = [(yes + 1, no + 1) for yes, no in (zero, one)]
    assert found.chance_better == pytest.approx(exact_chance(*after), rel=1e-9, abs=1e-12)
    assert found.loss_variant == pytest.approx(exact_loss(*after), rel=1e-7, abs=1e-12)
    assert found.loss_control == pytest.approx(exact_loss(after[1], after[0]), rel=1e-7, abs=1e-12)
    assert found.loss_control - found.loss_variant == pytest.approx(found.estimate, abs=1e-11)
    assert -1 <= found.low < found.high <= 1


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(COUNTS, COUNTS, st.sampled_from([(0.5, 0.5), (1.0, 1.0), (20.0, 80.0)]))
@example((0, 0), (0, 150), (0.5, 0.5))
@example((150, 3), (120, 0), (20.0, 80.0))
def test_beta_binomial__arms_swapped__turn_the_answer(
    zero: tuple[int, int], one: tuple[int, int], prior: tuple[float, float]
) -> None:
    control, variant = (Mean.from_counts(yes, yes + no) for yes, no in (zero, one))
    found = computed(beta_binomial(control, variant, prior=prior))
    turned = computed(beta_binomial(variant, control, prior=prior))
    assert found.chance_better + turned.chance_better == pytest.approx(1, abs=1e-9)
    room = 2e-4 * (found.high - found.low)
    assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low), abs=room)
    assert found.loss_variant == pytest.approx(turned.loss_control, rel=1e-7, abs=1e-12)


def test_beta_binomial__no_units__difference_of_two_uniform_laws_is_triangular() -> None:
    found = computed(beta_binomial(Mean(0, 0.0, 0.0), Mean(0, 0.0, 0.0)))
    # P(difference <= t) = (1 + t)^2 / 2 for t <= 0; mean absolute difference 1/3.
    assert (found.low, found.high) == pytest.approx((sqrt(0.05) - 1, 1 - sqrt(0.05)), abs=1e-6)
    assert (found.chance_better, found.loss_variant) == pytest.approx((0.5, 1 / 6), abs=1e-9)


@pytest.mark.parametrize(("n0", "n1"), [(10**7, 10**7), (10**7, 200), (200, 10**7)])
def test_beta_binomial__ten_million_units__agree_with_draws_or_the_normal_law(n0: int, n1: int) -> None:
    control, variant = Mean.from_counts(round(0.3 * n0), n0), Mean.from_counts(round(0.3003 * n1), n1)
    found = computed(beta_binomial(control, variant))
    if min(n0, n1) == 10**7:
        error = sqrt(control.variance / n0 + variant.variance / n1)
        limit = computed(normal_posterior(variant.mean - control.mean, error))
        for name, value in vars(limit).items():
            if name != "method":
                assert getattr(found, name) == pytest.approx(value, rel=2e-4), name
        return
    laws = [stats.beta(1 + m.successes, 1 + m.n - m.successes) for m in (control, variant)]
    thin, broad = laws if n0 > n1 else laws[::-1]
    ends = thin.mean() - 10 * thin.std(), thin.mean() + 10 * thin.std()
    below = integrate.quad(lambda x: thin.pdf(x) * broad.cdf(x), *ends, epsabs=1e-11, limit=200)[0]
    assert found.chance_better == pytest.approx(1 - below if n0 > n1 else below, abs=1e-8)
    rng = np.random.default_rng(1)
    zero, one = (rng.beta(1 + m.successes, 1 + m.n - m.successes, 400_000) for m in (control, variant))
    assert found.chance_better == pytest.approx(float((one > zero).mean()), abs=0.004)
    assert found.loss_variant == pytest.approx(float(np.maximum(zero - one, 0).mean()), rel=0.02)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(one - zero, [0.025, 0.975])), abs=2e-3)


def test_beta_binomial__hopeless_variant__keeps_a_tail_above_zero() -> None:
    found = computed(beta_binomial(Mean.from_counts(300, 500), Mean.from_counts(150, 500)))
    assert found.chance_better == pytest.approx(exact_chance((301, 201), (151, 351)), rel=1e-6)
    assert 0 < found.chance_better < 1e-15


def test_beta_binomial__numeric_outcome_or_bad_prior__refused() -> None:
    share = Mean.from_counts(3, 10)
    assert beta_binomial(share, Mean.from_values([1.0, 2.5])) == NotComputable(Reason.NOT_A_PROPORTION)
    with pytest.raises(ValueError, match="prior"):
        beta_binomial(share, share, prior=(0.0, 1.0))


def test_normal__flat_prior__is_the_frequentist_interval() -> None:
    found = computed(normal_posterior(0.02, 0.01))
    assert (found.low, found.high) == pytest.approx((0.02 - 0.0195996, 0.02 + 0.0195996), abs=1e-6)
    assert found.chance_better == pytest.approx(0.97725, abs=1e-5)
    # The unit normal loss at 2: Raiffa and Schlaifer's table, .008491.
    assert found.loss_variant == pytest.approx(0.008491 * 0.01, rel=1e-3)


def test_normal__prior__pulls_by_precision() -> None:
    found = computed(normal_posterior(0.06, 0.02, prior_mean=0.0, prior_sd=0.01))
    # Precisions 2,500 and 10,000: mean .06/5, sd 1/sqrt(12,500).
    assert found.estimate == pytest.approx(0.012)
    assert found.high - found.low == pytest.approx(2 * 1.959964 / sqrt(12_500), rel=1e-6)


@given(st.floats(-5, 5), st.floats(0.01, 10))
def test_normal__any_difference__losses_differ_by_the_mean(effect: float, error: float) -> None:
    found = computed(normal_posterior(effect, error))
    assert found.loss_control - found.loss_variant == pytest.approx(effect, abs=1e-9)
    assert min(found.loss_control, found.loss_variant) >= 0


def test_normal__no_error_or_bad_numbers__refused() -> None:
    assert normal_posterior(0.1, 0.0) == NotComputable(Reason.NO_VARIANCE)
    with pytest.raises(ValueError, match="standard deviation"):
        normal_posterior(0.1, 0.1, prior_sd=0.0)
    with pytest.raises(ValueError, match="finite"):
        normal_posterior(float("nan"), 0.1)


def estimate(effect: float, error: float) -> Estimate:
    return Estimate(effect, error, 0.0, 0.0, 1.0, 0.95, "made")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 1)), min_size=2, max_size=8))
def test_shrink__any_segments__has_the_variance_and_mean_of_statsmodels(rows: list[tuple[float, float]]) -> None:
    from statsmodels.stats.meta_analysis import combine_effects

    found = computed(shrink([estimate(*row) for row in rows]))
    effects, errors = np.array(rows).T
    oracle = combine_effects(effects, errors**2, method_re="dl")
    assert found.tau_squared == pytest.approx(max(float(oracle.tau2), 0.0), rel=1e-7, abs=1e-12)
    # The library doesn't cut a negative variance at 0, where the random-effects mean is the fixed one.
    centre, error = oracle.mean_effect_fe, oracle.sd_eff_w_fe
    if oracle.tau2 > 0:
        centre, error = oracle.mean_effect_re, oracle.sd_eff_w_re
    assert found.mean.estimate == pytest.approx(float(centre), rel=1e-7, abs=1e-9)
    half = (found.mean.high - found.mean.low) / 2 / float(stats.norm.isf(0.025))
    assert half == pytest.approx(float(error), rel=1e-6)
    for own, shrunk, kept in zip(effects, found.effects, found.kept, strict=True):
        low, high = sorted((float(own), found.mean.estimate))
        assert low - 1e-12 <= shrunk.estimate <= high + 1e-12
        assert 0 <= kept < 1


def test_shrink__equal_and_very_different_segments__are_the_two_ends() -> None:
    alike = computed(shrink([estimate(0.1, 0.05), estimate(0.11, 0.05), estimate(0.09, 0.05)]))
    apart = computed(shrink([estimate(-5.0, 0.05), estimate(0.0, 0.05), estimate(5.0, 0.05)]))
    assert (alike.tau_squared, {round(e.estimate, 9) for e in alike.effects}) == (0.0, {0.1})
    assert [e.estimate for e in apart.effects] == pytest.approx([-5, 0, 5], abs=1e-3)
    assert apart.effects[0].high - apart.effects[0].low == pytest.approx(2 * 1.96 * 0.05, rel=1e-3)


def test_shrink__one_segment_or_no_error__say_so() -> None:
    assert shrink([estimate(0.1, 0.1)]) == NotComputable(Reason.TOO_FEW_STRATA)
    assert shrink([estimate(0.1, 0.1), estimate(0.1, 0.0)]) == NotComputable(Reason.NO_VARIANCE)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize(("tau", "segments"), [(0.0, 4), (0.02, 20), (0.05, 4), (0.05, 8), (0.15, 20)])
def test_shrink__drawn_segments__intervals_cover_the_truth_and_effects_come_closer(tau: float, segments: int) -> None:
    rng = np.random.default_rng(0)
    inside, squared, raw = 0, 0.0, 0.0
    for _ in range(1_000):
        truth = rng.normal(0.05, tau, segments)
        errors = rng.uniform(0.03, 0.08, segments)
        seen = truth + rng.normal(0, errors)
        found = computed(shrink([estimate(float(e), float(s)) for e, s in zip(seen, errors, strict=True)]))
        inside += sum(e.low <= t <= e.high for e, t in zip(found.effects, truth, strict=True))
        squared += float(sum((e.estimate - t) ** 2 for e, t in zip(found.effects, truth, strict=True)))
        raw += float(((seen - truth) ** 2).sum())
    # Not exact, as the docstring says: a few points below the nominal 95 % where tau and errors are of like size.
    assert 0.90 <= inside / (1_000 * segments) <= 0.995
    assert squared < (0.75 if tau < 0.1 else 0.95) * raw


def test_shrink__four_alike_segments__interval_holds_morris_term() -> None:
    found = computed(shrink([estimate(effect, 0.1) for effect in (-0.03, -0.01, 0.01, 0.03)]))
    # tau^2 is 0, so B = 1: variance .01/4 of the mean, and 2/(4-3) * (y - mean)^2.
    half = [(e.high - e.low) / 2 / float(stats.norm.isf(0.025)) for e in found.effects]
    assert half == pytest.approx([sqrt(0.0025 + 2 * y * y) for y in (-0.03, -0.01, 0.01, 0.03)])
    assert [e.estimate for e in found.effects] == pytest.approx([0.0] * 4, abs=1e-12)
