"""Move accepted events from the outbox to the store exactly once, even if processes are killed at any moment.

1. *Seal*: a new `Flush` with the next number names up to `FLUSH_ROWS` waiting rows by their ids.
2. *Write*: one Delta commit that carries the number. A batch that is already stored is not written again.
3. *Settle* (one transaction): the flush is marked, its rows are deleted. Their message ids stay known.

Dying after 1 or 2 leaves an open flush, which the next call completes before it seals another. Two concurrent calls
work on the same open flush: Delta lets one of them write it. `version` is unique, so that two can't seal at once
either. A process that reads a batch while another settles it sees all rows or none, so it checks afterwards that the
batch is open.
"""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from events.models import Flush, FormerOutboxEvent, IdLink, OutboxEvent, Rejected
from events.outbox import accept, freshness
from events.people import tombstones
from events.store import ownership
from events.store.ownership import rows_of

if TYPE_CHECKING:
    import pyarrow as pa


FLUSH_ROWS = 100_000  # a commit of the store costs as much as writing 10,000 rows
FLUSH_CHARS = 30_000_000  # of properties in them: what fits into one process
FORMER_ROWS = 25_000


@dataclass(frozen=True)
class OutboxState:
    """Backlog of the outbox: waiting rows, and the age of the oldest in seconds (0 when none waits)."""

    rows: int
    lag_seconds: float


def flush_events() -> int:
    """Move all events accepted before this call to the store; returns how many this call moved.

    Then update the store's links between ids.

    Raises:
        ownership.StoreRefused: when the store is damaged or not this database's; the events wait in the outbox.
    """
    moved = _move_events()
    if IdLink.objects.filter(in_store=False).exists():
        from events.outbox import rows as outbox_rows

        outbox_rows.write_links()
    return moved


def _move_events() -> int:
    if not ownership.known().last and not any(part.exists() for part in _waiting()):
        return 0  # a read-only database
    moved = 0
    while True:
        batch, took_all = _seal()
        if batch is None:
            return moved
        table = _write_or_set_aside(batch)
        moved += settle(batch, table)
        if took_all:  # later events wait for the next call
            return moved


def outbox_state() -> OutboxState:
    """Rows that wait for the store and the age of the oldest."""
    parts = _waiting()
    oldest: list[datetime] = [
        row for part in parts if (row := part.order_by("id").values_list("received_at", flat=True).first())
    ]
    lag = (timezone.now() - min(oldest)).total_seconds() if oldest else 0.0
    return OutboxState(sum(part.count() for part in parts), lag)


def _waiting() -> list[QuerySet[Any]]:
    """Events not stored yet, by table; two queries for the old table, so that its week of known ids isn't read."""
    former = FormerOutboxEvent.objects
    return [
        OutboxEvent.objects.all(),
        former.filter(flush__in=Flush.objects.filter(committed_at=None)),
        former.filter(flush__isnull=True),
    ]


def maintain_store() -> dict[str, int]:
    """Drop old message ids and quarantine rows, compact the store, delete files that left it a week ago.

    Raises:
        ownership.StoreRefused: when the store is damaged or not ours; the database's part is done by then.
    """
    from events.store import event_table, time_travel

    dropped = {"message_ids_dropped": drop_old_message_ids(), "rejected_dropped": _drop_old_rejected()}
    freshness.drop_old_arrivals()
    ownership.check_to_write()
    try:
        done = event_table.compact()
    finally:  # an unreadable file must not keep others from being deleted
        deleted = event_table.vacuum(kept=time_travel.kept_paths())
    return {"files_added": done["added"], "files_removed": done["removed"], "files_deleted": deleted, **dropped}


def drop_old_message_ids() -> int:
    """Delete message ids older than EVENT_ID_DAYS; a repeat after that counts as a new event."""
    dropped = accept.drop_old()
    before = timezone.now() - timedelta(days=settings.EVENT_ID_DAYS)
    # The last stored batch and later ones stay: numbering continues from them, and the store must have them.
    last = Flush.objects.filter(committed_at__isnull=False).order_by("-version").first()
    Flush.objects.filter(committed_at__lt=before).exclude(version=last.version if last else 0).delete()
    return dropped


