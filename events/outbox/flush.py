"""Move accepted events from the outbox to the store, each exactly once, whatever is killed and when.

1. *Seal* (one transaction): a new `Flush` with the next number takes up to `FLUSH_ROWS` waiting rows.
2. *Write*: one Delta commit that carries the number. A batch that is in already is not written again.
3. *Settle* (one transaction): the flush is marked, its rows keep only their message ids.

Dying after 1 or 2 leaves an open flush, which the next call takes up before it seals another. Two calls at once work on
the same open flush: Delta lets one of them write it. `version` is unique, so that two can't seal at once either.
"""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.db.models.functions import Length
from django.utils import timezone

from events.inflow import arrivals
from events.models import Flush, OutboxEvent, Rejected, UnitTraits
from events.outbox import ownership

if TYPE_CHECKING:
    import pyarrow as pa

    from events import store

FLUSH_ROWS = 25_000  # a commit of the store costs as much as writing 10,000 rows
FLUSH_CHARS = 25_000_000  # of properties in so many rows; when they have more,
LARGE_ROWS = 5_000  # as many rows at a time: at 32 KiB an event, 160 MB in memory at the worst
PRUNE_ROWS = 5_000


@dataclass(frozen=True)
class OutboxState:
    """How far the store is behind: waiting rows, and the age of the oldest in seconds (0 when none waits)."""

    rows: int
    lag_seconds: float


def flush_events() -> int:
    """Move everything that was accepted before this call; the number of events that this call saw into the store.

    Raises:
        ownership.StoreRefused: when the store is not whole or not this database's; the events wait in the outbox.
    """
    if not ownership.known().last and not OutboxEvent.objects.exists():
        return 0  # a database that only reads
    moved = 0
    while True:
        batch, took_all = _seal()
        if batch is None:
            return moved
        table = _write_or_set_aside(batch)
        moved += settle(batch, table)
        if took_all:  # who came later waits for the next call
            return moved


def outbox_state() -> OutboxState:
    """Rows that wait for the store and the age of the oldest."""
    # Two questions: as one with OR it would be answered by reading the ids of a whole week.
    parts = [
        OutboxEvent.objects.filter(flush__in=Flush.objects.filter(committed_at=None)),
        OutboxEvent.objects.filter(flush__isnull=True),
    ]
    oldest: list[datetime] = [
        row for part in parts if (row := part.order_by("id").values_list("received_at", flat=True).first())
    ]
    lag = (timezone.now() - min(oldest)).total_seconds() if oldest else 0.0
    return OutboxState(sum(part.count() for part in parts), lag)


def maintain_store() -> dict[str, int]:
    """Drop old message ids and old quarantine rows, compact the store, delete files that left it a week ago.

    Raises:
        ownership.StoreRefused: when the store is not whole or not ours; the database's part is done then.
    """
    from events import store

    dropped = {"message_ids_dropped": drop_old_message_ids(), "rejected_dropped": _drop_old_rejected()}
    arrivals.drop_old_arrivals()
    ownership.check_to_write()
    done = store.compact()
    return {"files_added": done["added"], "files_removed": done["removed"], "files_deleted": store.vacuum(), **dropped}


def drop_old_message_ids() -> int:
    """Forget message ids whose flush is older than EVENT_ID_DAYS; a repeat after that counts as a new event."""
    before = timezone.now() - timedelta(days=settings.EVENT_ID_DAYS)
    old = OutboxEvent.objects.filter(flush__committed_at__lt=before)
    dropped = 0
    while ids := list(old.values_list("id", flat=True)[:PRUNE_ROWS]):
        dropped += OutboxEvent.objects.filter(id__in=ids).delete()[0]
    # The last one in the store stays, and what came after it: the numbering goes on, and the store must have it.
    last = Flush.objects.filter(committed_at__isnull=False).order_by("-version").first()
    Flush.objects.filter(committed_at__lt=before).exclude(version=last.version if last else 0).delete()
    return dropped


def forget_user(*, user_id: str) -> int:
    """Remove a user's events, traits and refused events; the number of events removed from the store.

    The outbox is flushed first, so that no row is left behind that would bring the user back. The bytes leave the disk
    with the first vacuum a week later. Events that arrive afterwards are a new user's.
    """
    from events import store

    flush_events()
    removed = store.forget([user_id])
    UnitTraits.objects.filter(user_id=user_id).delete()
    Rejected.objects.filter(payload__contains=f'"{user_id}"').delete()
    return removed


