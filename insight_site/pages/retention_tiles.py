"""The retention tiles of the first page: counted nightly, stored, and read here with their trend."""

from dataclasses import dataclass
from datetime import date

from django.utils import timezone
from django.utils.translation import gettext

from aha.moments.retention_now import RetentionNow, WeekOfDay, retention_now, signup_event
from insight_site.models import Snapshot
from reporting.numbers import count, percent
from runs.payloads import Schema, Unreadable
from runs.refusals import Refused

NAME = "retention"
FEW = 30  # weeks with fewer users aren't drawn: their share varies by chance
STORED: Schema[RetentionNow] = Schema(RetentionNow)


@dataclass(frozen=True)
class Tile:
    """One number on the first page with its trend.

    Attributes:
        name: such as "D7 retention".
        value: of the latest complete week, or "" if there is none.
        whom: which users, and how many.
        line: points of a sparkline, or "".
    """

    name: str
    value: str
    whom: str
    line: str


def count_retention() -> bool:
    """Query the warehouse and store the result; False on a site without events."""
    try:
        found = retention_now(signup_event())
    except Refused:
        return False
    Snapshot.objects.update_or_create(name=NAME, defaults={"value": STORED.store(found), "counted_at": timezone.now()})
    return True


def tiles(row: Snapshot | None) -> list[Tile]:
    """One tile per retention day; none before the first count."""
    found = None if row is None else STORED.read(row.value)
    if found is None or isinstance(found, Unreadable):
        return []
    return [_tile(day, weeks) for day, weeks in zip(found.days, found.weeks, strict=True)]


def _tile(day: int, weeks: tuple[WeekOfDay, ...]) -> Tile:
    # The last week may still be incomplete: show the latest with enough users.
    known = [one for one in weeks if one.eligible >= FEW]
    name = gettext("D{day} retention").format(day=day)
    if not known:
        return Tile(name, "", gettext("No week is old enough yet."), "")
    last = known[-1]
    whom = gettext("week of {week} · n = {n}").format(week=_day(last.week), n=count(last.eligible))
    return Tile(name, percent(last.active / last.eligible), whom, _line(known))


def _day(week: date) -> str:
    return f"{week.month}/{week.day}"


def _line(weeks: list[WeekOfDay], width: int = 130, height: int = 30) -> str:
    if len(weeks) < 2:
        return ""
    shares = [one.active / one.eligible for one in weeks]
    span, top = (weeks[-1].week - weeks[0].week).days, max(shares) or 1.0
    places = [
        ((one.week - weeks[0].week).days / span, 1 - share / top) for one, share in zip(weeks, shares, strict=True)
    ]
    return " ".join(f"{2 + (width - 4) * x:.1f},{2 + (height - 4) * y:.1f}" for x, y in places)
