"""Effect per act, the acts that the nudge added, and several arms: step or dose."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.instrument.arms import arms_effect_set, fit_arms
from stats.instrument.dose import Dose, dose_test, dose_weights, response_of
from stats.instrument.encouragement import anderson_rubin, iv_moments, wald
from stats.results import NotComputable, Reason
from stats.sequential.looks import Look, told_at
from stats.summaries import Joint
from tests.marks import first_in_ci
from tests.rates import plausible
from tests.stats.make import computed

SEEDS = st.integers(0, 10**6)


def units(
    seed: int, n: int, *, step: float = 0.0, dose: float = 0.0, boosts: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0)
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """R, D = 1[N >= 3], N and arm: arm k adds a Poisson(boosts[k]) number of acts to everybody's own."""
    rng = np.random.default_rng(seed)
    u, arm = rng.normal(0, 1, n), np.arange(n) % len(boosts)
    acts = rng.poisson(np.exp(0.3 + 0.4 * u)) + rng.poisson(np.asarray(boosts)[arm])
    did = (acts >= 3).astype(float)
    return 1 + step * did + dose * acts + 0.8 * u + rng.normal(0, 1, n), did, acts.astype(float), arm


def groups(r: np.ndarray, d: np.ndarray, acts: np.ndarray, arm: np.ndarray) -> tuple[Joint, list[Joint]]:
    matrix = np.column_stack([r, d, acts])
    control, *arms = (Joint.from_columns(matrix[arm == k]) for k in range(int(arm.max()) + 1))
    return control, arms


