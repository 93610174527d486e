"""Make a store this database's own after a restore, a move or a loss, and find what the store has already."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from events.models import Flush, FormerOutboxEvent, IdLink, MessageId, OutboxEvent
from events.outbox import flush, rows
from events.outbox.accept import keys_of
from events.schema import unmarked
from events.store import event_table, ownership, time_travel

# Find waiting events that the store has already: a restored database knows no batch since its backup.
#
# An accepted event keeps its id and its moment of arrival on the way from the outbox into the store. So a waiting row
# whose id and moment are both in the store is already stored; an id sent again after EVENT_ID_DAYS is a new event
# with another moment. Recent ids are recorded, so that repeats are recognised as before.

ROWS = 20_000
Came = tuple[str, int]  # a message id, and microseconds since 1970
Numbers = np.ndarray[Any, np.dtype[np.int64]]


def recognise_stored() -> int:
    """Delete waiting events that are already in the store, and record its recent ids; returns how many were deleted.

    No batch may be open.
    """
    settled = Flush.objects.filter(committed_at__isnull=False).order_by("-version").first()
    waiting = [_Waiting(OutboxEvent.objects.all()), _Waiting(FormerOutboxEvent.objects.filter(flush__isnull=True))]
    lately = timezone.now() - timedelta(days=settings.EVENT_ID_DAYS)
    first = min([lately, *(table.oldest for table in waiting if table.oldest)])
    taken = 0
    for ids in event_table.ids_since(first):
        noted = [(name, moment) for name, moment in ids if moment >= _micros(lately)]
        with transaction.atomic():
            _note(noted)
            taken += _delete(waiting[0].among(ids)) + _settle(waiting[1].among(ids), settled)
    return taken


class _Waiting:
    """Waiting rows, indexed by a hash: 16 bytes a row, whatever they hold."""

    def __init__(self, rows: QuerySet[Any]) -> None:
        self.rows = rows
        self.oldest: datetime | None = rows.aggregate(oldest=Min("received_at"))["oldest"]
        records = rows.values_list("message_id", "received_at", "pk").iterator(ROWS)
        pairs = ((_number((name, _micros(moment))), pk) for name, moment, pk in records)
        both = np.fromiter(pairs, dtype=[("number", np.int64), ("pk", np.int64)])
        both.sort(order="number")
        self._numbers: Numbers = both["number"]
        self._keys: Numbers = both["pk"]

    def among(self, ids: Sequence[Came]) -> QuerySet[Any]:
        """The rows whose id and moment are in a list."""
        if not self._numbers.size:
            return self.rows.none()
        wanted = {_number(pair): pair for pair in ids}
        numbers = np.fromiter(wanted, dtype=np.int64, count=len(wanted))
        place = np.minimum(np.searchsorted(self._numbers, numbers), self._numbers.size - 1)
        hits = self._keys[place[self._numbers[place] == numbers]].tolist()
        came = set(ids)
        same = self.rows.filter(pk__in=hits).values_list("pk", "message_id", "received_at")
        return self.rows.filter(pk__in=[pk for pk, name, moment in same if (name, _micros(moment)) in came])


def _number(came: Came) -> int:
    digest = hashlib.sha256(f"{came[1]}|{came[0]}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def _micros(moment: datetime) -> int:
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _note(ids: Iterable[Came]) -> None:
    for part in _parts(ids):
        keys = keys_of(unmarked(name) for name, _ in part)
        moments = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment) for _, moment in part]
        rows = [MessageId(key=UUID(key), received_at=at) for key, at in zip(keys, moments, strict=True)]
        MessageId.objects.bulk_create(rows, ignore_conflicts=True)


def _parts(ids: Iterable[Came]) -> Iterator[Sequence[Came]]:
    return batched(ids, 5_000)


def _delete(rows: QuerySet[Any]) -> int:
    return int(rows.delete()[0])


def _settle(rows: QuerySet[Any], settled: Flush | None) -> int:
    """The old table keeps only the ids of stored rows; each is assigned to a settled batch."""
    if settled is None:
        return _delete(rows)
    return int(rows.update(flush=settled, user_id="", event="", properties=""))


# Take ownership of a store for this database: after a restore, a move, or the loss of a store.


def adopt_store(*, recognise: bool = True) -> tuple[int, int]:
    """Mark the store as this database's and number its batches under a new name.

    An open batch is settled if the store has it, otherwise its events wait again. A missing store is created. Other
    databases are refused from now on.

    Args:
        recognise: search the store for waiting events that it has already, as needed when it is newer than the
            database.

    Returns:
        How many events wait, and how many waiting ones the store had already.

    Raises:
        ownership.StoreRefused: when the store's log is damaged: such a store can't be owned.
    """
    last = Flush.objects.order_by("-version").first()
    if last is not None and last.committed_at is None:
        _close(last)
    version, writer = (last.version if last else 0) + 1, uuid.uuid4().hex
    ownership.look(writer)
    known = recognise_stored() if recognise else 0
    # The store first: if killed in between, the store refuses this database, and the command is run again.
    event_table.append(
        event_table.SCHEMA.empty_table(), app_id=writer, version=version, owner=ownership.owner_mark(writer)
    )
    Flush.objects.create(version=version, writer=writer, committed_at=timezone.now())
    time_travel.let_go_missing()
    IdLink.objects.filter(state=IdLink.State.HOLDS).update(in_store=False)  # this store may not have them
    return flush.outbox_state().rows, known


def _close(batch: Flush) -> None:
    """Settle the open batch if the store has it; otherwise let its events wait again."""
    seen = ownership.look(batch.writer)
    if seen and seen.number == batch.version and seen.digest in (None, ownership.digest_of(batch.version)):
        flush.settle(batch, rows.table_of_batch(batch))
        return
    with transaction.atomic():
        FormerOutboxEvent.objects.filter(flush=batch).update(flush=None)
        batch.delete()
