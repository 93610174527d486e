"""One event day by day, asked of the warehouse when its page is opened, and kept until the store changes."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.core.cache import cache

from events.asking import questions
from events.catalogue import queries
from events.pulse import newest_files

KEPT_SECONDS = 600


@dataclass(frozen=True)
class Day:
    """Occurrences of an event on one UTC day, and the different users who did it."""

    day: date
    events: int
    users: int


def daily(name: str) -> tuple[Day, ...]:
    """The days from the event's first to the store's last day, days without it as zeros; none for an unknown event.

    Raises:
        Refused: when there is no event at all, or the store must not be read.
    """
    version = "" if settings.WAREHOUSE_URL else newest_files.version()
    key = f"events.trend:{version}:{hashlib.sha256(name.encode()).hexdigest()}"
    found: tuple[Day, ...] | None = cache.get(key)
    if found is None:
        with questions() as asked:
            rows = asked.warehouse.arrow(queries.days(asked.log, name)).to_pylist()
            last = max(asked.basis.data_end - timedelta(microseconds=1), datetime(1970, 1, 1, tzinfo=UTC)).date()
        found = _filled({row["day"]: Day(row["day"], row["events"], row["users"]) for row in rows}, last)
        cache.set(key, found, KEPT_SECONDS)
    return found


def by_week(days: tuple[Day, ...]) -> tuple[tuple[date, int], ...]:
    """Monday and occurrences of each week. Users can't be added up over days, so weeks have none."""
    weeks: dict[date, int] = {}
    for row in days:
        monday = row.day - timedelta(days=row.day.weekday())
        weeks[monday] = weeks.get(monday, 0) + row.events
    return tuple(weeks.items())


def _filled(found: dict[date, Day], last: date) -> tuple[Day, ...]:
    if not found:
        return ()
    first, last = min(found), max(last, *found)
    all_days = (first + timedelta(days=place) for place in range((last - first).days + 1))
    return tuple(found.get(day, Day(day, 0, 0)) for day in all_days)
