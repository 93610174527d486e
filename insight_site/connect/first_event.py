"""Has something arrived from this source since a moment? Asked every two seconds while a person waits."""

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
LOOKED_AT = 20  # of which it is said what looks odd
COLUMNS = ("message_id", "user_id", "event", "time", "received_at", "properties")


@dataclass(frozen=True)
class Received:
    """What has come since.

    Attributes:
        number: events, at most `MOST`.
        names: event names with their numbers, the most frequent first.
        user: the first event's user, shortened; "" before it came.
        at: when the first one arrived.
        time: when it happened, as its sender says.
        odd: what looks odd about the first ones, in sentences of the reader's language.
        refused: how many were refused.
        reason: why the last of those was, in the reader's language.
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
    """A number that only later events have exceeded."""
    return OutboxEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _stored(source: Source, since: datetime) -> list[NewEvent]:
    """What of it a flush has put into the store since; the store is read only after one."""
    if not Flush.objects.filter(committed_at__gte=since).exists():
        return []
    return [
        new_event(*(row[name] for name in COLUMNS))
        for row in stored(MOST)
        if sender_of(row["message_id"]).source == source.pk and row["received_at"] >= since
    ]


def received(source: Source, *, after: int, since: datetime) -> Received:
    """Events of the source after a `mark`, and what of it was refused since a moment."""
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
