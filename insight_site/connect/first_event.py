"""Detects events of a source since a given time; polled every two seconds while a person waits."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from events.inflow.live_tail import shortened, stored
from events.models import Flush, OutboxEvent, Rejected, Source
from events.schema import ERRORS
from events.senders import sender_of
from insight_site.connect.data_checks import NewEvent, first_odd
from insight_site.connect.newest_events import new_event

MOST = 1_000
LOOKED_AT = 20  # events that are checked for warnings
COLUMNS = ("message_id", "user_id", "event", "time", "received_at", "properties")


@dataclass(frozen=True)
class Received:
    """Events received since then.

    Attributes:
        number: number of events, at most `MOST`.
        names: event names with their counts, the most frequent first.
        user: user of the first event, shortened; "" before it arrives.
        at: when the first one arrived.
        time: when it happened, by its sender's clock.
        odd: warnings about the first ones, in the reader's language.
        refused: number of rejected events.
        reason: why the last one was rejected, in the reader's language.
    """

    number: int
    names: tuple[tuple[str, int], ...]
    user: str
    at: datetime | None
    time: datetime | None
    odd: tuple[str, ...]
    refused: int
    reason: str


def mark() -> int:
    """The current highest outbox id: later events have higher ones."""
    return OutboxEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _stored(source: Source, since: datetime) -> list[NewEvent]:
    """Events that a flush has since moved to the store, which is read only if there was one."""
    if not Flush.objects.filter(committed_at__gte=since).exists():
        return []
    return [
        new_event(*(row[name] for name in COLUMNS))
        for row in stored(MOST)
        if sender_of(row["message_id"]).source == source.pk and row["received_at"] >= since
    ]


def received(source: Source, *, after: int, since: datetime) -> Received:
    """Events of the source with ids above `after`, and rejections since a given time."""
    waiting = OutboxEvent.objects.filter(pk__gt=after, message_id__startswith=f"{source.pk}:").order_by("pk")
    rows = [new_event(*row) for row in waiting.values_list(*COLUMNS)[:MOST]]
    found = sorted([*_stored(source, since), *rows], key=lambda row: row.received_at)[:MOST]
    refused = Rejected.objects.filter(source=source, received_at__gte=since)
    last = refused.order_by("-pk").first()
    return Received(
        number=len(found),
        names=tuple(Counter(row.event for row in found if row.event).most_common(5)),
        user=shortened(found[0].user) if found else "",
        at=found[0].received_at if found else None,
        time=found[0].time if found else None,
        odd=first_odd(found[:LOOKED_AT]),
        refused=refused.count(),
        reason=str(ERRORS.get(last.code, last.message)) if last else "",
    )
