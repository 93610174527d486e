"""Find waiting events that the store has already: a restored database knows no batch since its backup.

An accepted event keeps its id and its moment of arrival on the way from the outbox into the store. So a waiting row
whose id and moment are both in the store is already stored; an id sent again after EVENT_ID_DAYS is a new event with
another moment. Recent ids are recorded, so that repeats are recognised as before.
"""

import hashlib
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

from events import store
from events.models import Flush, FormerOutboxEvent, MessageId, OutboxEvent
from events.outbox.message_ids import keys_of
from events.senders import unmarked

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
    first = min([lately, *(one.oldest for one in waiting if one.oldest)])
    taken = 0
    for ids in store.ids_since(first):
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
        found = rows.values_list("message_id", "received_at", "pk").iterator(ROWS)
        pairs = ((_number((name, _micros(moment))), pk) for name, moment, pk in found)
        both = np.fromiter(pairs, dtype=[("number", np.int64), ("pk", np.int64)])
        both.sort(order="number")
        self._numbers: Numbers = both["number"]
        self._keys: Numbers = both["pk"]

    def among(self, ids: Sequence[Came]) -> QuerySet[Any]:
        """The rows whose id and moment are in a list."""
        if not self._numbers.size:
            return self.rows.none()
        wanted = {_number(one): one for one in ids}
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