def _seal() -> tuple[Flush | None, bool]:
    """The open flush, or a new one of waiting rows, or None when there are none; True if it has all waiting rows."""
    while True:
        ours = ownership.check_to_write()
        if ours.last > ours.committed:
            return Flush.objects.get(version=ours.last), False
        try:
            with transaction.atomic():
                return _take_rows(ours.last + 1, ours.writer or uuid.uuid4().hex)
        except IntegrityError:  # another process sealed this number: try again
            continue


def _take_rows(version: int, writer: str) -> tuple[Flush | None, bool]:
    """A new batch of the first waiting rows, those of the old table first; and whether it has them all."""
    from events.outbox import rows

    if former := _take_former(version, writer):
        return former, False
    ids, took_all = rows.waiting(FLUSH_ROWS, FLUSH_CHARS)
    if len(ids) and tombstones.drop_waiting(int(ids[0]), int(ids[-1])):
        ids, took_all = rows.waiting(FLUSH_ROWS, FLUSH_CHARS)
    if not len(ids):
        return None, took_all
    batch = Flush.objects.create(version=version, writer=writer, rows=len(ids), ranges=rows.ranges_of(ids))
    return batch, took_all


def _take_former(version: int, writer: str) -> Flush | None:
    waiting = FormerOutboxEvent.objects.filter(flush__isnull=True)
    if not waiting.exists():
        return None
    batch = Flush.objects.create(version=version, writer=writer)
    first = waiting.order_by("id").values("id")[:FORMER_ROWS]
    batch.rows = FormerOutboxEvent.objects.filter(id__in=first).update(flush=batch)
    batch.save(update_fields=["rows"])
    return batch


def _write_or_set_aside(batch: Flush) -> "pa.Table | None":
    """Write the batch and return its rows, as `write_batch` does; rows that can't be written are quarantined first."""
    from events.outbox import dead_letters

    try:
        return write_batch(batch)
    except ownership.StoreRefused:
        raise
    except Exception:
        if not dead_letters.set_aside(batch):
            raise  # the problem is the store's or the database's, not the rows'
        return write_batch(batch)


def write_batch(batch: Flush) -> "pa.Table | None":
    """Write the batch to the store unless it is there; returns its rows, or None when another process has settled it.

    A store that is damaged or not ours is never written.
    """
    from events.outbox import rows
    from events.store import event_table

    ours = replace(ownership.known(), writer=batch.writer)

    def check(seen: "event_table.Seen | None") -> None:
        if trouble := ownership.trouble_in_writing(ours, seen):
            raise ownership.StoreRefused(trouble)

    table = rows.table_of_batch(batch)
    if not _is_open(batch):  # its rows may have been deleted before they were read
        return None
    try:
        wrote = event_table.append(
            table, app_id=batch.writer, version=batch.version, owner=ownership.owner_mark(batch.writer), check=check
        )
    except event_table.OtherBatch as error:
        raise ownership.StoreRefused(ownership.Trouble.AHEAD) from error
    if not wrote and _is_open(batch):
        seen = ownership.look(batch.writer)
        if seen and seen.number > batch.version and _is_open(batch):  # we seal the next batch only after settling
            raise ownership.StoreRefused(ownership.Trouble.AHEAD)
    return table


def _is_open(batch: Flush) -> bool:
    return Flush.objects.filter(pk=batch.pk, committed_at=None).exists()


def settle(batch: Flush, table: "pa.Table | None") -> int:
    """Mark the batch as stored and delete its rows, which are those of `table`; 0 when another process has done it."""
    with transaction.atomic():
        mine = table is not None and Flush.objects.filter(pk=batch.pk, committed_at=None).update(
            committed_at=timezone.now()
        )
        if mine:
            freshness.note(table)
            if batch.ranges is None:  # rows of the old table also serve as known message ids
                rows_of(batch).update(user_id="", event="", properties="")
            else:
                rows_of(batch).delete()
    return batch.rows if mine else 0


def _drop_old_rejected() -> int:
    before = timezone.now() - timedelta(days=settings.REJECTED_DAYS)
    return Rejected.objects.filter(received_at__lt=before).delete()[0]


def store_state() -> str:
    """The health check's text for a usable store.

    Raises:
        ownership.StoreRefused: when it must not be used.
    """
    from events.store import event_table

    ownership.check_to_write()
    return "whole" if event_table.exists() else "no event has been flushed yet"
