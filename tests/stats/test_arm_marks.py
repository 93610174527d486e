"""When a condition on users tells the arm of an experiment: both sides of each threshold."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats.arm_marks import LEVEL, PlannedArms, one_sided, parts_the_arms, tells_the_arm

HALF = (0.5, 0.5)


@pytest.mark.parametrize(
    ("users", "planned", "tells"),
    [
        ((30, 0), HALF, True),
        ((29, 0), HALF, False),  # too few
        ((90, 10), HALF, True),  # 90 %: odds of 9
        ((89, 11), HALF, False),
        ((10, 90), HALF, True),
        ((27, 3), HALF, False),  # 90 % of 30: one in 240,000
        ((36, 4), HALF, True),
        ((322, 678), (0.05, 0.95), True),  # odds of 9 times 1/19
        ((321, 679), (0.05, 0.95), False),
        ((0, 700), (0.05, 0.95), True),  # nobody of a small arm: .95^700 = 3e-16
        ((0, 100), (0.05, 0.95), False),  # .95^100 = .006
        ((0, 60, 60), (1 / 3, 1 / 3, 1 / 3), True),  # two of three arms: the third never
        ((82, 9, 9), (1 / 3, 1 / 3, 1 / 3), True),
        ((81, 10, 9), (1 / 3, 1 / 3, 1 / 3), False),
    ],
)
def test_users__on_both_sides_of_each_threshold(
    users: tuple[int, ...], planned: tuple[float, ...], tells: bool
) -> None:
    assert tells_the_arm(users, planned) is tells


@given(st.integers(30, 60), st.data())
def test_level__of_users_of_two_arms__is_the_sum_of_binomial_terms(number: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, number))
    tail = sum(comb(number, k) for k in range(max(count, number - count), number + 1)) / 2**number
    nine = max(count, number - count) >= 9 * min(count, number - count)

    assert tells_the_arm((count, number - count), HALF) is (nine and tail < LEVEL)


def test_strata__with_shares_of_their_own__are_no_marks_of_an_arm() -> None:
    planned = PlannedArms(np.array([[0.5, 0.5], [0.95, 0.05]]))
    users = np.array([[0, 0], [950, 50]])  # a segment whose users get the control nearly always

    assert not one_sided(users, planned)
    assert one_sided(users, PlannedArms(np.array([[0.5, 0.5], [0.5, 0.5]])))


def test_condition__that_holds_for_nearly_all__tells_by_whom_it_does_not_hold_for() -> None:
    everybody, planned = np.array([[1_000, 1_000]]), PlannedArms(np.array([HALF]))

    assert parts_the_arms(np.array([[960, 1_000]]), everybody, planned)
    assert not parts_the_arms(np.array([[900, 980]]), everybody, planned)


@pytest.mark.parametrize(("right", "tells"), [(900, True), (899, False)])
def test_lab__whose_app_notes_one_nudge_with_errors__is_told_apart_by_that_nudge(right: int, tells: bool) -> None:
    """Sets none, a, b, a.b: no set has 9 times its odds, but having a has."""
    shares, with_each = np.full((1, 4), 0.25), np.array([[False, True, False, True], [False, False, True, True]])
    noted = np.array([[1_000 - right, right, 1_000 - right, right]])

    assert not one_sided(noted, PlannedArms(shares))
    assert one_sided(noted, PlannedArms(shares, with_each)) is tells
