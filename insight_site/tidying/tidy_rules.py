"""Hygiene rules: one function per rule, its threshold on top. Each returns since when it applies, or None. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class TidyRule(StrEnum):
    """The rules, in the order in which they are shown."""

    PAST_END = "past_end"
    STILL_ASKED = "still_asked"


@dataclass(frozen=True)
class Dates:
    """An experiment's dates for the rules.

    Attributes:
        status: draft, running, paused, stopped or concluded.
        planned_end: planned last day.
        ended: when it stopped.
    """

    status: str
    planned_end: date | None
    ended: datetime | None


DAYS_PAST_END = 0  # the day after the planned end


def past_end(one: Dates, today: date) -> date | None:
    """Running or paused, and its planned end is over."""
    live = one.status in ("running", "paused")
    if not live or one.planned_end is None or (today - one.planned_end).days <= DAYS_PAST_END:
        return None
    return one.planned_end


ASKED_A_DAY = 100  # fewer may be a test or a forgotten browser
DAYS_TO_TAKE_IT_OUT = 2  # full days after the end that services have to stop


def still_asked(one: Dates, day: date | None, calls: int) -> datetime | None:
    """Stopped or concluded, but services still evaluate its flag by name.

    Args:
        one: the experiment.
        day: the UTC day of the count; None without calls.
        calls: number of calls on that day.
    """
    over = one.status in ("stopped", "concluded") and one.ended is not None
    if not over or one.ended is None or day is None or calls < ASKED_A_DAY:
        return None
    return one.ended if (day - one.ended.date()).days > DAYS_TO_TAKE_IT_OUT else None
