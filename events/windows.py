"""Days and windows: the day of a unit's life that a moment belongs to, and when a window is complete.

Two clocks, stored with each result (docs/methods/retention.md):

* rolling: day d lasts from ``anchor + d * 24 h`` to ``anchor + (d + 1) * 24 h``, in UTC;
* calendar: day d is the local date of the anchor plus d dates, so that a day may have 23 or 25 hours.

A unit counts for a window only when the window's last day is complete before the data's end. Day b is complete one day
later than ``anchor + b``: forgetting this counts young units as churned.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runs.refusals import Refused

DAY = timedelta(days=1)


class DayMode(StrEnum):
    """How days are counted from the anchor."""

    ROLLING = "rolling"
    CALENDAR = "calendar"


@dataclass(frozen=True)
class Window:
    """Days of a unit's life, both ends inclusive; day 0 begins at the anchor.

    Attributes:
        start_day: first day, 0 or more.
        end_day: last day, not before the first; None means "and every later day".
    """

    start_day: int
    end_day: int | None

    def __post_init__(self) -> None:
        if self.start_day < 0:
            raise Refused("A window begins on day 0 or later, not on day {first}.", first=self.start_day)
        if self.end_day is not None and self.end_day < self.start_day:
            raise Refused(
                "A window ends on its first day or later: {first}-{last} runs backwards.",
                first=self.start_day,
                last=self.end_day,
            )

    def __contains__(self, day: int) -> bool:
        return self.start_day <= day and (self.end_day is None or day <= self.end_day)

    def __len__(self) -> int:
        if self.end_day is None:
            raise ValueError("a window without an end has no length")
        return self.end_day - self.start_day + 1

    @property
    def days_needed(self) -> int:
        """Complete days of follow-up after the anchor that a unit needs to count for this window."""
        return (self.start_day if self.end_day is None else self.end_day) + 1

    def __str__(self) -> str:
        return f"{self.start_day}-{'' if self.end_day is None else self.end_day}"


def first_days(days: int) -> Window:
    """The window of "within `days` days": days 0 to `days` - 1."""
    if days < 1:
        raise Refused("A window has at least one day, not {given}.", given=days)
    return Window(0, days - 1)


@dataclass(frozen=True)
class LastDays:
    """Whole dates of the site that end with its last complete one, or so many dates earlier.

    A date is complete when the data reach past it: the date of the newest event isn't, unless all events carry dates
    without a time of day. So `LastDays(28)` and `LastDays(28, before=28)` lie side by side.

    Attributes:
        days: how many, 1 or more.
        before: how many later dates are left out, 0 or more.
    """

    days: int
    before: int = 0

    def __post_init__(self) -> None:
        if self.days < 1 or self.before < 0:
            raise Refused("A window has at least one day, not {given}.", given=min(self.days, self.before))

    def dates(self, time_zone: str, data_end: datetime) -> tuple[date, date]:
        """The first date, and the one after the last.

        Args:
            time_zone: of the site.
            data_end: the moment up to which the data are complete.
        """
        after = Clock(DayMode.CALENDAR, time_zone).local_date(data_end) - self.before * DAY
        return after - self.days * DAY, after

    def span(self, time_zone: str, data_end: datetime) -> tuple[datetime, datetime]:
        """The UTC moments at which these dates begin and end; the arguments are those of `dates`."""
        first, after = self.dates(time_zone, data_end)
        clock = Clock(DayMode.CALENDAR, time_zone)
        return clock.midnight(first), clock.midnight(after)


def guard(behaviour_days: int, retention: Window, *, gap: int = 0) -> bool:
    """True when a behaviour window of `behaviour_days` days ends before the retention window, with `gap` days between.

    With an overlap any frequent behaviour "predicts" retention, since activity itself is the outcome.
    """
    if gap < 0:
        raise Refused("The gap is 0 days or more, not {given}.", given=gap)
    return behaviour_days + gap <= retention.start_day


@dataclass(frozen=True)
class Clock:
    """How days are counted.

    Attributes:
        mode: rolling 24-hour days or calendar days.
        time_zone: IANA name of the zone of the days; rolling days don't depend on it.
    """

    mode: DayMode = DayMode.ROLLING
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Refused("'{given}' is no time zone, for example Asia/Seoul.", given=self.time_zone) from None

    def local_date(self, moment: datetime) -> date:
        """The date of a moment in this time zone (rolling: in UTC)."""
        return in_utc(moment).astimezone(self._zone).date()

    def day_of(self, moment: datetime, anchor: datetime) -> int:
        """The day index of a moment: 0 on the anchor's day, negative before it."""
        if self.mode is DayMode.CALENDAR:
            return (self.local_date(moment) - self.local_date(anchor)).days
        return (in_utc(moment) - in_utc(anchor)) // DAY

    def start_of(self, day: int, anchor: datetime) -> datetime:
        """The UTC moment at which a day of a unit begins (calendar: the first moment of that local date)."""
        if self.mode is DayMode.ROLLING:
            return in_utc(anchor) + day * DAY
        return self.midnight(self.local_date(anchor) + timedelta(days=day))

    def midnight(self, day: date) -> datetime:
        """The UTC moment at which a local date begins, also where the clocks skip midnight."""
        wall = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        # If the clocks skip midnight, fold=0 reads 00:00 with the earlier offset: the moment of the change.
        return wall.astimezone(UTC)

    def complete_days(self, anchor: datetime, data_end: datetime) -> int:
        """Number of complete days of a unit before the end of the data; it is mature for windows that end earlier."""
        return self.day_of(data_end, anchor)

    @property
    def zone(self) -> str:
        """The zone whose dates number the days: UTC for rolling days."""
        return self.time_zone if self.mode is DayMode.CALENDAR else "UTC"

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


