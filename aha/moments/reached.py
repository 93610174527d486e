"""The weekly share of new users who reach an AHA moment: the team's shared goal. Pure records."""

from dataclasses import dataclass
from datetime import date

from aha.study.cell_metrics import Number


@dataclass(frozen=True)
class ReachWeek:
    """One signup week.

    Attributes:
        week: its Monday.
        signups: units that signed up in it.
        eligible: those whose days are complete; only they are counted as reaching the moment.
        reached: number of eligible units that reached it.
        share: reached over eligible, 0 to 1, with Wilson's interval.
        complete: True when the days of every unit that could sign up in it are over; other weeks may change.
    """

    week: date
    signups: int
    eligible: int
    reached: int
    share: Number
    complete: bool


@dataclass(frozen=True)
class WeeklyReach:
    """The weekly share of new users who reach a moment, oldest week first, and the data's end (ISO, UTC)."""

    weeks: tuple[ReachWeek, ...]
    data_end: str
