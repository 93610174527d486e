"""Users that a list of other behaviours costs: the method's powers, the verdict's own rule, and its properties."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.instrument.other_behaviours import Moved, OtherMoments, describe_others, under_others
from stats.iv_moments import IvMoments
from stats.power.family_and_looks import Method, Plan
from stats.power.sample_size import power_at, sample_size
from stats.power.with_others import Spill, power_under_others, size_under_others
from stats.results import NotComputable, Reason, computable

PLAN = Plan(baseline=0.3, take_up=0.12)  # the behaviour is worth 15 points
EFFECT = 0.15
TWELVE = 12


def listed(spill: float, most: float, truth: float = 0.15, share: float = 0.25) -> list[Spill]:
    """Twelve others of which the first is moved, and keeps as many as the behaviour."""
    return [
        Spill(spill, 0.0, most, truth if spill else 0.0, share),
        *[Spill(0.0, 0.0, most, 0.0, share)] * (TWELVE - 1),
    ]


@pytest.mark.parametrize(
    ("units", "spill", "most", "power"),
    [
        (20_000, 0.0, 0.18, 0.75),
        (20_000, 0.0, 0.3, 0.71),
        (20_000, 0.02, 0.18, 0.73),
        (20_000, 0.02, 0.3, 0.57),
        (20_000, 0.06, 0.18, 0.67),
        (20_000, 0.06, 0.3, 0.23),
        (60_000, 0.0, 0.18, 1.0),
        (60_000, 0.0, 0.3, 0.99),
        (60_000, 0.02, 0.18, 0.99),
        (60_000, 0.02, 0.3, 0.95),
        (60_000, 0.06, 0.18, 0.99),
        (60_000, 0.06, 0.3, 0.59),
    ],
)
def test_power__as_simulated_for_the_method(units: int, spill: float, most: float, power: float) -> None:
    found = power_under_others(PLAN, EFFECT, (units // 2, units // 2), listed(spill, most))

    assert found == pytest.approx(power, abs=0.011)  # its table has two digits


def simulated(units: int, spills: list[Spill], runs: int) -> float:
    """How often the verdict's own rule excludes 0, in experiments with normal moments."""
    draws = np.random.default_rng(7)
    p1 = PLAN.baseline + PLAN.take_up * EFFECT
    v_r = (PLAN.baseline * (1 - PLAN.baseline) + p1 * (1 - p1)) / (units / 2)
    own = np.array(
        [(s.share * (1 - s.share) + (s.share + s.take_up) * (1 - s.share - s.take_up)) / (units / 2) for s in spills]
    )
    with_itt = own * [s.effect for s in spills]
    whole = np.diag([v_r, *own])
    whole[0, 1:] = whole[1:, 0] = with_itt
    centre = [PLAN.take_up * EFFECT + sum(s.effect * s.take_up for s in spills), *(s.take_up for s in spills)]
    box = [(s.low, s.high) for s in spills]
    zeros, names = np.zeros(len(spills)), tuple(map(str, range(len(spills))))
    critical, said = float(stats.norm.isf(0.025)), 0
    for itt, *stages in draws.multivariate_normal(centre, whole, size=runs):
        moments = IvMoments(itt, PLAN.take_up, v_r, 1e-5, 0.0, units // 2, units // 2)
        others = OtherMoments(names, np.array(stages), np.diag(own), with_itt, zeros)
        rows = describe_others(moments, others, box, critical=critical)
        moved = [at for at, row in enumerate(rows) if row.moved is Moved.MOVED]
        found = under_others(moments, others.take(moved), [box[at] for at in moved], critical=critical)
        said += found.excludes_zero and itt > 0
    return said / runs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("units", "spills"),
    [
        (20_000, listed(0.02, 0.18)),
        (20_000, listed(0.02, 0.3, truth=0.0, share=0.5)),
        (20_000, [Spill(0.01, 0.0, 0.5, 0.8)]),  # both errors go together: by .87
        (40_000, [Spill(0.03, -0.05, 0.2), Spill(-0.03, -0.2, 0.05, 0.0, 0.2)]),
    ],
)
def test_power__agrees_with_the_verdicts_rule(units: int, spills: list[Spill]) -> None:
    """2,000 experiments each, within three binomial errors."""
    runs = 2_000
    found = power_under_others(PLAN, EFFECT, (units // 2, units // 2), spills)
    assert computable(found)

    assert simulated(units, spills, runs) == pytest.approx(found, abs=3 * sqrt(found * (1 - found) / runs))


def test_size__has_the_power_and_one_user_less_has_not() -> None:
    size = size_under_others(PLAN, EFFECT, listed(0.02, 0.18, truth=0.0))
    assert computable(size)
    below = power_under_others(PLAN, EFFECT, tuple(n - 2 for n in size.units), listed(0.02, 0.18, truth=0.0))

    assert below < PLAN.power <= size.power  # type: ignore[operator]
    assert size.power == pytest.approx(PLAN.power, abs=1e-4)
    assert size.total > sample_size(PLAN, EFFECT).total  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        replace(PLAN, method=Method.GROUP_SEQUENTIAL),
        replace(PLAN, shares=(0.5, 0.25, 0.25), power=0.9),
        replace(PLAN, r_squared=0.2),
        Plan(baseline=3.0, sd=2.0, take_up=0.2, cluster_size=20, cluster_correlation=0.02),
    ],
)
def test_size__without_others_or_with_harmless_ones__is_the_plans_own(plan: Plan) -> None:
    own = sample_size(plan, EFFECT)
    assert computable(own)

    assert size_under_others(plan, EFFECT, []) == own
    harmless = size_under_others(plan, EFFECT, [Spill(0.05, 0.0, 0.0)])
    assert computable(harmless)
    assert harmless.total == pytest.approx(own.total, rel=1e-3)
    assert power_under_others(plan, EFFECT, own.units, []) == pytest.approx(power_at(plan, EFFECT, own.units), abs=1e-6)


