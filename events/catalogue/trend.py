"""Daily counts of one event, queried when its page is opened and cached for two minutes."""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

from django.core.cache import cache

from events.catalogue import queries
from events.catalogue.listing import catalogue
from events.warehouse import connect

KEPT_SECONDS = 120


@dataclass(frozen=True)
class Day:
    """Occurrences of an event on one UTC day, and the number of users who did it."""

    day: date
    events: int
    users: int


def daily(name: str) -> tuple[Day, ...]:
    """The days from the event's first to the store's last day, days without it as zeros; empty for an unknown event.

    Raises:
        Refused: when the store must not be read.
    """
    listed = catalogue()
    made_at = listed.made_at.timestamp() if listed.made_at else ""
    key = f"events.trend:{made_at}:{hashlib.sha256(name.encode()).hexdigest()}"
    found: tuple[Day, ...] | None = cache.get(key)
    if found is None:
        with connect() as warehouse:
            rows = warehouse.arrow(queries.days(warehouse.events, name)).to_pylist()
        days = {row["day"]: Day(row["day"], row["events"], row["users"]) for row in rows}
        found = _filled(days, listed.last_day)
        cache.set(key, found, KEPT_SECONDS)
    return found


def by_week(days: tuple[Day, ...]) -> tuple[tuple[date, int], ...]:
    """Monday and occurrences of each week. Users of several days can't be added up, so weeks have none."""
    weeks: dict[date, int] = {}
    for row in days:
        monday = row.day - timedelta(days=row.day.weekday())
        weeks[monday] = weeks.get(monday, 0) + row.events
    return tuple(weeks.items())


def _filled(found: dict[date, Day], last: date | None) -> tuple[Day, ...]:
    if not found:
        return ()
    first = min(found)
    last = max(found) if last is None else max(last, *found)
    all_days = (first + timedelta(days=place) for place in range((last - first).days + 1))
    return tuple(found.get(day, Day(day, 0, 0)) for day in all_days)
