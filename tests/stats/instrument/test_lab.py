"""A lab's sets, its moments against statsmodels, and the power that it promises against labs that were drawn."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.instrument.causes import State, map_of_causes, measured_jointly
from stats.instrument.joint import (
    LEAST_F_WITH_AS_MANY,
    JointMoments,
    conditional_f,
    effect_statistic,
    p_value_of,
    read_jointly,
)
from stats.instrument.lab import Expected, Sets, lab_power, lab_size, moments_of_sets, sets_of
from stats.multiplicity import holm
from stats.results import NotComputable, Reason
from stats.summaries import Array
from tests.stats.make import computed

NUDGES, BEHAVIOURS = ("a", "b", "c"), ("add", "chat", "craft")


def test_sets__each_nudge_drawn_by_itself__multiply_their_shares() -> None:
    sets = sets_of([0.5, 0.3])

    assert dict(zip(map(tuple, sets.on.tolist()), sets.chances.tolist(), strict=True)) == pytest.approx(
        {(0, 0): 0.35, (0, 1): 0.15, (1, 0): 0.35, (1, 1): 0.15}
    )
    assert sets.shares.tolist() == pytest.approx([0.5, 0.3])
    assert sets.spread == pytest.approx(np.diag([0.25, 0.21]))


def test_sets__at_most_two_of_three__are_the_seven_with_one_chance_each() -> None:
    sets = sets_of([0.5, 0.5, 0.5], most=2)

    assert len(sets.chances) == 7
    assert set(sets.chances.tolist()) == {1 / 7}
    assert sets.shares.tolist() == pytest.approx([3 / 7] * 3)
    assert sets.spread[0, 1] == pytest.approx(1 / 7 - 9 / 49)  # one of the seven has both


@pytest.mark.parametrize(
    ("shares", "most"), [([0.5], None), ([0.5] * 9, None), ([0.19, 0.5], None), ([0.5, 0.81], None), ([0.5] * 8, 1)]
)
def test_sets__outside_of_the_limits__are_refused(shares: list[float], most: int | None) -> None:
    with pytest.raises(ValueError):
        sets_of(shares, most)


def test_sets__at_the_limits__are_taken() -> None:
    assert sets_of([0.2, 0.8]).shares.tolist() == pytest.approx([0.2, 0.8])
    assert sets_of([0.5] * 8, 2).shares.tolist() == pytest.approx([8 / 37] * 8)


# ── Moments ───────────────────────────────────────────────────────────────────
def drawn(sets: Sets, first_stages: Array, effects: Array, users: int, rng: np.random.Generator) -> tuple[Any, Array]:
    """Each user's set, by its place, and their outcome and behaviours: shares of 40 % and of 25 %."""
    place = rng.choice(len(sets.chances), users, p=sets.chances)
    tendency = rng.random(users)  # who plays more does more and stays more
    does = 0.15 + 0.2 * tendency[:, None] + sets.on[place] @ first_stages > rng.random((users, first_stages.shape[1]))
    stays = 0.2 + 0.3 * tendency + (does - 0.25) @ effects > rng.random(users)
    return place, np.column_stack([stays, does]).astype(float)


def summaries(place: Any, values: Array, sets: int) -> tuple[Any, Array, Array]:
    n = np.bincount(place, minlength=sets)
    means, covariance = np.zeros((sets, values.shape[1])), np.zeros((sets, values.shape[1], values.shape[1]))
    for at in range(sets):
        inside = values[place == at]
        if len(inside):
            means[at] = inside.mean(axis=0)
        if len(inside) > 1:
            covariance[at] = np.cov(inside.T)
    return n, means, covariance


def moments(sets: Sets, place: Any, values: Array) -> JointMoments:
    j, k = sets.on.shape[1], values.shape[1] - 1
    return computed(moments_of_sets(NUDGES[:j], BEHAVIOURS[:k], sets.on, *summaries(place, values, len(sets.chances))))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), most=st.sampled_from([None, 1, 2]))
def test_moments__of_sets__are_least_squares_with_robust_errors(seed: int, most: int | None) -> None:
    rng = np.random.default_rng(seed)
    sets = sets_of([0.5, 0.5, 0.5], most)
    place, values = drawn(sets, np.full((3, 2), 0.1), np.array([0.2, 0.0]), 300, rng)

    found = moments(sets, place, values)

    design = sm.add_constant(sets.on[place])
    fits = [sm.OLS(column, design).fit(cov_type="HC1") for column in values.T]
    assert found.itt == pytest.approx(fits[0].params[1:], abs=1e-10)
    assert found.first_stages == pytest.approx(np.column_stack([fit.params[1:] for fit in fits[1:]]), abs=1e-10)
    of_outcome = [3 * nudge for nudge in range(3)]
    assert found.covariance[np.ix_(of_outcome, of_outcome)] == pytest.approx(fits[0].cov_params()[1:, 1:], abs=1e-10)
    # A sum of two columns has the covariance that lies between them in the whole matrix.
    both = sm.OLS(values[:, 0] + values[:, 1], design).fit(cov_type="HC1").cov_params()[1:, 1:]
    parts = found.covariance.reshape(3, 3, 3, 3)[:, :2, :, :2].sum(axis=(1, 3))
    assert parts == pytest.approx(both, abs=1e-10)


