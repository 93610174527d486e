"""What placebo and dose arms could tell, before they start: closed forms against simulated experiments."""

import numpy as np
import pytest
from scipy import stats

from stats.instrument.dose import Dose, DoseTest, dose_test
from stats.instrument.dose_power import (
    ActsBefore,
    DosePlan,
    DosePower,
    dose_power,
    least_statistic,
    per_act,
    placebo_power,
    placebo_units,
    planned_moments,
)
from stats.results import NotComputable, Reason
from stats.summaries import Joint
from tests.marks import first_in_ci
from tests.rates import at_most, plausible
from tests.stats.make import computed

MEANS = (0.10, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)  # those who do more stay more often, by themselves
ACTS = ActsBefore(
    (0, 1, 2, 3, 4, 5, 6), (0.35, 0.2, 0.15, 0.1, 0.08, 0.07, 0.05), MEANS, tuple(m * (1 - m) for m in MEANS)
)
PLAN = DosePlan(ACTS, 3, (2, 3, 5), (1, 1, 1, 1), take_up=0.2, effect=0.2)


def experiment(plan: DosePlan, units: int, rng: np.random.Generator, *, steps: bool) -> tuple[Joint, list[Joint]]:
    """One experiment, unit by unit: who is moved, how often they act, whether they stay."""
    whole, groups = sum(plan.shares), []
    for target, share in zip((0, *plan.targets), plan.shares, strict=True):
        n = round(units * share / whole)
        place = rng.choice(len(plan.acts.times), n, p=plan.acts.shares)
        before = np.array(plan.acts.times)[place]
        after = np.where((before < target) & (rng.random(n) < plan.response), target, before)
        crossed = (after >= plan.threshold).astype(float) - (before >= plan.threshold)
        gain = plan.effect * crossed if steps else per_act(plan) * (after - before)
        stays = rng.random(n) < np.array(plan.acts.means)[place] + gain
        groups.append(Joint.from_columns(np.column_stack([stays, after >= plan.threshold, after]).astype(float)))
    return groups[0], groups[1:]


def simulated(units: int, *, steps: bool, runs: int, seed: int) -> list[DoseTest]:
    rng = np.random.default_rng(seed)
    return [dose_test(*experiment(PLAN, units, rng, steps=steps)) for _ in range(runs)]


@pytest.mark.parametrize("steps", [True, False])
def test_moments__planned__are_those_of_a_large_experiment(steps: bool) -> None:
    base, arms = planned_moments(PLAN, 800_000, steps=steps)
    drawn = experiment(PLAN, 800_000, np.random.default_rng(3), steps=steps)
    for made, planned in zip((drawn[0], *drawn[1]), (base, *arms), strict=True):
        assert planned.n == made.n
        assert made.means == pytest.approx(planned.means, abs=0.012)
        assert made.covariance == pytest.approx(planned.covariance, rel=0.04, abs=0.004)


def test_moments__of_the_arm_at_the_number__have_the_take_up_and_one_effect_for_both_readings() -> None:
    base, arms = planned_moments(PLAN, 4_000, steps=True)
    _base, dosed = planned_moments(PLAN, 4_000, steps=False)
    assert [float(arm.means[1] - base.means[1]) for arm in arms] == pytest.approx([0.0, 0.2, 0.2])
    assert float(arms[1].means[0] - base.means[0]) == pytest.approx(0.2 * 0.2)
    assert float(dosed[1].means[0] - base.means[0]) == pytest.approx(0.2 * 0.2)


def test_power__no_grid__least_statistic_is_below_every_other() -> None:
    base, arms = planned_moments(PLAN, 20_000, steps=True)
    least = least_statistic(base, arms, treatment=2)

    def statistic(b: float) -> float:
        weights = np.array([1.0, 0.0, -b])
        own = [float(weights @ group.covariance @ weights) / group.n for group in (base, *arms)]
        gap = np.array([float(weights @ (arm.means - base.means)) for arm in arms])
        return float(gap @ np.linalg.solve(np.diag(own[1:]) + own[0], gap))

    on_grid = min(statistic(b) for b in np.linspace(-1, 1, 4_001))
    assert least <= on_grid + 1e-9
    assert least == pytest.approx(on_grid, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [True, False])
