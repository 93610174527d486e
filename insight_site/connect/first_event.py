"""Has something arrived from this source since a moment? Asked every two seconds while a person waits."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from events.inflow.live_tail import shortened
from events.models import OutboxEvent, Rejected, Source
from events.schema import ERRORS

MOST = 1_000


@dataclass(frozen=True)
class Received:
    """What has come since.

    Attributes:
        number: events, at most `MOST`.
        names: event names with their numbers, the most frequent first; without those that are in the store already.
        user: the first event's user, shortened; "" when it is in the store already.
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


def received(source: Source, *, after: int, since: datetime) -> Received:
    """Events of the source after a `mark`, and what of it was refused since a moment."""
    rows = OutboxEvent.objects.filter(pk__gt=after, message_id__startswith=f"{source.pk}:").order_by("pk")
    found = list(rows.values_list("event", "user_id", "received_at")[:MOST])
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
