"""Has something arrived from this source since a moment? Asked every two seconds while a person waits."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from events.inflow.live_tail import shortened, stored
from events.models import Flush, OutboxEvent, Rejected, Source
from events.schema import ERRORS
from events.senders import sender_of

MOST = 1_000


@dataclass(frozen=True)
class Received:
    """What has come since.

    Attributes:
        number: events, at most `MOST`.
        names: event names with their numbers, the most frequent first.
        user: the first event's user, shortened; "" before it came.
        at: when the first one arrived.
        refused: how many were refused.
        reason: why the last of those was, in the reader's language.
    """

    number: int
    names: tuple[tuple[str, int], ...]
    user: str
    at: datetime | None
    refused: int
    reason: str


def mark() -> int:
    """A number that only later events have exceeded."""
    return OutboxEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _stored(source: Source, since: datetime) -> list[tuple[str, str, datetime]]:
    """What of it a flush has put into the store since; the store is read only after one."""
    if not Flush.objects.filter(committed_at__gte=since).exists():
        return []
    return [
        (row["event"], row["user_id"], row["received_at"])
        for row in stored(MOST)
        if sender_of(row["message_id"]).source == source.pk and row["received_at"] >= since
    ]


def received(source: Source, *, after: int, since: datetime) -> Received:
    """Events of the source after a `mark`, and what of it was refused since a moment."""
    waiting = OutboxEvent.objects.filter(pk__gt=after, message_id__startswith=f"{source.pk}:").order_by("pk")
    rows = list(waiting.values_list("event", "user_id", "received_at")[:MOST])
    found = sorted([*_stored(source, since), *rows], key=lambda row: row[2])[:MOST]
    refused = Rejected.objects.filter(source=source, received_at__gte=since)
    last = refused.order_by("-pk").first()
    return Received(
        number=len(found),
        names=tuple(Counter(event for event, _user, _at in found if event).most_common(5)),
        user=shortened(found[0][1]) if found and found[0][1] else "",
        at=found[0][2] if found else None,
        refused=refused.count(),
        reason=str(ERRORS.get(last.code, last.message)) if last else "",
    )
