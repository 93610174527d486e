"""Status of each source: last event, volume, lateness and refusals.

Counted by ten minutes (`events.outbox.arrivals`), so "the last hour" is 60 to 70 minutes. Imported files have
no source.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.core.cache import cache
from django.db.models import Count
from django.utils import timezone

from events.models import Arrivals, OutboxEvent, Rejected, Source
from events.outbox.arrivals import COLUMNS, Came, counted

MOST_WAITING = 50_000  # of those waiting for the store
KEPT_SECONDS = 5
STEP = timedelta(minutes=10)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
SILENT = DAY
COUNTS = ("hour", "day", "week", "late", "refused")
REFUSED_SHARE = 0.05
KEY = "events.source_pulse"


class State(StrEnum):
    """The main status of a source; the page has a sentence for each."""

    NEVER = "never"
    SILENT = "silent"
    REFUSED = "refused"
    LIVE = "live"


@dataclass(frozen=True)
class Pulse:
    """One source.

    Attributes:
        source: its row.
        last: when its last event arrived, within the last week; None when none did.
        hour: events that arrived in the last hour.
        day: in the last 24 hours.
        week: in the last seven days.
        late: of the week's, those that arrived more than a day after they happened.
        refused: events refused in the last seven days.
        reason: code of the most frequent refusal, or "".
    """

    source: Source
    last: datetime | None = None
    hour: int = 0
    day: int = 0
    week: int = 0
    late: int = 0
    refused: int = 0
    reason: str = ""

    @property
    def state(self) -> State:
        """The most important status: nothing ever arrived, arrivals stopped, many refusals, or all is well."""
        if self.last is None:
            return State.REFUSED if self.refused else State.NEVER
        if timezone.now() - self.last > SILENT:
            return State.SILENT
        return State.REFUSED if self.refused > REFUSED_SHARE * (self.week + self.refused) else State.LIVE


def pulses() -> list[Pulse]:
    """Every source by name; a few seconds old at most."""
    found: dict[int, dict[str, Any]] | None = cache.get(KEY)
    if found is None:
        found = _count(timezone.now())
        cache.set(KEY, found, KEPT_SECONDS)
    return [Pulse(source, **found.get(source.pk, {})) for source in Source.objects.all()]


def events_by_day(now: datetime) -> tuple[tuple[date, int], ...]:
    """Events that came by HTTP on each of the last seven days and today, the oldest first. Days are the site's."""
    today = timezone.localdate(now)
    found = {today - timedelta(days=back): 0 for back in range(WEEK.days, -1, -1)}
    for _source, began, came in _came(now):
        if (day := timezone.localdate(began)) in found:
            found[day] += came.events
    return tuple(found.items())


def _count(now: datetime) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = defaultdict(lambda: {"last": None, **dict.fromkeys(COUNTS, 0), "reason": ""})
    for source, began, came in _came(now):
        entry = found[source]
        entry["last"] = came.last if entry["last"] is None else max(entry["last"], came.last)
        entry["late"] += came.late
        for name, span in (("hour", HOUR), ("day", DAY), ("week", WEEK)):
            entry[name] += came.events if now - began <= span + STEP else 0
    refused = Rejected.objects.filter(received_at__gte=now - WEEK, source__isnull=False)
    for row in refused.order_by().values("source", "code").annotate(number=Count("pk")).order_by("number"):
        entry = found[row["source"]]
        entry["refused"] += row["number"]
        entry["reason"] = row["code"]  # the last one is the most frequent
    return dict(found)


def _came(now: datetime) -> Iterator[tuple[int, datetime, Came]]:
    """Counts of stored events, by ten minutes, and of waiting ones."""
    for row in Arrivals.objects.filter(began__gte=now - WEEK):
        yield row.source, row.began, Came(row.events, row.late, row.last)
    waiting = OutboxEvent.objects.order_by("-pk")
    for (source, began), came in counted(waiting.values_list(*COLUMNS)[:MOST_WAITING]).items():
        yield source, began, came
