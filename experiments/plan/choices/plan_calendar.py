"""The calendar of a plan: units a day, end of enrolment, date of the last outcome. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil

from experiments.plan.planned_power import Inflow
from experiments.plan.result_day import FARTHEST_DAYS
from stats.power.sample_size import days_needed
from stats.results import NotComputable, Reason

LONGEST_DAYS = 365  # longest acceptable duration: beyond it the plan warns and offers what shortens it


@dataclass(frozen=True)
class PlanCalendar:
    """Duration of a plan if it started today.

    Attributes:
        per_day: eligible users a day, in the last four weeks whose outcome is known.
        enrolled: enrolled users a day, after audience, coverage, layer and holdout.
        units: of all variants.
        enrolment_days: until so many are enrolled; `days` until the last one's outcome is known, too.
        enrolment_ends, known: the dates of both; not computable beyond a hundred years.
    """

    per_day: float
    enrolled: float
    units: int
    enrolment_days: int
    days: int
    enrolment_ends: date | NotComputable
    known: date | NotComputable

    @property
    def too_long(self) -> bool:
        """True when it takes longer than a year."""
        return self.days > LONGEST_DAYS


def calendar_of(units: int, inflow: Inflow, share: float, today: date) -> PlanCalendar | NotComputable:
    """The calendar for a number of units.

    Args:
        units: of all variants.
        inflow: of units.
        share: of the inflow that is enrolled, 0 to 1.
        today: the day on which it would start.
    """
    if inflow.per_day <= 0 or share <= 0:
        return NotComputable(Reason.NO_DAILY_UNITS)
    enrolment = days_needed(units, inflow.per_day, coverage=share)
    days = days_needed(units, inflow.per_day, coverage=share, window_end=inflow.last_day)
    ends = [_date(today, count) for count in (enrolment, days)]
    return PlanCalendar(inflow.per_day, inflow.per_day * share, units, enrolment, days, ends[0], ends[1])


def units_within(days: int, inflow: Inflow, share: float) -> int:
    """Units whose outcome is known after so many days."""
    return max(int((days - inflow.last_day - 1) * inflow.per_day * share), 0)


def weeks(days: int) -> int:
    """Weeks, rounded up."""
    return ceil(days / 7)


def _date(today: date, days: int) -> date | NotComputable:
    return today + timedelta(days=days) if days < FARTHEST_DAYS else NotComputable(Reason.TOO_LATE)
