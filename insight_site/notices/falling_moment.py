"""Compares the newest complete week of a moment with its own earlier weeks (`stats.falling_share`)."""

from dataclasses import dataclass
from datetime import date

from aha.moments.reached import ReachWeek, WeeklyReach
from stats.falling_share import Fall, WeekCount, falling
from stats.results import computable


@dataclass(frozen=True)
class WeekFall:
    """A week, as its Monday, and its comparison with those before."""

    week: date
    fall: Fall


def newest_fall(found: WeeklyReach) -> WeekFall | None:
    """The newest week's comparison; None while there are too few complete weeks, or the newest has too few users."""
    weeks = [row for row in found.weeks if row.complete and row.eligible]
    if not weeks:
        return None
    fall = falling([_count(row) for row in weeks[:-1]], _count(weeks[-1]))
    return WeekFall(weeks[-1].week, fall) if computable(fall) else None


def _count(row: ReachWeek) -> WeekCount:
    return WeekCount(row.reached, row.eligible)
