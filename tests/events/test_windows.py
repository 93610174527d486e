"""Days, windows, maturity and the data's end."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.windows import Clock, DayMode, LastDays, Window, data_end, first_days, guard, offsets
from runs.refusals import Refused

ROLLING = Clock()
NEW_YORK = Clock(DayMode.CALENDAR, "America/New_York")
SEOUL = Clock(DayMode.CALENDAR, "Asia/Seoul")
ZONES = [
    "UTC",
    "Asia/Seoul",
    "America/New_York",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Europe/Lisbon",
]
ANCHOR = datetime(2024, 3, 9, 20, tzinfo=UTC)

moments = st.integers(0, 50 * 365 * 86_400).map(lambda s: datetime(1995, 1, 1, tzinfo=UTC) + timedelta(seconds=s))
clocks = st.one_of(st.just(ROLLING), st.sampled_from(ZONES).map(lambda zone: Clock(DayMode.CALENDAR, zone)))


@pytest.mark.parametrize(
    ("after", "day"),
    [
        (timedelta(0), 0),
        (timedelta(hours=24) - timedelta(microseconds=1), 0),
        (timedelta(hours=24), 1),
        (timedelta(microseconds=-1), -1),
    ],
)
def test_rolling_day__at_the_edges__changes_after_exactly_24_hours(after: timedelta, day: int) -> None:
    assert ROLLING.day_of(ANCHOR + after, ANCHOR) == day


def test_calendar_day__clocks_go_forward__the_day_has_23_hours() -> None:
    # In New York 2024-03-10 has 23 hours: it begins at 05:00 UTC and the next date at 04:00 UTC.
    assert NEW_YORK.start_of(1, ANCHOR) == datetime(2024, 3, 10, 5, tzinfo=UTC)
    assert NEW_YORK.start_of(2, ANCHOR) == datetime(2024, 3, 11, 4, tzinfo=UTC)
    assert NEW_YORK.day_of(datetime(2024, 3, 11, 3, 59, tzinfo=UTC), ANCHOR) == 1
    assert NEW_YORK.day_of(datetime(2024, 3, 11, 4, tzinfo=UTC), ANCHOR) == 2


def test_calendar_day__other_zone__follows_the_local_date() -> None:
    # 20:00 UTC is 05:00 of the next date in Seoul, so four hours later is still day 0, and 15:00 UTC begins day 1.
    assert SEOUL.day_of(ANCHOR + timedelta(hours=4), ANCHOR) == 0
    assert Clock(DayMode.CALENDAR, "UTC").day_of(ANCHOR + timedelta(hours=4), ANCHOR) == 1
    assert SEOUL.day_of(datetime(2024, 3, 10, 15, tzinfo=UTC), ANCHOR) == 1


@given(clocks, moments, st.integers(-400, 400))
def test_start_of_a_day__any_clock__is_the_first_moment_of_that_day(clock: Clock, anchor: datetime, day: int) -> None:
    start = clock.start_of(day, anchor)

    assert clock.day_of(start, anchor) == day
    assert clock.day_of(start - timedelta(microseconds=1), anchor) == day - 1


@given(st.sampled_from(ZONES), moments)
def test_offsets__any_moment__agree_with_the_zone(zone: str, moment: datetime) -> None:
    table = offsets(zone)
    shift = next((shift for since, shift in table if moment >= since), table[-1][1])

    local = Clock(DayMode.CALENDAR, zone).local_date(moment)

    assert (moment + timedelta(seconds=shift)).date() == local


@pytest.mark.parametrize(
    ("end_after", "mature"), [(timedelta(days=8), True), (timedelta(days=8, microseconds=-1), False)]
)
def test_maturity__rolling__needs_the_last_day_complete(end_after: timedelta, mature: bool) -> None:
    assert (ROLLING.complete_days(ANCHOR, ANCHOR + end_after) >= Window(3, 7).days_needed) is mature


def test_maturity__calendar__needs_the_local_date_over() -> None:
    end = datetime(2024, 3, 18, 4, tzinfo=UTC)  # midnight in New York, when day 8 (17 March) is over

    assert NEW_YORK.complete_days(ANCHOR, end) == Window(1, 8).days_needed
    assert NEW_YORK.complete_days(ANCHOR, end - timedelta(seconds=1)) < Window(1, 8).days_needed


def test_data_end__by_clock_and_grain__is_what_is_complete() -> None:
    newest = datetime(2024, 3, 9, 20, tzinfo=UTC)
    midnight = datetime(2024, 3, 9, tzinfo=UTC)

    assert data_end(newest, ROLLING) == newest
    assert data_end(newest, ROLLING, lateness=timedelta(hours=6)) == newest - timedelta(hours=6)
    assert data_end(newest, NEW_YORK) == datetime(2024, 3, 9, 5, tzinfo=UTC)
    assert data_end(midnight, ROLLING, day_grain=True) == midnight + timedelta(days=1)
    assert data_end(midnight, Clock(DayMode.CALENDAR), day_grain=True) == midnight + timedelta(days=1)


def test_guard__at_the_first_retention_day__allows_touching_and_refuses_overlap() -> None:
    assert guard(7, Window(7, 13))
    assert not guard(8, Window(7, 13))
    assert not guard(7, Window(7, 13), gap=1)
    assert guard(6, Window(7, 13), gap=1)


def test_window__days__are_inclusive() -> None:
    assert [day for day in range(10) if day in Window(3, 5)] == [3, 4, 5]
    assert len(Window(3, 5)) == 3
    assert Window(3, 5).days_needed == 6
    assert 99 in Window(3, None)
    assert first_days(3) == Window(0, 2)


@pytest.mark.parametrize(
    "make",
    [lambda: Window(-1, 3), lambda: Window(4, 3), lambda: first_days(0), lambda: Clock(time_zone="Mars/Olympus")],
)
def test_window__that_makes_no_sense__is_refused(make: object) -> None:
    with pytest.raises(Refused):
        make()  # type: ignore[operator]


def test_midnight__where_the_clocks_skip_it__is_the_moment_of_the_change() -> None:
    sao_paulo = Clock(DayMode.CALENDAR, "America/Sao_Paulo")  # 2017-10-15 00:00 did not exist

    assert sao_paulo.midnight(date(2017, 10, 15)) == datetime(2017, 10, 15, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("end", "first", "after"),
    [
        (datetime(2026, 3, 9, 14, 59, 59, tzinfo=UTC), date(2026, 3, 2), date(2026, 3, 9)),  # 23:59:59 in Seoul
        (datetime(2026, 3, 9, 15, tzinfo=UTC), date(2026, 3, 3), date(2026, 3, 10)),  # midnight: the 9th is complete
    ],
)
def test_last_days__at_the_border__end_with_the_last_complete_date_of_the_site(
    end: datetime, first: date, after: date
) -> None:
    assert LastDays(7).dates("Asia/Seoul", end) == (first, after)
    assert LastDays(7).span("Asia/Seoul", end) == (SEOUL.midnight(first), SEOUL.midnight(after))
    assert LastDays(7, before=7).dates("Asia/Seoul", end) == (first - timedelta(days=7), first)


@given(moments, st.sampled_from(ZONES), st.integers(1, 400), st.integers(0, 400), st.integers(1, 400))
def test_last_days__side_by_side__leave_no_gap_and_end_no_later_than_the_data(
    end: datetime, zone: str, days: int, before: int, more: int
) -> None:
    since, until = LastDays(days, before).span(zone, end)

    assert LastDays(more, before + days).span(zone, end)[1] == since < until <= end
    assert LastDays(days + more, before).span(zone, end)[1] == until


@pytest.mark.parametrize(("days", "before"), [(0, 0), (1, -1)])
def test_last_days__that_are_none__are_refused(days: int, before: int) -> None:
    with pytest.raises(Refused, match="at least one day"):
        LastDays(days, before)