@pytest.mark.parametrize(("units", "runs"), first_in_ci([(8_000, 400), (8_000, 2_000), (20_000, 2_000)]))
def test_power__simulated_experiments__tell_as_often_as_planned(units: int, runs: int, steps: bool) -> None:
    planned = computed(dose_power(PLAN, units))
    found = simulated(units, steps=steps, runs=runs, seed=5)
    right = Dose.STEP if steps else Dose.DOSE
    told = sum(one.answer is right for one in found)
    rejected = sum(computed(one.dose if steps else one.step).p_value < 0.05 for one in found)
    assert plausible(told, runs, planned.tells_step if steps else planned.tells_dose)
    assert plausible(rejected, runs, planned.rejects_dose if steps else planned.rejects_step)
    wrong = sum(computed(one.step_set if steps else one.dose_set).empty for one in found)
    assert at_most(wrong, runs, planned.wrong)


@pytest.mark.slow
def test_power__a_few_simulated_experiments__tell_about_as_often_as_planned() -> None:
    planned = computed(dose_power(PLAN, 12_000))
    found = simulated(12_000, steps=True, runs=150, seed=7)
    assert np.mean([one.answer is Dose.STEP for one in found]) == pytest.approx(planned.tells_step, abs=0.12)


def test_power__of_the_sets__is_a_noncentral_chi_square_against_their_own_quantile() -> None:
    base, arms = planned_moments(PLAN, 20_000, steps=True)
    planned = computed(dose_power(PLAN, 20_000))
    quantile = stats.chi2.isf(0.05, 3)  # three arms; the least statistic has two degrees of freedom
    rejected = stats.ncx2.sf(quantile, 2, least_statistic(base, arms, treatment=2))
    assert planned.tells_step == pytest.approx(rejected * stats.chi2.cdf(quantile, 2), rel=1e-3)


def test_power__needed_units__reach_the_wanted_chance_and_no_fewer_do() -> None:
    needed = computed(computed(dose_power(PLAN, 1_000, power=0.8)).needed)

    def least(units: int) -> float:
        found = computed(dose_power(PLAN, units))
        return min(found.tells_step, found.tells_dose)

    assert least(needed) == pytest.approx(0.8, abs=1e-3)
    assert least(needed - 50) < 0.8 <= least(needed + 4)


def test_power__arms_that_push_to_the_same_number__tell_nothing() -> None:
    alike = DosePlan(ACTS, 3, (3, 3), (1, 1, 1), take_up=0.2, effect=0.2)
    found = dose_power(alike, 100_000)
    assert isinstance(found, DosePower)
    assert found.rejects_dose == pytest.approx(0.05, abs=1e-6)
    assert found.needed == NotComputable(Reason.TOO_MANY_UNITS)


def test_power__more_moved_than_are_below__says_so() -> None:
    assert dose_power(DosePlan(ACTS, 3, (2, 3), (1, 1, 1), 0.75, 0.1), 9_000) == NotComputable(Reason.NO_FIRST_STAGE)


@pytest.mark.parametrize(
    "changes",
    [{"targets": (3,), "shares": (1, 1)}, {"targets": (1, 2), "shares": (1, 1, 1)}, {"take_up": 0.0}, {"effect": 0.0}],
)
def test_plan__that_can_not_be__is_refused(changes: dict[str, object]) -> None:
    given = {"acts": ACTS, "threshold": 3, "targets": (2, 3), "shares": (1, 1, 1), "take_up": 0.2, "effect": 0.1}
    with pytest.raises(ValueError, match="must"):
        DosePlan(**{**given, **changes})  # type: ignore[arg-type]


def test_placebo__the_methods_example__passes_in_43_of_100() -> None:
    # 10,000 an arm at a planned take-up of .05, a fifth reach it anyway.
    assert placebo_power(0.2, 0.05, (10_000, 10_000)) == pytest.approx(0.43, abs=0.005)
    assert computed(placebo_power(0.2, 0.10, (10_000, 10_000))) > 0.99
    assert placebo_power(0.2, 0.01, (1_000, 1_000)) == 0.0
    assert placebo_power(0.0, 0.1, (1_000, 1_000)) == NotComputable(Reason.NO_VARIANCE)


def test_placebo__needed_units__reach_the_wanted_chance() -> None:
    needed = computed(placebo_units(0.28, 0.12, power=0.9))
    assert computed(placebo_power(0.28, 0.12, (needed, needed))) == pytest.approx(0.9, abs=1e-3)


def test_placebo__simulated__is_shown_as_often_as_planned() -> None:
    rng, n, reach, take_up = np.random.default_rng(11), 6_000, 0.25, 0.08
    one, other = (rng.binomial(n, reach, 40_000) / n for _ in range(2))
    error = np.sqrt(one * (1 - one) / n + other * (1 - other) / n)
    inside = np.abs(one - other) + stats.norm.isf(0.05) * error < take_up / 4
    assert inside.mean() == pytest.approx(computed(placebo_power(reach, take_up, (n, n))), abs=0.01)