def histogram(acts: np.ndarray) -> dict[int, int]:
    values, counts = np.unique(acts.astype(int), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_response__linear_effect__is_found_per_act() -> None:
    from linearmodels.iv import IV2SLS

    r, d, acts, arm = units(1, 4_000, dose=0.3, boosts=(0.0, 1.5))
    control, (variant,) = groups(r, d, acts, arm)
    found = response_of(computed(iv_moments(control.take(0, 2), variant.take(0, 2))))
    effect = computed(found.effect)
    fitted = IV2SLS(r, np.ones(len(r)), acts, arm).fit(cov_type="robust")
    assert effect.estimate == pytest.approx(float(fitted.params.iloc[-1]), rel=1e-9)
    assert effect.standard_error == pytest.approx(float(fitted.std_errors.iloc[-1]), rel=1e-3)
    assert found.effect_set.contains(0.3)
    assert found.acts == pytest.approx(float(acts[arm == 1].mean() - acts[arm == 0].mean()))
    # "Reached Z" as the treatment takes every act for the step: far more than 0.3.
    assert computed(wald(computed(iv_moments(control.take(0, 1), variant.take(0, 1))))).estimate > 0.6


def test_weights__any_counts__sum_to_one_and_to_the_acts_added() -> None:
    _, _, acts, arm = units(2, 5_000, boosts=(0.0, 1.0))
    low, high = acts[arm == 0], acts[arm == 1]
    found = computed(dose_weights(histogram(low), histogram(high), 3))
    assert sum(found.weights) == pytest.approx(1)
    assert sum(found.raised) == pytest.approx(float(high.mean() - low.mean()))
    for z, raised, error in zip(found.times, found.raised, found.errors, strict=True):
        assert raised == pytest.approx(float((high >= z).mean() - (low >= z).mean()), abs=1e-12)
        one, zero = ((values >= z).astype(float) for values in (high, low))
        assert error == pytest.approx((one.var(ddof=1) / len(one) + zero.var(ddof=1) / len(zero)) ** 0.5)
    assert found.share_at_threshold == found.weights[2]
    assert found.coarsening == pytest.approx(1 - found.weights[2])
    assert found.negative == ()


def test_weights__every_added_act_crosses_the_threshold__nothing_is_coarsened() -> None:
    found = computed(dose_weights({0: 10, 2: 90}, {0: 10, 2: 40, 3: 50}, 3))
    assert (found.weights, found.share_at_threshold, found.coarsening) == ((0, 0, 1), 1, 0)
    above = computed(dose_weights({0: 10, 2: 90}, {0: 10, 2: 40, 3: 50}, 9))
    assert (above.share_at_threshold, above.coarsening) == (0.0, 1.0)


def test_weights__nudge_that_takes_acts_from_some__is_flagged() -> None:
    found = computed(dose_weights({0: 500, 3: 500}, {0: 700, 9: 300}, 3))
    assert found.negative == (1, 2, 3)
    assert found.share_at_threshold < 0
    # The same shares in a twentieth of the units are within chance.
    assert computed(dose_weights({0: 25, 3: 25}, {0: 35, 9: 15}, 3)).negative == ()


def test_weights__no_acts_added_or_no_units__say_so() -> None:
    assert dose_weights({0: 5, 2: 5}, {0: 5, 2: 5}, 1) == NotComputable(Reason.NO_FIRST_STAGE)
    assert dose_weights({0: 5}, {0: 5}, 1) == NotComputable(Reason.NO_FIRST_STAGE)
    assert dose_weights({}, {1: 5}, 1) == NotComputable(Reason.TOO_FEW_UNITS, {"n": 0, "needed": 2})
    with pytest.raises(ValueError, match="threshold"):
        dose_weights({0: 5}, {1: 5}, 0)


@pytest.mark.parametrize("treatment", [1, 2])
def test_fit__linearmodels__gives_the_same_effect_and_nearly_its_errors(treatment: int) -> None:
    from linearmodels.iv import IV2SLS, IVGMM

    r, d, acts, arm = units(4, 6_000, step=0.5, dose=0.05)
    control, arms = groups(r, d, acts, arm)
    found = computed(fit_arms(control, arms, treatment=treatment))
    data = np.ones(len(r)), (d, acts)[treatment - 1], pd.get_dummies(arm).to_numpy(float)[:, 1:]
    fitted = IV2SLS(r, *data).fit(cov_type="robust")
    two_step: Any = IVGMM(r, *data, weight_type="robust").fit(iter_limit=2)
    assert found.effect.estimate == pytest.approx(float(fitted.params.iloc[-1]), rel=1e-9)
    # Its residuals aren't centred within arms; ours are, as V(b) is in docs/methods/encouragement.md.
    assert found.effect.standard_error == pytest.approx(float(fitted.std_errors.iloc[-1]), rel=5e-3)
    assert found.j_statistic == pytest.approx(float(two_step.j_stat.stat), rel=0.02, abs=0.02)
    assert found.degrees_of_freedom == 2


def test_dose__clear_worlds__are_told_apart() -> None:
    answers = {
        name: dose_test(*groups(*units(5, 40_000, step=step, dose=dose))).answer
        for name, step, dose in (("step", 1.0, 0.0), ("dose", 0.0, 0.3), ("nothing", 0.0, 0.0))
    }
    assert answers == {"step": Dose.STEP, "dose": Dose.DOSE, "nothing": Dose.UNCLEAR}


def test_dose__any_answer__follows_from_the_arms_joint_sets() -> None:
    """One set is empty and the other isn't, or there is no answer: J alone, which rejects sooner, doesn't decide."""
    answers = set()
    for seed in range(30):
        found = dose_test(*groups(*units(seed, 1_500, step=0.6)))
        step, dose = computed(found.step_set), computed(found.dose_set)
        assert (found.answer is Dose.STEP) == (dose.empty and not step.empty)
        assert (found.answer is Dose.DOSE) == (step.empty and not dose.empty)
        # An empty set is a stronger contradiction than J's: chi-square(3) instead of (2) for about the same number.
        if dose.empty:
            assert computed(found.dose).p_value < 0.05
        answers.add((found.answer, computed(found.dose).p_value < 0.05))
    assert (Dose.UNCLEAR, True) in answers  # J rejects and the set isn't empty: not decided
    assert (Dose.STEP, True) in answers


def test_dose__at_a_look__keeps_its_sets_and_takes_the_level_of_all_looks() -> None:
    look = Look(0.05, "group_sequential", 20_000, 40_000, (0.5,))
    found = dose_test(*groups(*units(5, 40_000, step=1.0)), alpha=look.nominal_alpha)
    told = told_at(found, look)
    assert (told.answer, computed(told.step_set).pieces) == (found.answer, computed(found.step_set).pieces)
    assert computed(found.step_set).level == pytest.approx(1 - look.nominal_alpha)
    assert computed(told.step_set).level == 0.95


def test_dose__both_rejected__is_unclear() -> None:
    r, d, acts, arm = units(6, 40_000)
    # The second arm works on another path altogether.
    found = dose_test(*groups(r + 2.0 * (arm == 1), d, acts, arm))
    assert computed(found.step).p_value < 0.05
    assert computed(found.dose).p_value < 0.05
    assert computed(found.step_set).empty
    assert computed(found.dose_set).empty
    assert found.answer is Dose.UNCLEAR


def test_arms__nothing_moved_or_too_few__say_so() -> None:
    same = Joint.from_columns([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    assert fit_arms(same, [same, same]) == NotComputable(Reason.NO_FIRST_STAGE)
    one = Joint(1, np.zeros(2), np.zeros((2, 2)))
    few = NotComputable(Reason.TOO_FEW_UNITS, {"n": 1, "needed": 2})
    assert fit_arms(same, [same, one]) == few
    assert arms_effect_set(same, [one]) == few
    still = Joint(9, np.ones(2), np.zeros((2, 2)))
    assert arms_effect_set(same, [still, still]) == NotComputable(Reason.NO_VARIANCE)
    with pytest.raises(ValueError, match="at least 2"):
        fit_arms(same, [same])


def arms_statistic(control: Joint, arms: Sequence[Joint], b: float) -> float:
    """Anderson and Rubin's statistic of a common effect b of column 1. Source: docs/methods/encouragement.md."""
    weights = np.array([1.0, -b])
    control_moments, *moments = (
        (weights @ group.means[:2], weights @ group.covariance[:2, :2] @ weights / group.n)
        for group in (control, *arms)
    )
    gap = np.array([mean for mean, _ in moments]) - control_moments[0]
    # The shared control is the off-diagonal of V.
    variance = np.diag([own for _, own in moments]) + control_moments[1]
    return float(gap @ np.linalg.solve(variance, gap))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 4), st.integers(40, 800), st.sampled_from([0.02, 0.3, 2.0]), st.sampled_from([1.0, 1e5]))
def test_arms_set__any_arms__holds_what_the_statistic_keeps(
    seed: int, m: int, n: int, boost: float, unit: float
) -> None:
    r, d, acts, arm = units(seed, n, step=0.5, boosts=(0.0, *(boost * (k + 1) for k in range(m))))
    control, arms = groups(unit * r, d, acts, arm)
    found = arms_effect_set(control, arms)
    if isinstance(found, NotComputable):
        return
    critical = float(stats.chi2.isf(0.05, m))
    scale = float(np.std(unit * r) / np.std(d))
    for b in np.concatenate([np.linspace(-8, 8, 65), [-1e4, 1e4]]) * scale:
        statistic = arms_statistic(control, arms, float(b))
        if abs(statistic - critical) > 1e-5:
            assert found.contains(float(b)) == (statistic <= critical)
    if m == 1:
        alone = anderson_rubin(computed(iv_moments(control.take(0, 1), arms[0].take(0, 1))))
        ends = [end for piece in found.pieces for end in piece if end is not None]
        expected = [end for end in (alone.low, alone.high) if end is not None]
        assert ends == pytest.approx(expected, rel=1e-5, abs=1e-7 * scale)
        assert found.bounded == alone.bounded


def test_arms_set__arms_that_contradict_each_other__is_empty() -> None:
    r, d, acts, arm = units(7, 8_000)
    found = computed(arms_effect_set(*groups(r + 3.0 * (arm == 1) - 3.0 * (arm == 3), d, acts, arm)))
    assert (found.empty, found.bounded, found.contains(0.0)) == (True, True, False)


def test_arms_set__weak_arms__has_no_end() -> None:
    found = computed(arms_effect_set(*groups(*units(8, 400, boosts=(0.0, 0.0, 0.0)))))
    assert not found.bounded
    assert not found.empty


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("runs", first_in_ci([400, 2_000]))
def test_arms_set__weak_and_strong_arms__covers_the_common_effect(runs: int) -> None:
    for boosts in ((0.0, 0.05, 0.1), (0.0, 1.0, 2.0)):
        covered = 0
        for seed in range(runs):
            statistic = arms_statistic(*groups(*units(seed, 900, step=0.5, boosts=boosts)), 0.5)
            covered += statistic <= float(stats.chi2.isf(0.05, 2))
        assert plausible(covered, runs, 0.95)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("runs", first_in_ci([400, 2_000]))
def test_dose__true_step_or_dose__rejects_its_own_model_at_the_nominal_rate(runs: int) -> None:
    step = [computed(dose_test(*groups(*units(s, 2_000, step=0.6))).step).p_value for s in range(runs)]
    dose = [computed(dose_test(*groups(*units(s, 2_000, dose=0.2))).dose).p_value for s in range(runs)]
    for p_values in (step, dose):
        assert plausible(sum(p < 0.05 for p in p_values), runs, 0.05)
