"""The report of a metric check: its value week by week, and false alarms on its own past. Pure."""

from dataclasses import dataclass
from datetime import date

from runs.payloads import Schema
from stats.false_alarms import FalseAlarms
from stats.results import Interval, NotComputable


@dataclass(frozen=True)
class PastWeek:
    """The metric of the units that came in one week.

    Attributes:
        first: local date of the week's first day.
        units: units that began in this week, with all their days complete.
        value: of the metric, with its 95 % interval.
    """

    first: date
    units: int
    value: Interval | NotComputable


@dataclass(frozen=True)
class MetricPreview:
    """A metric on the users of the past weeks, before it is used. Never stored.

    Attributes:
        definition: what was measured, with its cap.
        is_share: it is a share of units.
        signup_event: what started a unit's clock; ``*`` for the first event of any kind in these weeks.
        first, last: local dates of the first and the last day on which they began.
        users: who began then, with all their days complete.
        rows: of an SQL metric the users for whom its SELECT has a row, the others counting 0; None elsewhere.
        value: of the metric over all users, with its 95 % interval.
        some: values of some users, with a row where rows are counted.
        spread: smallest, middle and largest of these values; empty without any.
    """

    definition: str
    is_share: bool
    signup_event: str
    first: date
    last: date
    users: int
    rows: int | None
    value: Interval | NotComputable
    some: tuple[float, ...]
    spread: tuple[float, ...]


@dataclass(frozen=True)
class CheckReport:
    """A metric checked on its own past.

    Attributes:
        definition: what was measured, with its cap.
        is_share: it is a share of units.
        signup_event: what started a unit's clock; ``*`` for the first event of any kind in these weeks.
        cap: the number at which values were cut, of these units where it was a share; None without one.
        units: that began in these weeks.
        weeks: the oldest first.
        badge: false alarms over random halves of these units, or of `sampled` of them.
        sampled: how many units were split.
        splits, seed: as requested.
        rows: of an SQL metric the units for whom its SELECT has a row, the others counting 0; None elsewhere, and in
            results of version 0.4.
    """

    definition: str
    is_share: bool
    signup_event: str
    cap: float | None
    units: int
    weeks: tuple[PastWeek, ...]
    badge: FalseAlarms | NotComputable
    sampled: int
    splits: int
    seed: int
    rows: int | None = None


CHECK = Schema(CheckReport)
