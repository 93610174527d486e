"""Health of the event pipeline: waiting events, the last flush, and whether a worker is running."""

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache

from events.models import Flush
from events.outbox import flush, pressure
from events.store import event_table, ownership
from runs.queue.status import is_alive, last_heard
from runs.refusals import Refused

SLOW_SECONDS = 300.0  # the flush comes each minute
KEPT_SECONDS = 30
KEY = "events.store_trouble"


@dataclass(frozen=True)
class Health:
    """State of the store.

    Attributes:
        waiting: accepted events that are not yet in the store.
        lag_seconds: age of the oldest of them; 0 when none waits.
        flushed_at: when events were put into the store last; None when none were yet.
        flushed: how many then.
        worker_heard: time of the last worker heartbeat.
        worker_alive: whether that is at most half a minute ago.
        trouble: why the store can't be used, in the reader's language; "" when it is fine.
        refuses: why senders are told to retry later: ``outbox_full`` or ``disk_full``; "" when they aren't.
        place: address of the store, without secrets.
    """

    waiting: int
    lag_seconds: float
    flushed_at: datetime | None
    flushed: int
    worker_heard: datetime | None
    worker_alive: bool
    trouble: str
    refuses: str
    place: str

    @property
    def is_slow(self) -> bool:
        """True when events wait longer than they would with a running worker."""
        return self.waiting > 0 and self.lag_seconds > SLOW_SECONDS


def store_health() -> Health:
    """The state at this moment."""
    state, heard = flush.outbox_state(), last_heard()
    last = Flush.objects.filter(committed_at__isnull=False).order_by("-version").first()
    return Health(
        waiting=state.rows,
        lag_seconds=state.lag_seconds,
        flushed_at=last.committed_at if last else None,
        flushed=last.rows if last else 0,
        worker_heard=heard,
        worker_alive=is_alive(heard),
        trouble=_trouble(),
        refuses=refused.code if (refused := pressure.pressure()) else "",
        place=event_table.shown_url(),
    )


def _trouble() -> str:
    """Checked at most twice a minute: it reads the store's log."""
    record = cache.get(KEY)
    if record is None:
        try:
            ownership.check_to_write()
            record = {}
        except Refused as refusal:
            record = refusal.record()
        cache.set(KEY, record, KEPT_SECONDS)
    return str(Refused.from_record(record).sentence) if record else ""
