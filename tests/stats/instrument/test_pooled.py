"""Many experiments of one behaviour: facts that hold for every collection, and worlds with a known answer."""

from collections.abc import Sequence
from dataclasses import replace
from math import pi

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.instrument.anderson_rubin import Shape, anderson_rubin
from stats.instrument.arms import EffectSet
from stats.instrument.pooled import Answer, Instrument, SharedControl, pooled
from stats.instrument.pooled_sets import (
    Stack,
    anderson_rubin_set,
    conditional_p,
    likelihood_ratio,
    likelihood_ratio_set,
    lowest,
    stacked,
)
from stats.iv_moments import IvMoments
from stats.results import NotComputable, Reason
from tests.stats.make import computed

EFFECT = 0.15
USERS = 3_000
ANGLES = np.linspace(-pi / 2, pi / 2, 801)


def instrument(
    itt: float, first: float, *, key: str = "a", scale: float = 1.0, rho: float = 0.3, users: int = USERS
) -> Instrument:
    v_r, v_d = scale**2 * 0.22 * 4 / users, 0.18 * 4 / users
    moments = IvMoments(itt * scale, first, v_r, v_d, rho * (v_r * v_d) ** 0.5, users // 2, users // 2)
    return Instrument(key, f"test {key}", moments)


def collection(
    experiments: int, *, first: float = 0.1, direct: float = 0.0, seed: int = 1, effect: float = EFFECT
) -> list[Instrument]:
    """Experiments of nudges of different strength; the first quarter have the direct effect."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(experiments):
        strength = first * rng.uniform(0.2, 1.8)
        own = direct if number < experiments / 4 else 0.0
        plain = instrument(0.0, 0.0, key=str(number), users=int(rng.integers(1_500, 6_000)))
        m = plain.moments
        r, d = rng.multivariate_normal([effect * strength + own, strength], [[m.v_r, m.c_rd], [m.c_rd, m.v_d]])
        found.append(replace(plain, moments=replace(m, itt=float(r), first_stage=float(d))))
    return found


ROWS = st.lists(
    st.tuples(st.floats(-5, 5), st.floats(-6, 6), st.floats(-0.95, 0.95), st.integers(300, 30_000)),
    min_size=1,
    max_size=6,
)


def instruments_of(rows: Sequence[tuple[float, float, float, int]]) -> list[Instrument]:
    """Effects in standard errors, a correlation of their own and a size each."""
    found = []
    for place, (t_r, t_d, rho, users) in enumerate(rows):
        one = instrument(0.0, 0.0, key=str(place), rho=rho, users=users)
        m = one.moments
        found.append(replace(one, moments=replace(m, itt=t_r * m.v_r**0.5, first_stage=t_d * m.v_d**0.5)))
    return found


def assert_is_set(found: EffectSet, stack: Stack, inside: Sequence[bool]) -> None:
    """The set holds exactly the effects of the grid that are inside, and is unbounded where the line's end is."""
    for angle, expected in zip(ANGLES[1:-1].tolist(), inside[1:-1], strict=True):
        assert found.contains(stack.effect(angle)) == expected
    open_ends = {side for low, high in found.pieces for side in ("low",) * (low is None) + ("high",) * (high is None)}
    assert open_ends == ({"low", "high"} if inside[0] else set())


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_anderson_rubin_set__any_moments__is_where_the_statistic_does_not_reject(
    rows: list[tuple[float, float, float, int]],
) -> None:
    stack = stacked(instruments_of(rows), alpha=0.05)
    gap = _by_hand(instruments_of(rows), stack) - float(stats.chi2.isf(0.05, len(rows)))
    if np.abs(gap).min() < 1e-6:
        return

    assert_is_set(anderson_rubin_set(stack, lowest(stack), alpha=0.05), stack, list(gap <= 0))


def _by_hand(instruments: Sequence[Instrument], stack: Stack) -> np.ndarray:
    """sum (ITT - b FS)^2 / (V_R - 2 b C + b^2 V_D) over experiments, numerator and denominator times cos^2."""
    total = np.zeros_like(ANGLES)
    for one in instruments:
        m, cos, sin = one.moments, np.cos(ANGLES), np.sin(ANGLES) * stack.unit
        total += (m.itt * cos - m.first_stage * sin) ** 2 / (m.v_r * cos**2 - 2 * sin * cos * m.c_rd + sin**2 * m.v_d)
    return total


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@example([(0.0, 6.0, -0.875, 300), (-4.0, 3.0, 0.75, 300)])  # a narrow second piece, around a hill of the statistic
@given(ROWS)
def test_likelihood_ratio_set__any_moments__is_where_the_test_does_not_reject(
    rows: list[tuple[float, float, float, int]],
) -> None:
    stack = stacked(instruments_of(rows), alpha=0.05)
    ratio, strength = likelihood_ratio(stack, ANGLES)
    gap = conditional_p(ratio, strength, stack.size) - 0.05
    if np.abs(gap).min() < 1e-6:
        return

    assert_is_set(likelihood_ratio_set(stack, lowest(stack), alpha=0.05), stack, list(gap >= 0))


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_lowest__any_moments__is_the_smallest_statistic_of_the_circle(
    rows: list[tuple[float, float, float, int]],
) -> None:
    stack = stacked(instruments_of(rows), alpha=0.05)

    assert float(stack.ar(np.array([lowest(stack)]))[0]) <= stack.ar(ANGLES).min() + 1e-9


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(ROWS)
def test_pooled__one_experiment__its_sets_are_its_own_anderson_rubin_set(
    rows: list[tuple[float, float, float, int]],
) -> None:
    one = instruments_of(rows)[0]
    own = anderson_rubin(one.moments)
    # At a level where the set turns from one shape to another, rounding decides which ends it has.
    assume(all(anderson_rubin(one.moments, alpha=0.05 * near).shape is own.shape for near in (1 - 1e-6, 1 + 1e-6)))
    found = computed(pooled([one]))

    assert found.answer is Answer.ONE_EXPERIMENT
    for shown in (found.anderson_rubin, found.likelihood_ratio):
        if own.shape is Shape.INTERVAL:
            assert _ends(shown) == pytest.approx([own.low, own.high], rel=1e-6, abs=1e-9)
        elif own.shape is Shape.RAYS:
            assert shown.pieces[0][1] == pytest.approx(own.low, rel=1e-6, abs=1e-9)
            assert shown.pieces[1][0] == pytest.approx(own.high, rel=1e-6, abs=1e-9)
        else:
            assert shown.pieces == ((None, None),)


def test_pooled__one_experiment_between_clusters__its_set_keeps_the_t_law() -> None:
    one = instrument(0.03, 0.12)
    one = replace(one, moments=replace(one.moments, degrees_of_freedom=7.0))
    own = anderson_rubin(one.moments)

    assert _ends(computed(pooled([one])).anderson_rubin) == pytest.approx([own.low, own.high], rel=1e-9)


def test_pooled__other_unit_of_the_outcome__scales_everything() -> None:
    plain, scaled = collection(8), [_scaled(one, 1_000.0) for one in collection(8)]
    one, other = computed(pooled(plain)), computed(pooled(scaled))

    for left, right in (
        (computed(one.liml), computed(other.liml)),
        (computed(one.jive), computed(other.jive)),
        (computed(one.egger).slope, computed(other.egger).slope),
        (computed(one.egger).intercept, computed(other.egger).intercept),
    ):
        assert right.estimate == pytest.approx(1_000 * left.estimate, rel=1e-6)
        assert right.standard_error == pytest.approx(1_000 * left.standard_error, rel=1e-6)
        assert right.p_value == pytest.approx(left.p_value, rel=1e-6)
    assert other.likelihood_ratio.pieces[0] == pytest.approx([1_000 * end for end in _ends(one.likelihood_ratio)])


def _scaled(one: Instrument, by: float) -> Instrument:
    m = one.moments
    return replace(one, moments=replace(m, itt=m.itt * by, v_r=m.v_r * by**2, c_rd=m.c_rd * by))


def _ends(found: EffectSet) -> list[float]:
    return [end for piece in found.pieces for end in piece if end is not None]


def test_pooled__outcome_plus_the_behaviour__shifts_the_effect() -> None:
    shifted = []
    for test in collection(8):
        m = test.moments
        moments = replace(
            m, itt=m.itt + 0.5 * m.first_stage, v_r=m.v_r + m.c_rd + 0.25 * m.v_d, c_rd=m.c_rd + 0.5 * m.v_d
        )
        shifted.append(replace(test, moments=moments))
    one, other = computed(pooled(collection(8))), computed(pooled(shifted))

    assert computed(other.liml).estimate == pytest.approx(computed(one.liml).estimate + 0.5, rel=1e-6)
    assert _ends(other.likelihood_ratio) == pytest.approx([end + 0.5 for end in _ends(one.likelihood_ratio)], rel=1e-6)
    assert computed(other.agreement).statistic == pytest.approx(computed(one.agreement).statistic, rel=1e-6)


def test_pooled__arms_called_the_other_way_round__changes_egger_alone() -> None:
    turned = []
    for place, test in enumerate(collection(8)):
        m = test.moments
        other_way = replace(test, moments=replace(m, itt=-m.itt, first_stage=-m.first_stage))
        turned.append(other_way if place % 2 else test)
    one, other = computed(pooled(collection(8))), computed(pooled(turned))

    assert computed(other.liml).estimate == pytest.approx(computed(one.liml).estimate, rel=1e-6)
    assert computed(other.jive).estimate == pytest.approx(computed(one.jive).estimate, rel=1e-9)
    assert computed(other.egger).intercept.estimate != pytest.approx(computed(one.egger).intercept.estimate)


def test_influence__without_an_experiment__equals_pooling_the_others() -> None:
    tests = collection(6)
    for row in computed(pooled(tests)).influence:
        others = computed(pooled([one for one in tests if one.key != row.key]))
        assert row.without == pytest.approx(computed(others.liml).estimate, rel=1e-5)
        assert row.p_without == pytest.approx(computed(others.agreement).p_over_identified, rel=1e-6)
    assert sum(row.weight for row in computed(pooled(tests)).influence) == pytest.approx(1.0)


def test_pooled__a_nudge_that_acts_by_itself__disagrees_and_leads_the_list() -> None:
    tests = collection(8)
    m = tests[3].moments
    tests[3] = replace(tests[3], moments=replace(m, itt=m.itt + 0.12))

    found = computed(pooled(tests))

    assert found.answer is Answer.NUDGES_DISAGREE
    assert found.influence[0].key == "3"
    assert found.answer_set == found.random_effects == NotComputable(Reason.NUDGES_DISAGREE)
    assert computed(pooled([one for one in tests if one.key != "3"])).answer is Answer.POOLED


def test_pooled__every_nudge_acts_by_itself__the_intercept_finds_what_the_fit_does_not() -> None:
    exact = [instrument(0.04 + EFFECT * first, first, key=str(first)) for first in np.linspace(0.02, 0.3, 12)]

    found = computed(pooled(exact))

    together = computed(found.agreement)
    assert found.answer is Answer.NUDGES_DISAGREE
    assert computed(found.egger).intercept.estimate == pytest.approx(0.04, abs=0.003)
    assert computed(found.egger).slope.low < EFFECT < computed(found.egger).slope.high
    by_intercept = computed(together.p_intercept) / 0.2
    assert together.p_value == pytest.approx(min(together.p_over_identified / 0.8, by_intercept))


def test_pooled__nothing__no_experiment_yet() -> None:
    assert pooled([]) == NotComputable(Reason.NO_EXPERIMENT_YET)


def test_pooled__two_experiments__no_regression_and_no_random_effects() -> None:
    found = computed(pooled(collection(2)))

    assert found.answer is Answer.POOLED
    assert found.egger == NotComputable(Reason.TOO_FEW_TO_POOL, {"n": 2, "needed": 3})
    assert found.random_effects == NotComputable(Reason.TOO_FEW_TO_POOL, {"n": 2, "needed": 3})
    assert computed(found.agreement).p_value == computed(found.agreement).p_over_identified


def test_pooled__nudges_that_moved_nothing__refuses_the_point_and_leaves_the_set_unbounded() -> None:
    found = computed(pooled([instrument(0.01, 0.0, key="a"), instrument(-0.01, 0.001, key="b")]))

    assert found.liml == found.jive == NotComputable(Reason.WEAK_FIRST_STAGE)
    assert not found.likelihood_ratio.bounded


def test_pooled__second_arm_without_its_control__is_left_out() -> None:
    arms = [replace(one, key="same") for one in collection(2)]

    found = computed(pooled(arms))

    assert found.left_out == (arms[1],)
    assert (found.experiments, found.instruments) == (1, 1)


def test_pooled__second_arm_with_its_control__counts_less_than_another_experiment() -> None:
    """What both arms share is counted once: the set is wider than that of two experiments."""
    arms = [instrument(0.15 * first, first, key="same") for first in (0.1, 0.12)]
    half = SharedControl(*(part / 2 for part in (arms[0].moments.v_r, arms[0].moments.v_d, arms[0].moments.c_rd)))
    joined = computed(pooled([replace(one, control=half) for one in arms]))
    apart = computed(pooled([replace(one, key=str(place)) for place, one in enumerate(arms)]))

    assert (joined.experiments, joined.instruments) == (1, 2)
    (low, high), (inner_low, inner_high) = _ends(joined.likelihood_ratio), _ends(apart.likelihood_ratio)
    assert low < inner_low < EFFECT < inner_high < high


def test_pooled__behaviour_that_only_the_variant_can_do__is_a_strong_instrument() -> None:
    """Full take-up in one arm and none in the other: the behaviour's effect is the effect on the outcome."""
    exact = Instrument("a", "feature", IvMoments(0.03, 1.0, 1e-4, 0.0, 0.0, 1_000, 1_000))

    found = computed(pooled([exact]))

    assert computed(found.liml).estimate == pytest.approx(0.03)
    half = float(stats.norm.isf(0.025)) * 0.01
    assert _ends(found.likelihood_ratio) == pytest.approx([0.03 - half, 0.03 + half], rel=1e-4)
    assert found.mean_f == NotComputable(Reason.NO_VARIANCE)


@pytest.mark.parametrize("k", [2, 5, 20, 60])
def test_conditional_p__no_strength_and_much__is_that_of_chi_square(k: int) -> None:
    z = np.array([0.5, 3.84, 12.0])

    assert conditional_p(z, np.zeros(3), k) == pytest.approx(stats.chi2.sf(z, k), rel=1e-9)
    assert conditional_p(z, np.full(3, 1e9), k) == pytest.approx(stats.chi2.sf(z, 1), rel=1e-4)


def test_random_effects__experiments_that_differ__predicts_wider_than_it_averages() -> None:
    rng = np.random.default_rng(5)
    tests = []
    for one in collection(15, first=0.25):
        m = one.moments
        tests.append(replace(one, moments=replace(m, itt=m.itt + float(rng.normal(0, 0.1)) * m.first_stage)))

    found = computed(pooled(tests, alpha=1e-6)).random_effects

    computed(found)
    assert computed(found).spread == pytest.approx(0.1, abs=0.06)
    assert computed(found).prediction.low < computed(found).mean.low < computed(found).mean.high