def data_end(
    newest: datetime, clock: Clock, *, day_grain: bool = False, lateness: timedelta = timedelta(0)
) -> datetime:
    """The moment up to which the data are complete, judged by the newest event alone.

    Args:
        newest: time of the newest event.
        clock: calendar days end at a local midnight, and the date of the newest event isn't over; rolling days may end
            at any moment, so the data end with the newest event itself.
        day_grain: True when every event of the log carries a date without a time of day. The newest date is then
            complete, and the data end a day later.
        lateness: how long events may still arrive after they happened.
    """
    if lateness < timedelta(0):
        raise Refused("The lateness allowance is 0 or more.")
    newest = in_utc(newest)
    if day_grain:
        end = newest + DAY if clock.mode is DayMode.ROLLING else clock.midnight(clock.local_date(newest) + DAY)
        return end - lateness
    if clock.mode is DayMode.CALENDAR:
        return clock.midnight(clock.local_date(newest)) - lateness
    return newest - lateness


@lru_cache(maxsize=64)
def offsets(time_zone: str, *, first_year: int = 1990, last_year: int = 2050) -> tuple[tuple[datetime, int], ...]:
    """The changes of a zone's offset, newest first: (UTC moment from which it holds, seconds east of Greenwich).

    Queries turn these into one CASE, so that every engine agrees on local dates whatever time-zone data it ships. The
    last entry holds for all earlier moments; changes before `first_year` are left out.
    """
    zone = ZoneInfo(time_zone)
    start = datetime(first_year, 1, 1, tzinfo=UTC)
    moments = [start, *_changes(zone, start, datetime(last_year, 1, 1, tzinfo=UTC))]
    return tuple((moment, _offset(moment, zone)) for moment in reversed(moments))


def _changes(zone: ZoneInfo, moment: datetime, end: datetime) -> Iterator[datetime]:
    while moment < end:
        later = moment + 7 * DAY  # no zone changes its offset twice within a week
        if _offset(later, zone) != _offset(moment, zone):
            yield _bisect(zone, moment, later)
        moment = later


def _bisect(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The first second with the offset at `high`, by bisection."""
    before = _offset(low, zone)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
    return high


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    shift = moment.astimezone(zone).utcoffset()
    return 0 if shift is None else int(shift.total_seconds())


def in_utc(moment: datetime) -> datetime:
    """A moment in UTC; a naive one is UTC, as it is inside every query."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
