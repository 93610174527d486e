"""The newest complete week of a moment against its own weeks before (`stats.falling_share`)."""

from dataclasses import dataclass
from datetime import date

from aha.moments.reached import ReachWeek, WeeklyReach
from stats.falling_share import Fall, WeekCount, falling
from stats.results import computable


@dataclass(frozen=True)
class WeekFall:
    """A week, as its Monday, and how it stands against those before."""

    week: date
    fall: Fall


def newest_fall(found: WeeklyReach) -> WeekFall | None:
    """None while there are too few complete weeks, or the newest is too small."""
    weeks = [row for row in found.weeks if row.complete and row.eligible]
    if not weeks:
        return None
    fall = falling([_count(row) for row in weeks[:-1]], _count(weeks[-1]))
    return WeekFall(weeks[-1].week, fall) if computable(fall) else None


def _count(row: ReachWeek) -> WeekCount:
    return WeekCount(row.reached, row.eligible)
