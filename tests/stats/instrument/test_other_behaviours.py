"""What other behaviours may explain of a nudge's effect: by hand, at each limit, and how often it is wrong."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.instrument.anderson_rubin import Shape, anderson_rubin
from stats.instrument.other_behaviours import Moved, OtherMoments, describe_others, largest_harmless, under_others
from stats.iv_moments import IvMoments
from stats.results import NotComputable, Reason, computable
from stats.summaries import Array

Z = float(stats.norm.isf(0.025))
ERROR = 0.006  # of the outcome's effect, and of each first stage


def moments(itt: float = 0.018, first_stage: float = 0.12, error: float = ERROR) -> IvMoments:
    return IvMoments(itt, first_stage, error**2, error**2, 0.3 * error**2, 10_000, 10_000)


def others(
    *first_stages: float, error: float = ERROR, with_itt: float = 0.2, with_first_stage: float = 0.0
) -> OtherMoments:
    """Other behaviours whose errors go together with the outcome's a little, and not with each other's."""
    size = len(first_stages)
    return OtherMoments(
        tuple(f"o{place}" for place in range(size)),
        np.array(first_stages),
        np.eye(size) * error**2,
        np.full(size, with_itt * error**2),
        np.full(size, with_first_stage * error**2),
    )


def test_under_others__without_any__is_the_behaviours_own_set_and_test() -> None:
    none = OtherMoments((), np.zeros(0), np.zeros((0, 0)), np.zeros(0), np.zeros(0))
    found = under_others(moments(), none, (), critical=Z)
    own = anderson_rubin(moments())

    assert (found.effect_set.low, found.effect_set.high) == pytest.approx((own.low, own.high))
    assert found.excludes_zero is not own.contains(0.0)


def test_under_others__one_moved_at_its_promise__by_hand() -> None:
    # g = .03 - .18 * .06 = .0192; variance of g: s^2 (1 - 2 * .18 * .2 + .18^2).
    found = under_others(moments(itt=0.03), others(0.06, with_first_stage=0.5), [(0.0, 0.18)], critical=Z)
    error = ERROR * sqrt(1 - 2 * 0.18 * 0.2 + 0.18**2)

    assert found.excludes_zero is (0.0192 / error > Z)
    at_promise = anderson_rubin(
        IvMoments(0.0192, 0.12, error**2, ERROR**2, (0.3 - 0.18 * 0.5) * ERROR**2, 10_000, 10_000), q=Z**2
    )
    assert found.effect_set.low == pytest.approx(at_promise.low)
    assert found.effect_set.high == pytest.approx(anderson_rubin(moments(itt=0.03)).high)


@settings(max_examples=60, deadline=None)
@given(
    itt=st.floats(-0.05, 0.05),
    first_stages=st.lists(st.floats(-0.1, 0.1), min_size=1, max_size=3),
    promise=st.floats(0, 0.4),
    share=st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_under_others__says_more_than_they_explain__at_no_effects_inside_the_promises_less(
    itt: float, first_stages: list[float], promise: float, share: list[float]
) -> None:
    box = [(-promise / 2, promise)] * len(first_stages)
    measured = others(*first_stages)
    found = under_others(moments(itt=itt), measured, box, critical=Z)
    inside = np.array([low + part * (high - low) for (low, high), part in zip(box, share, strict=False)])
    fixed = under_others(
        moments(itt=itt), measured, [(b, b) if b == 0 else (min(b, 0), max(b, 0)) for b in inside], critical=Z
    )

    if found.excludes_zero:
        assert fixed.excludes_zero
    if found.effect_set.shape is Shape.INTERVAL:
        assert fixed.effect_set.low is not None
        assert found.effect_set.low is not None
        assert fixed.effect_set.low >= found.effect_set.low - 1e-12


def test_under_others__that_the_nudge_lowers__count_alike() -> None:
    lowered = under_others(moments(itt=0.03), others(-0.06, with_itt=-0.2), [(-0.3, 0.0)], critical=Z)
    raised = under_others(moments(itt=0.03), others(0.06), [(0.0, 0.3)], critical=Z)

    assert lowered.excludes_zero is raised.excludes_zero
    assert (lowered.effect_set.low, lowered.effect_set.high) == pytest.approx(
        (raised.effect_set.low, raised.effect_set.high)
    )


def test_under_others__a_weak_behaviour__has_the_whole_line() -> None:
    found = under_others(moments(first_stage=0.001), others(0.06), [(0.0, 0.1)], critical=Z)

    assert found.effect_set.shape is Shape.LINE


def test_under_others__a_promise_that_leaves_out_0__is_refused() -> None:
    with pytest.raises(ValueError, match="must hold 0"):
        under_others(moments(), others(0.06), [(0.1, 0.2)], critical=Z)


@pytest.mark.parametrize("first_stage", [0.06, -0.06])
def test_largest_harmless__a_little_less_and_more__turns_the_answer(first_stage: float) -> None:
    measured, at = others(first_stage), moments(itt=0.03)
    most = largest_harmless(at, measured, 0, critical=Z)
    assert computable(most)

    def excludes(b: float) -> bool:
        return under_others(at, measured, [(min(b, 0.0), max(b, 0.0))], critical=Z).excludes_zero

    assert np.sign(most) == np.sign(first_stage)
    assert excludes(most * 0.999)
    assert not excludes(most * 1.001)


def test_largest_harmless__where_nothing_is_shown_or_nothing_can_explain_it__says_so() -> None:
    assert largest_harmless(moments(itt=0.001), others(0.06), 0, critical=Z) == NotComputable(Reason.NUDGE_NOT_PROVED)
    exact = others(0.0, error=0.0, with_itt=0.0)
    assert largest_harmless(moments(itt=0.03), exact, 0, critical=Z) == NotComputable(Reason.NO_TAKE_UP)


@pytest.mark.parametrize(
    ("take_up", "error", "promise", "moved"),
    [
        (1.961 * ERROR, ERROR, 0.1, Moved.MOVED),
        (1.959 * ERROR, ERROR, 0.1, Moved.NOT_MOVED),
        # Limits: a quarter of .12, and .018 / (2 * .1) = .09, the wider.
        (0.0, 0.09 / 1.645, 0.1, Moved.NOT_MOVED),
        (0.0, 0.09 / 1.644, 0.1, Moved.CANNOT_TELL),
        (0.0, 0.03 / 1.645, 0.9, Moved.NOT_MOVED),
        (0.0, 0.03 / 1.644, 0.9, Moved.CANNOT_TELL),
        (0.0, 0.03 / 1.645, 0.0, Moved.NOT_MOVED),
        (0.0, 0.0, 0.1, Moved.NOT_MOVED),
        (0.01, 0.0, 0.1, Moved.MOVED),
    ],
)
def test_describe_others__at_each_limit__says_moved_not_moved_or_cannot_tell(
    take_up: float, error: float, promise: float, moved: Moved
) -> None:
    (row,) = describe_others(moments(), others(take_up, error=error), [(0.0, promise)], critical=Z)

    assert row.moved is moved
    assert computable(row.p_value) is (error > 0)
    assert (row.low, row.high) == pytest.approx((take_up - Z * error, take_up + Z * error))


def test_describe_others__between_clusters__takes_the_t_law() -> None:
    at = replace(moments(), degrees_of_freedom=5.0)
    (row,) = describe_others(at, others(2.2 * ERROR), [(0.0, 0.1)], critical=2.57)

    assert row.p_value == pytest.approx(2 * stats.t.sf(2.2, 5))
    assert row.moved is not Moved.MOVED


def test_moments__that_dont_fit__are_refused() -> None:
    with pytest.raises(ValueError, match="at most 12"):
        others(*[0.0] * 13)
    with pytest.raises(ValueError, match="one first stage"):
        OtherMoments(("a",), np.zeros(1), np.eye(2), np.zeros(1), np.zeros(1))


def says_cause(draws: np.random.Generator, itt: float, first_stages: Array, promise: float, error: float) -> bool:
    """One experiment with normal errors: is the behaviour called a cause with all moved others at their promise?"""
    seen = draws.normal([itt, *first_stages], error)
    measured = others(*seen[2:], error=error, with_itt=0.0)
    at = IvMoments(float(seen[0]), float(seen[1]), error**2, error**2, 0.0, 10_000, 10_000)
    box = [(0.0, promise)] * len(measured.names)
    rows = describe_others(at, measured, box, critical=Z)
    moved = [place for place, row in enumerate(rows) if row.moved is Moved.MOVED]
    return under_others(at, measured.take(moved), [box[place] for place in moved], critical=Z).excludes_zero


@pytest.mark.slow
@pytest.mark.parametrize("spill", [0.02, 0.06])
def test_cause__of_an_inert_behaviour_while_the_nudge_moves_a_cause__is_said_in_at_most_5_percent(spill: float) -> None:
    """1,000 experiments of 20,000 users, twelve others; o is worth 15 points, its promise 18."""
    draws, error = np.random.default_rng(5), 0.0065
    first_stages = np.array([0.12, spill, *[0.0] * 11])
    said = sum(says_cause(draws, 0.15 * spill, first_stages, 0.18, error) for _ in range(1000))

    assert said <= stats.binom.isf(0.001, 1000, 0.05)


@pytest.mark.slow
def test_cause__of_a_behaviour_while_nothing_else_is_moved__keeps_nearly_all_its_power() -> None:
    """1,000 experiments of 20,000 users: without others 79 %, at a promise of 18 points no more than 6 points less."""
    draws, error = np.random.default_rng(6), 0.0065
    first_stages = np.array([0.12, *[0.0] * 12])
    said = sum(says_cause(draws, 0.15 * 0.12, first_stages, 0.18, error) for _ in range(1000))
    without = float(stats.norm.sf(Z - 0.018 / error))

    assert said / 1000 >= without - 0.06 - 2 * sqrt(0.25 / 1000)
