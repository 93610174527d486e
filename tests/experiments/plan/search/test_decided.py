"""Units, days and chances of one design: against the planner's closed forms, and against simulated experiments."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments.plan.designs import (
    Assigned,
    Audience,
    DesignOption,
    JudgedDesign,
    RefusedDesign,
    SearchInputs,
    WhyRefused,
    judged,
)
from stats.power.family_and_looks import Method, Plan, critical_values
from stats.power.sample_size import days_needed, power_at, sample_size, smallest_effect
from stats.results import NotComputable, Reason
from tests.stats.make import computed

EVERYONE = Audience("", per_day=350.0, base=0.22, sd=None, reach=0.29, last_day=27)
ASKED = SearchInputs(effect=0.2, audiences=(EVERYONE,), take_ups=(), deadline=60)
NUDGE = DesignOption(Assigned.NUDGE, "tips", EVERYONE, 0.15, 0.0, placebo=False, adjusted=False, method=Method.FIXED)


def good(design: DesignOption, asked: SearchInputs = ASKED) -> JudgedDesign:
    found = judged(asked, design)
    assert isinstance(found, JudgedDesign)
    return found


@pytest.mark.parametrize("placebo", [False, True])
@pytest.mark.parametrize("method", [Method.FIXED, Method.GROUP_SEQUENTIAL, Method.ALWAYS_VALID])
def test_units__certain_take_up__are_the_planners(method: Method, placebo: bool) -> None:
    design = replace(NUDGE, method=method, placebo=placebo)
    found = good(design)
    plan = Plan(
        baseline=0.22,
        take_up=0.15,
        method=method,
        looks=design.looks,
        shares=design.shares,
        placebo=1 if placebo else None,
    )
    size = computed(sample_size(plan, 0.2))
    assert found.units == pytest.approx(size.total, rel=0.01)
    assert found.days == days_needed(found.units, 350.0, window_end=27)
    assert found.chance == pytest.approx(0.8, abs=0.005)
    assert power_at(plan, 0.2, found.per_variant) == pytest.approx(found.chance, abs=0.005)


def test_units__adjusted__shrink_by_what_covariates_explain() -> None:
    asked = replace(ASKED, r_squared=0.2)
    plain, adjusted = (good(replace(NUDGE, adjusted=one), asked) for one in (False, True))
    assert adjusted.units / plain.units == pytest.approx(0.8, abs=0.002)


def test_smallest_effect__by_the_deadline__is_the_planners() -> None:
    # 350 a day for 60 - 28 days.
    plan = Plan(baseline=0.22, take_up=0.15)
    expected = computed(smallest_effect(plan, (5_600, 5_600)))
    assert good(NUDGE).smallest_effect == pytest.approx(expected, rel=0.01)
    late = good(NUDGE, replace(ASKED, deadline=28)).smallest_effect
    assert late == NotComputable(Reason.NO_OUTCOME_BY_THEN, {"days": 28})


def test_weak__chance_of_f_below_ten__is_a_noncentral_chi_square() -> None:
    design = replace(NUDGE, moved=0.02)
    found = good(design, replace(ASKED, effect=0.9))
    n = found.per_variant[0]
    variance = (0.29 * 0.71 + 0.31 * 0.69) / n
    expected = stats.ncx2.cdf(10, 1, 0.02**2 / variance)
    assert 0.05 < expected < 0.95
    assert found.weak == pytest.approx(expected, abs=1e-6)
    # By simulation: F of made-up first stages.
    rng = np.random.default_rng(2)
    low, high = rng.binomial(n, 0.29, 20_000) / n, rng.binomial(n, 0.31, 20_000) / n
    f = (high - low) ** 2 / (low * (1 - low) / n + high * (1 - high) / n)
    assert np.mean(f < 10) == pytest.approx(found.weak, abs=0.015)


def decided_runs(found: JudgedDesign, effect: float, runs: int, seed: int) -> np.ndarray:
    """Look at which each made-up experiment had decided, from 1; 0 for never. The set excludes 0 and is bounded."""
    design, rng = found.design, np.random.default_rng(seed)
    reach, base, moved = design.audience.reach, design.audience.base, design.moved or 0.0
    critical = critical_values(Plan(baseline=0.5, method=design.method, looks=design.looks))
    n = found.per_variant[-1]
    steps = np.diff([0, *(round(n * t) for t in critical.times)])
    # Cells (R, D) of each arm: who reaches it stays more often by itself, too.
    keen, others = base + 0.1, base - 0.1 * reach / (1 - reach)
    control = [reach * keen, reach * (1 - keen), (1 - reach) * others, (1 - reach) * (1 - others)]
    gained = others + effect
    nudge = [
        reach * keen + moved * gained,
        reach * (1 - keen) + moved * (1 - gained),
        (1 - reach - moved) * others,
        (1 - reach - moved) * (1 - others),
    ]
    r, d = np.array([1, 0, 1, 0]), np.array([1, 1, 0, 0])
    counts = [np.cumsum([rng.multinomial(k, p, runs) for k in steps], axis=0) for p in (control, nudge)]
    looks = np.zeros(runs, dtype=int)
    for at, value in enumerate(critical.values):
        crossed = np.ones(runs, dtype=bool)
        for column in (r, d):
            means = [count[at] @ column / count[at].sum(axis=1) for count in counts]
            sizes = [count[at].sum(axis=1) for count in counts]
            error = np.sqrt(sum(m * (1 - m) / size for m, size in zip(means, sizes, strict=True)))
            crossed &= (means[1] - means[0]) / error > value
        looks[(looks == 0) & crossed] = at + 1
    return looks


@pytest.mark.parametrize("method", [Method.FIXED, Method.GROUP_SEQUENTIAL, Method.ALWAYS_VALID])
def test_chance__simulated_experiments__decide_as_often_and_as_soon_as_promised(method: Method) -> None:
    found = good(replace(NUDGE, method=method))
    looks = decided_runs(found, 0.2, 4_000, 3)
    assert np.mean(looks > 0) == pytest.approx(found.chance, abs=0.025)
    ends = np.ceil(found.units * np.arange(1, found.design.looks + 1) / found.design.looks / 350) + 28
    days = np.where(looks > 0, ends[looks - 1], ends[-1])
    assert days.mean() == pytest.approx(found.expected_days, abs=0.6)


def test_chance__first_stage_as_uncertain_as_the_outcome__counts_both() -> None:
    """An effect near 1 moves the outcome as much as the behaviour: the set may exclude 0 and yet be unbounded."""
    found = good(replace(NUDGE, moved=0.03), replace(ASKED, effect=0.7))
    share = np.mean(decided_runs(found, 0.7, 4_000, 4) > 0)
    assert found.chance == pytest.approx(0.8, abs=0.005)
    assert share >= found.chance - 0.02  # a lower bound: the two estimates go together


def test_chance__uncertain_take_up__costs_units() -> None:
    certain, uncertain = (good(replace(NUDGE, moved_error=error)) for error in (0.0, 0.03))
    assert uncertain.units > 1.05 * certain.units
    # Promised for the take-up as it is known: averaged over its law it decides as often.
    rng = np.random.default_rng(8)
    values = np.clip(rng.normal(0.15, 0.03, 4_000), 1e-3, 1 - 0.29)
    plan = Plan(baseline=0.22)
    power = [power_at(replace(plan, take_up=float(one)), 0.2, uncertain.per_variant) for one in values[:1_500]]
    assert np.mean(power) == pytest.approx(uncertain.chance, abs=0.015)


@pytest.mark.parametrize(
    ("design", "asked", "why"),
    [
        ({"moved": None}, {}, WhyRefused.NO_TAKE_UP),
        ({"moved": 0.72}, {}, WhyRefused.HEAD_ROOM),
        ({"moved": 0.02, "moved_error": 0.03}, {}, WhyRefused.UNCERTAIN_TAKE_UP),
        ({"moved": -0.02}, {}, WhyRefused.UNCERTAIN_TAKE_UP),
        ({"adjusted": True}, {}, WhyRefused.NO_R_SQUARED),
        ({"audience": replace(EVERYONE, per_day=0.0)}, {}, WhyRefused.NOBODY_COMES),
        ({"audience": replace(EVERYONE, base=0.0)}, {}, WhyRefused.FLAT_OUTCOME),
        ({"assigned": Assigned.FEATURE, "moved": 1.0}, {"effect": 0.9}, WhyRefused.BEYOND_EVERYBODY),
        ({"assigned": Assigned.SWITCH, "moved": 0.0}, {}, WhyRefused.NOBODY_USES_IT),
        ({"moved": 0.001}, {}, WhyRefused.TOO_LATE),
    ],
)
def test_design__that_can_not_be_ranked__says_why(
    design: dict[str, Any], asked: dict[str, Any], why: WhyRefused
) -> None:
    found = judged(replace(ASKED, **asked), replace(NUDGE, **design))
    assert isinstance(found, RefusedDesign)
    assert found.why is why


def test_design__just_possible__is_ranked() -> None:
    assert good(replace(NUDGE, moved=0.71)).chance >= 0.8  # exactly the head-room
    few = good(replace(NUDGE, assigned=Assigned.FEATURE, moved=1.0), replace(ASKED, effect=0.7))
    assert few.per_variant == (50, 50)  # a verdict needs so many


def test_switch__takes_the_effect_from_those_who_use_it() -> None:
    found = good(replace(NUDGE, assigned=Assigned.SWITCH, moved=0.29))
    size = computed(sample_size(Plan(baseline=0.22 - 0.29 * 0.2, take_up=0.29), 0.2))
    assert found.units == pytest.approx(size.total, rel=0.005)
    assert found.weak == NotComputable(Reason.NO_INSTRUMENT)
