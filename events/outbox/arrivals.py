"""Count arrived events by source and ten minutes, at each flush, since a week has too many events to count later."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from events.models import Arrivals
from events.senders import sender_of

if TYPE_CHECKING:
    import pyarrow as pa

KEPT = timedelta(days=8)
LATE = timedelta(days=1)
COLUMNS = ("message_id", "received_at", "time")
TEN_MINUTES = 600_000_000  # microseconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Came:
    """Events of one source in ten minutes."""

    events: int
    late: int
    last: datetime


def counted(rows: Iterable[tuple[str, datetime, datetime]]) -> dict[tuple[int, datetime], Came]:
    """Count rows of (message id, arrival, time of the event) by source and ten minutes, without those of no source."""
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


def counted_in(table: "pa.Table") -> dict[tuple[int, datetime], Came]:
    """The same for a table with the store's columns, vectorised, since a batch has too many rows for a loop."""
    import pyarrow as pa
    import pyarrow.compute as pc

    received, time = (table.column(name).cast(pa.int64()) for name in ("received_at", "time"))
    # Equivalent to events.senders.sender_of.
    source = pc.struct_field(pc.extract_regex(table.column("message_id"), "^(?P<source>[0-9]{1,18}):"), "source")
    rows = pa.table(
        {
            "source": source,
            "began": pc.multiply(pc.divide(received, TEN_MINUTES), TEN_MINUTES),
            "received": received,
            "late": pc.greater(pc.subtract(received, time), LATE // timedelta(microseconds=1)).cast(pa.int64()),
        }
    ).filter(pc.is_valid(source))
    sums = rows.group_by(["source", "began"]).aggregate([("received", "count"), ("late", "sum"), ("received", "max")])
    return {
        (int(row["source"]), _moment(row["began"])): Came(
            row["received_count"], row["late_sum"], _moment(row["received_max"])
        )
        for row in sums.to_pylist()
    }


def _moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def note(table: "pa.Table") -> None:
    """Count a stored batch; call it in the transaction that settles it, so that it counts once."""
    for (source, began), came in counted_in(table).items():
        row, made = Arrivals.objects.get_or_create(
            source=source, began=began, defaults={"events": came.events, "late": came.late, "last": came.last}
        )
        if not made:
            Arrivals.objects.filter(pk=row.pk).update(
                events=F("events") + came.events, late=F("late") + came.late, last=Greatest("last", came.last)
            )


def drop_old_arrivals() -> int:
    """Delete counts older than any page shows."""
    return Arrivals.objects.filter(began__lt=timezone.now() - KEPT).delete()[0]
