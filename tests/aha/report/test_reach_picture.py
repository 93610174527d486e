"""The weekly reach as a picture: gaps stay gaps, weeks of a few users are marked and not drawn as drops."""

from datetime import date, timedelta

import pytest

from aha.moments.claims import ReachWeek, WeeklyReach
from aha.report.reach import FEW, ExperimentDays, finding, picture, sparkline, trend
from aha.study.numbers import Interval, Number
from stats.results import NotComputable, Reason

FIRST = date(2026, 6, 1)


def week(after: int, eligible: int = 200, reached: int = 60, *, complete: bool = True) -> ReachWeek:
    share: Number = NotComputable(Reason.NO_DATA)
    if eligible:
        share = Interval(reached / eligible, 0.9 * reached / eligible, min(1.0, 1.1 * reached / eligible))
    return ReachWeek(FIRST + timedelta(weeks=after), eligible, eligible, reached, share, complete)


def found(*weeks: ReachWeek) -> WeeklyReach:
    return WeeklyReach(weeks, "2026-09-01T00:00:00")


def test_picture__no_week_with_users__is_none() -> None:
    assert picture(found(week(0, 0, 0))) is None


def test_picture__week_is_missing__leaves_a_gap_as_wide_as_it() -> None:
    drawn = picture(found(week(0), week(1), week(3), week(4)))

    assert drawn is not None
    assert len(drawn.lines) == 2
    x = [dot.x for dot in drawn.dots]
    assert x[2] - x[1] == pytest.approx(2 * (x[1] - x[0]), abs=0.3)


@pytest.mark.parametrize(("eligible", "kind", "lines"), [(FEW - 1, "few", 2), (FEW, "full", 1)])
def test_picture__few_users__are_marked_and_not_joined(eligible: int, kind: str, lines: int) -> None:
    drawn = picture(found(week(0), week(1), week(2, eligible, 0), week(3), week(4)))

    assert drawn is not None
    assert drawn.dots[2].kind == kind
    assert len(drawn.lines) == lines


def test_picture__few_users_with_a_wide_interval__do_not_set_the_axis() -> None:
    drawn = picture(found(week(0), week(1, 4, 4)))

    assert drawn is not None
    assert drawn.shares[-1].text == "40%"
    assert min(dot.high for dot in drawn.dots) >= drawn.shares[-1].at


def test_picture__week_not_complete__is_open() -> None:
    drawn = picture(found(week(0), week(1), week(2, complete=False)))

    assert drawn is not None
    assert [dot.kind for dot in drawn.dots] == ["full", "full", "open"]


def test_picture__experiments__are_bands_inside_the_axis() -> None:
    before = ExperimentDays("before", "/", FIRST - timedelta(days=90), FIRST - timedelta(days=60))
    runs = ExperimentDays("runs", "/", FIRST + timedelta(days=7), None)
    drawn = picture(found(*(week(n) for n in range(4))), [before, runs])

    assert drawn is not None
    (band,) = drawn.bands
    assert band.name == "runs"
    assert band.x == drawn.dots[1].x
    assert band.x + band.width == pytest.approx(drawn.right, abs=0.2)


def test_sparkline__fewer_than_two_weeks__is_empty() -> None:
    assert sparkline(found(week(0), week(1, FEW - 1, 3))) == ()
    assert len(sparkline(found(week(0), week(1)))) == 1


def test_trend__latest_complete_week_with_enough_users__is_said() -> None:
    last = trend(found(week(0, 200, 50), week(1, 10, 9), week(2, 200, 100, complete=False)))

    assert last is not None
    assert last.now == "25%"
    assert trend(None) is None
    assert trend(found(week(0, 10, 9))) is None


def test_finding__weeks_of_a_few_users__are_not_compared() -> None:
    said = finding(found(week(0, 200, 50), week(1, 200, 60), week(2, 4, 0)))

    assert said == "In the last complete week 30.0% of the new users did it, in the week before 25.0%."
    assert finding(found(week(0, 4, 0))) == f"No week with {FEW} users or more is complete yet."
