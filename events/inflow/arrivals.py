"""How many events of each source arrived, by ten minutes: noted at each flush, since a week's events are many."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from events.models import Arrivals, Flush, OutboxEvent
from events.senders import sender_of

KEPT = timedelta(days=8)
LATE = timedelta(days=1)
COLUMNS = ("message_id", "received_at", "time")


@dataclass
class Came:
    """Events of one source in ten minutes."""

    events: int
    late: int
    last: datetime


def counted(rows: Iterable[tuple[str, datetime, datetime]]) -> dict[tuple[int, datetime], Came]:
    """Rows of (message id, arrival, time of the event) by source and ten minutes; without what no key sent."""
    found: dict[tuple[int, datetime], Came] = {}
    for message_id, received_at, time in rows:
        source = sender_of(message_id).source
        if source is None:
            continue
        began = received_at.replace(minute=received_at.minute // 10 * 10, second=0, microsecond=0)
        came = found.setdefault((source, began), Came(0, 0, received_at))
        came.events += 1
        came.late += received_at - time > LATE
        came.last = max(came.last, received_at)
    return found


def note(batch: Flush) -> None:
    """Add a batch that is in the store; call it in the transaction that settles it, so that it counts once."""
    rows = OutboxEvent.objects.filter(flush=batch).values_list(*COLUMNS)
    for (source, began), came in counted(rows).items():
        row, made = Arrivals.objects.get_or_create(
            source=source, began=began, defaults={"events": came.events, "late": came.late, "last": came.last}
        )
        if not made:
            Arrivals.objects.filter(pk=row.pk).update(
                events=F("events") + came.events, late=F("late") + came.late, last=Greatest("last", came.last)
            )


def drop_old_arrivals() -> int:
    """Forget what is older than any page shows."""
    return Arrivals.objects.filter(began__lt=timezone.now() - KEPT).delete()[0]
