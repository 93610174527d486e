"""The calendar of a plan, on both sides of the year that a plan may take."""

from datetime import date

import pytest

from experiments.plan.planned_power import Inflow, PlanCalendar, calendar_of, units_within, weeks
from stats.results import NotComputable, Reason
from tests.stats.make import computed

TODAY = date(2026, 11, 24)
INFLOW = Inflow(date(2026, 10, 1), date(2026, 10, 28), 1_400, 50.0, 0.4, None, 20, None)


def made(units: int, share: float = 1.0) -> PlanCalendar:
    found = calendar_of(units, INFLOW, share, TODAY)
    assert isinstance(found, PlanCalendar)
    return found


def test_calendar__half_of_50_a_day__counts_enrolment_and_the_outcomes_window() -> None:
    found = made(2_500, 0.5)

    assert (found.per_day, found.enrolled, found.enrolment_days, found.days) == (50, 25, 100, 121)  # days 0 to 20
    assert (found.enrolment_ends, found.known) == (date(2027, 3, 4), date(2027, 3, 25))


@pytest.mark.parametrize(("days", "too_long"), [(364, False), (365, False), (366, True)])
def test_calendar__about_a_year__may_take_365_days(days: int, too_long: bool) -> None:
    found = made((days - 21) * 50)

    assert (found.days, found.too_long) == (days, too_long)


@pytest.mark.parametrize(("per_day", "share"), [(0.0, 1.0), (50.0, 0.0)])
def test_calendar__nobody_comes__is_a_reason(per_day: float, share: float) -> None:
    inflow = Inflow(TODAY, TODAY, 0, per_day, 0.4, None, 20, None)

    assert calendar_of(100, inflow, share, TODAY) == NotComputable(Reason.NO_DAILY_UNITS)


def test_calendar__beyond_a_hundred_years__has_days_and_no_date() -> None:
    found = made(50 * 40_000)

    assert found.too_long
    assert found.known == NotComputable(Reason.TOO_LATE)


@pytest.mark.parametrize(("days", "units"), [(20, 0), (21, 0), (22, 50), (365, 17_200)])
def test_units_within__so_many_days__are_those_whose_outcome_is_known(days: int, units: int) -> None:
    assert units_within(days, INFLOW, 1.0) == units
    if units:
        assert made(units).days == days


@pytest.mark.parametrize(("days", "expected"), [(7, 1), (8, 2), (14, 2)])
def test_weeks__are_whole(days: int, expected: int) -> None:
    assert weeks(days) == expected


def test_calendar__units_within_a_year__end_within_it() -> None:
    assert computed(made(units_within(365, INFLOW, 1.0)).known) == date(2027, 11, 24)