@pytest.mark.parametrize(("spill", "known"), [(0.0999, True), (0.1, False), (0.12, False)])
def test_size__where_the_spill_may_explain_all__is_none(spill: float, known: bool) -> None:
    # .12 * .15 = .018 is what a spill of 10 points may explain at .18.
    size = size_under_others(PLAN, EFFECT, [Spill(spill, 0.0, 0.18)])

    assert computable(size) is known or size == NotComputable(Reason.TOO_MANY_UNITS)
    if not known:
        assert size == NotComputable(Reason.TOO_MANY_UNITS)


def test_effect_downwards__is_the_mirror_image() -> None:
    plan = replace(PLAN, baseline=0.5)
    up = power_under_others(plan, EFFECT, (10_000, 10_000), [Spill(0.04, -0.02, 0.2)])
    down = power_under_others(plan, -EFFECT, (10_000, 10_000), [Spill(0.04, -0.2, 0.02)])

    assert up == pytest.approx(down, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(spill=st.floats(0, 0.06), more=st.floats(0.001, 0.05), most=st.floats(0.01, 0.3))
def test_power__falls_with_the_spill_and_with_what_it_may_explain(spill: float, more: float, most: float) -> None:
    def power(one: Spill) -> float:
        found = power_under_others(PLAN, EFFECT, (12_000, 12_000), [one])
        assert computable(found)
        return found

    base = power(Spill(spill, 0.0, most))
    assert power(Spill(spill, 0.0, most + more)) <= base + 1e-9
    assert power(Spill(spill + more, 0.0, most)) <= base + 0.005  # a small spill is moved by chance either way


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"take_up": 1.0}, "other's spill"),
        ({"low": 0.01}, "largest effect"),
        ({"share": 0.0}, "share"),
        ({"take_up": 0.6}, "out of 0 to 1"),
    ],
)
def test_spill__that_cant_be__is_refused(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Spill(**{"take_up": 0.0, "low": 0.0, "high": 0.1, **wrong})
