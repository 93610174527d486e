"""How long a run will take: from runs of its kind, by the slopes of its steps; a range where none was measured."""

from dataclasses import replace

import pytest

from runs.run_times import SLACK, Pace, Spent, Told, tell, told_words

PACE = Pace(
    slopes={"read": {"users": 1.0, "cells": 0.5}, "fit": {"sample": 0.5}},
    usual={"read": 8.0, "fit": 20.0},
    at={"users": 1_000, "sample": 1_000, "cells": 100},
)
SIZE = {"users": 1_000, "sample": 1_000, "cells": 100}
RUN = Spent(31.0, 50.0, 900.0, 2, {"read": 10.0, "fit": 20.0}, SIZE)


def lasted(read: float, fit: float, users: int = 1_000, workers: int = 2) -> Spent:
    size = {"users": users, "sample": min(users, 10_000), "cells": 100}
    return replace(RUN, steps={"read": read, "fit": fit}, size=size, workers=workers)


@pytest.mark.parametrize(
    ("size", "seconds"),
    [
        ({"users": 1_000, "sample": 1_000, "cells": 100}, 10 + 20),
        ({"users": 4_000, "sample": 4_000, "cells": 100}, 10 * 4 + 20 * 2),  # larger than what was measured
        ({"users": 250, "sample": 250, "cells": 100}, 10 / 4 + 20 / 2),  # and smaller
        ({"users": 16_000, "sample": 4_000, "cells": 100}, 10 * 16 + 20 * 2),  # a sample ends the growth of its step
        ({"users": 1_000, "sample": 1_000, "cells": 400}, 10 * 2 + 20),
    ],
)
def test_tell__one_measured_run__scales_each_step_by_its_own_slopes(size: dict[str, int], seconds: float) -> None:
    found = tell(PACE, size, [RUN])

    assert found.least == found.most == pytest.approx(seconds)
    assert found.measured


def test_tell__nothing_measured__is_a_range_around_the_usual_seconds() -> None:
    found = tell(PACE, {"users": 2_000, "sample": 4_000, "cells": 100}, [])

    assert found.least == pytest.approx(56 / SLACK)
    assert found.most == pytest.approx(56 * SLACK)
    assert not found.measured


@pytest.mark.parametrize(
    "spent",
    [
        replace(RUN, compiled=True),  # the next run won't compile
        replace(RUN, steps={}, size={}),  # of version 0.4
        replace(RUN, steps={"read": 10.0}),  # of a version with other steps
        replace(RUN, size={"users": 1_000}),
    ],
)
def test_tell__a_run_that_measures_nothing__is_left_out(spent: Spent) -> None:
    assert not tell(PACE, SIZE, [spent]).measured
    assert tell(PACE, SIZE, [spent, RUN]) == tell(PACE, SIZE, [RUN])


def test_tell__a_run_slowed_by_other_work__is_outvoted() -> None:
    assert tell(PACE, SIZE, [lasted(90, 200), lasted(10, 20), lasted(11, 21)]).most == pytest.approx(11 + 21)


def test_tell__runs_of_other_sizes__count_less_than_the_nearest() -> None:
    small = [lasted(1.0, 1.0, users=10)] * 3  # scaled up they would say 100 and 10
    near = [lasted(10, 20, users=900), lasted(10, 20, users=1_100), lasted(10, 20)]

    assert tell(PACE, SIZE, [*small, *near]).most == pytest.approx(30)


def test_tell__runs_of_a_machine_before__tell_nothing_about_this_one() -> None:
    assert tell(PACE, SIZE, [lasted(5, 10, workers=8), *[lasted(10, 20)] * 3]).most == pytest.approx(15)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Told(0.4, 0.4, measured=True), "about 2 seconds"),
        (Told(7.4, 7.4, measured=True), "about 7 seconds"),
        (Told(42.0, 42.0, measured=True), "about 40 seconds"),
        (Told(89.9, 89.9, measured=True), "about 90 seconds"),
        (Told(90.1, 90.1, measured=True), "about 2 minutes"),
        (Told(3_000, 3_000, measured=True), "about 50 minutes"),
        (Told(5.0, 20.0, measured=False), "about 5 to 20 seconds"),
        (Told(25.0, 100.0, measured=False), "about 25 seconds to 2 minutes"),
        (Told(60.0, 240.0, measured=False), "about 1 to 4 minutes"),
    ],
)
def test_words__seconds_first_minutes_from_ninety_seconds_on(told: Told, words: str) -> None:
    time, what_else = told_words(told)

    assert time == words
    assert ("no run has been measured" in what_else) is not told.measured


@pytest.mark.parametrize("seconds", [2.0, 7.5, 12.4, 47.5, 89.0, 91.0, 149.0, 1_000.0])
def test_words__rounded__stay_within_two_thirds_and_one_and_a_half(seconds: float) -> None:
    number, unit = told_words(Told(seconds, seconds, measured=True))[0].split()[1:]

    assert 2 / 3 < int(number) * {"seconds": 1, "minutes": 60}[unit] / seconds < 3 / 2