def test_moments__of_nudges_that_always_came_together__are_not_computable() -> None:
    on = np.array([[0.0, 0.0], [1.0, 1.0]])

    found = moments_of_sets(("a", "b"), ("add",), on, np.array([9, 9]), np.full((2, 2), 0.5), np.zeros((2, 2, 2)))

    assert found == NotComputable(Reason.TOO_FEW_UNITS, {"n": 18, "needed": 4})


# ── Power ─────────────────────────────────────────────────────────────────────
def expected(sets: Sets, own: float, spill: float, effects: list[float]) -> Expected:
    """Each nudge moves its own behaviour, and the next one a little."""
    k = len(effects)
    first_stages = own * np.eye(k) + spill * np.roll(np.eye(k), 1, axis=1)
    _place, values = drawn(sets, 0 * first_stages, np.array(effects), 400_000, np.random.default_rng(7))
    return Expected(sets, BEHAVIOURS[:k], first_stages, np.array(effects), np.cov(values.T))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("most", "own", "spill", "users"), [(None, 0.12, 0.04, 16_000), (2, 0.12, 0.04, 16_000), (None, 0.05, 0.02, 30_000)]
)
def test_power__of_three_nudges__is_what_labs_decide(most: int | None, own: float, spill: float, users: int) -> None:
    sets, effects = sets_of([0.5, 0.5, 0.5], most), [0.2, 0.12, 0.0]
    lab = expected(sets, own, spill, effects)
    rng = np.random.default_rng(20_261_201)
    runs, decided = 400, np.zeros(3)

    for run in range(runs):
        found = moments(sets, *drawn(sets, lab.first_stages, lab.effects, users, rng))
        strong = [computed(conditional_f(found, place)) >= LEAST_F_WITH_AS_MANY for place in range(3)]
        adjusted = holm([p_value_of(found, place, 0.0) if strong[place] else 1.0 for place in range(3)])
        decides = [p_value < 0.05 for p_value in adjusted]
        if run < 5:  # the analysis itself takes thirty times as long
            places = map_of_causes(measured_jointly(read_jointly(found)), adjust=holm)
            assert decides == [place.state in (State.CAUSES, State.HARMS) for place in places]
        decided += decides

    promised = np.array(lab_power(lab, users))
    assert np.abs(decided / runs - promised).max() < 0.03 + 2 * 0.5 / runs**0.5
    assert 0.1 < promised[1] < promised[0]


def test_size__is_the_first_number_with_the_power() -> None:
    lab = expected(sets_of([0.5, 0.5, 0.5]), 0.12, 0.04, [0.2, 0.12, 0.0])

    users = computed(lab_size(lab, 0.8))

    assert min(lab_power(lab, users)[:2]) >= 0.8
    assert min(lab_power(lab, users - 10)[:2]) < 0.8
    assert lab_power(lab, 100 * users)[2] == pytest.approx(0.05, abs=0.002)  # of no effect: a false alarm


def test_power__of_one_behaviour__is_that_of_its_own_statistic() -> None:
    first_stages, spread = np.array([[0.12], [0.09]]), np.diag([0.24, 0.19])
    one = Expected(sets_of([0.5, 0.5]), ("add",), first_stages, np.array([0.2]), spread)
    statistic = 9_000 * effect_statistic(one.moments(1.0), 0)

    assert lab_power(one, 9_000) == pytest.approx([stats.ncx2.sf(stats.chi2.isf(0.05, 2), 2, statistic)], abs=0.004)


def test_power__of_several_behaviours__is_less_than_of_one_alone__and_more_than_at_a_share_of_alpha() -> None:
    lab = expected(sets_of([0.5] * 3), 0.12, 0.0, [0.15, 0.15, 0.15])
    least = lab_power(lab, 20_000)[0]
    statistic = 20_000 * effect_statistic(lab.moments(1.0), 0)
    alone, a_third = (float(stats.ncx2.sf(stats.chi2.isf(alpha, 1), 1, statistic)) for alpha in (0.05, 0.05 / 3))

    assert a_third + 0.02 < least < alone - 0.02


def test_size__of_nudges_that_move_the_same__is_not_computable() -> None:
    sets = sets_of([0.5, 0.5])
    lab = Expected(sets, ("add", "chat"), np.full((2, 2), 0.1), np.array([0.2, 0.0]), np.eye(3) / 5)

    assert lab_size(lab) == NotComputable(Reason.NOT_TOLD_APART)


def test_size__without_an_effect_to_find__is_an_error() -> None:
    lab = Expected(sets_of([0.5, 0.5]), ("add",), np.full((2, 1), 0.1), np.zeros(1), np.eye(2) / 5)

    with pytest.raises(ValueError):
        lab_size(lab)
