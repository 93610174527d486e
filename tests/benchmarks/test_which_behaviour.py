"""The made-up nudges of benchmarks/causes/which_behaviour.py hold what its page says of them."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.causes.which_behaviour import OTHER_BEHAVIOUR, SCENARIOS, Promise, draw_nudges, moments_of_arms, say
from stats.instrument.other_behaviours import OtherMoments
from stats.iv_moments import IvMoments

ERROR = 0.006


def said(itt: float, chat: float, promise: float, *marked: str) -> tuple[str, str]:
    """What is said where the nudge moves the tested behaviour by 12 points and chat by this much."""
    moments = IvMoments(itt, 0.12, ERROR**2, ERROR**2, 0.0, 10_000, 10_000)
    others = OtherMoments(("chat",), np.array([chat]), np.eye(1) * ERROR**2, np.zeros(1), np.zeros(1))
    found = say(moments, others, promise, marked)
    return found.before, found.now


@pytest.mark.parametrize(
    ("itt", "chat", "promise", "marked", "before", "now"),
    [
        (0.0117, 0.06, 0.15, (), "", ""),  # 1.95 errors: nothing is shown
        (0.0119, 0.0, 0.15, (), "CAUSES", "CAUSES"),
        # 60 of 1,000 do more chatting, worth 15 points at most: 9 of 1,000 are chat's.
        (0.0210, 0.06, 0.15, (), "CAUSES", "CAUSES"),  # 12 left: 1.98 errors of both
        (0.0205, 0.06, 0.15, (), "CAUSES", OTHER_BEHAVIOUR),
        (0.0205, 0.06, 0.15, ("chat",), "CAUSES", "CAUSES"),
        (-0.0300, 0.06, 0.15, (), "HARMS", "HARMS"),
    ],
)
def test_say__on_both_sides_of_each_limit__is_as_by_hand(
    itt: float, chat: float, promise: float, marked: tuple[str, ...], before: str, now: str
) -> None:
    assert said(itt, chat, promise, *marked) == (before, now)


def test_moments_of_arms__of_few_rows__are_differences_and_their_covariances() -> None:
    control = np.array([[0, 0, 0], [1, 0, 1], [0, 1, 0], [1, 1, 0]], float)
    variant = np.array([[1, 1, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1]], float)
    moments, others = moments_of_arms(control, variant, ("chat",))

    covariances = np.cov(control.T) / 4 + np.cov(variant.T) / 4
    assert (moments.itt, moments.first_stage, others.first_stages[0]) == (0.25, 0.25, 0.5)
    assert others.with_itt[0] == pytest.approx(covariances[0, 2])
    assert others.with_first_stage[0] == pytest.approx(covariances[1, 2])
    assert moments.c_rd == pytest.approx(covariances[0, 1])


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_draw_nudges__of_each_scenario__move_behaviours_and_outcome_as_planted(name: str) -> None:
    scenario = replace(SCENARIOS[name], users=60_000)
    moments = draw_nudges(scenario, np.random.default_rng(5))
    size = len(scenario.effects) + 1
    errors = np.sqrt(np.diag(moments.covariance)).reshape(-1, size)

    left = moments.itt - moments.first_stages @ scenario.effects - scenario.direct
    assert (np.abs(left) < 4.5 * errors[:, 0]).all()
    # A nudge brings its part of those whom no other nudge has brought already.
    assert (moments.first_stages <= scenario.moves + 4.5 * errors[:, 1:]).all()
    assert (moments.first_stages >= 0.75 * scenario.moves - 4.5 * errors[:, 1:]).all()


@pytest.mark.parametrize(
    ("share", "at_most", "kept"),
    [(0.0784, True, False), (0.0783, True, True), (0.0217, False, True), (0.0216, False, False)],
)
def test_promise__of_237_runs__has_two_errors_of_room(share: float, at_most: bool, kept: bool) -> None:
    # Two errors of 5 % in 237 runs are 2.83 points.
    assert Promise("", share, 0.05, 237, at_most).kept is kept