def _seal() -> tuple[Flush | None, bool]:
    """The open flush, or a new one with rows that wait; None when there is nothing to do. True when it has them all."""
    while True:
        ours = ownership.check_to_write()
        if ours.last > ours.committed:
            return Flush.objects.get(version=ours.last), False
        try:
            with transaction.atomic():
                most = _rows_at_a_time()
                batch = _take_rows(ours.last + 1, ours.writer or uuid.uuid4().hex, most)
                return batch, batch is not None and batch.rows < most
        except IntegrityError:  # another process sealed this number: look again
            continue


def _rows_at_a_time() -> int:
    """How many of the rows that wait one process can hold."""
    waiting = OutboxEvent.objects.filter(flush__isnull=True).annotate(chars=Length("properties"))
    chars = waiting.order_by("id").values("chars")[:FLUSH_ROWS].aggregate(sum=Sum("chars"))["sum"] or 0
    return FLUSH_ROWS if chars <= FLUSH_CHARS else min(FLUSH_ROWS, LARGE_ROWS)


def _take_rows(version: int, writer: str, most: int) -> Flush | None:
    if not OutboxEvent.objects.filter(flush__isnull=True).exists():
        return None
    batch = Flush.objects.create(version=version, writer=writer)
    waiting = OutboxEvent.objects.filter(flush__isnull=True).order_by("id").values("id")[:most]
    batch.rows = OutboxEvent.objects.filter(id__in=waiting).update(flush=batch)
    batch.save(update_fields=["rows"])
    return batch


def _write_or_set_aside(batch: Flush) -> "pa.Table":
    """Write the batch and give back its rows; those that can't be written at all are set aside, the others go in."""
    from events.outbox import set_aside

    try:
        return write_batch(batch)
    except ownership.StoreRefused:
        raise
    except Exception:
        if not set_aside.set_aside(batch):
            raise  # the store's trouble or the database's, not the rows'
        return write_batch(batch)


def write_batch(batch: Flush) -> "pa.Table":
    """Put the batch into the store, unless it is there; its rows. A store not whole or not ours is never written."""
    from events import store
    from events.outbox.set_aside import table_of

    ours = replace(ownership.known(), writer=batch.writer)

    def check(seen: "store.Seen | None") -> None:
        if found := ownership.trouble_in_writing(ours, seen):
            raise ownership.StoreRefused(found)

    table = table_of(OutboxEvent.objects.filter(flush=batch))
    try:
        wrote = store.append(
            table, app_id=batch.writer, version=batch.version, owner=ownership.owner_mark(batch.writer), check=check
        )
    except store.OtherBatch as error:
        raise ownership.StoreRefused(ownership.Trouble.AHEAD) from error
    if not wrote and _is_open(batch):
        seen = ownership.look(batch.writer)
        if seen and seen.number > batch.version and _is_open(batch):  # ours are numbered on only after they are settled
            raise ownership.StoreRefused(ownership.Trouble.AHEAD)
    return table


def _is_open(batch: Flush) -> bool:
    return Flush.objects.filter(pk=batch.pk, committed_at=None).exists()


def settle(batch: Flush, table: "pa.Table") -> int:
    """Mark the batch, and forget all of its rows (as in `table`) but the ids; 0 when another process has done it."""
    with transaction.atomic():
        mine = Flush.objects.filter(pk=batch.pk, committed_at=None).update(committed_at=timezone.now())
        if mine:
            arrivals.note(table)
            OutboxEvent.objects.filter(flush=batch).update(user_id="", event="", properties="")
    return batch.rows if mine else 0


def _drop_old_rejected() -> int:
    before = timezone.now() - timedelta(days=settings.REJECTED_DAYS)
    return Rejected.objects.filter(received_at__lt=before).delete()[0]


def store_state() -> str:
    """What /readyz says of the store.

    Raises:
        ownership.StoreRefused: when it must not be used.
    """
    from events import store

    ownership.check_to_write()
    return "ok" if store.exists() else "ok: no event has been flushed yet"
