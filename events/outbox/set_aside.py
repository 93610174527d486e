"""Rows of the outbox that no store can take: found by halving, put into the quarantine, so that the others go on.

A row is judged by itself, in a table in memory, never by a store that fails: a full disk or a database that is away
makes no event bad. Only rows of a batch that isn't in the store yet are taken out, and a process that has the same
batch fails on the same rows, so nobody can have written them.
"""

import json
from collections.abc import Sequence
from typing import Any

import structlog
from django.db import transaction
from django.db.models import BinaryField, QuerySet
from django.db.models.functions import Cast
from django.utils import timezone

from events import store
from events.models import Flush, Rejected, Source
from events.outbox import ownership
from events.outbox import rows as outbox_rows
from events.outbox.batches import rows_of
from events.senders import sender_of, unmarked

TRIES = 3
CODE = "not_storable"
Rows = QuerySet[Any]
log = structlog.get_logger()


def set_aside(batch: Flush) -> int:
    """Put the rows of an open batch that can't be written into the quarantine; how many they were.

    Raises:
        Exception: what a row that is fine fails with: then it isn't the rows.
    """
    seen = ownership.look(batch.writer)
    if seen and seen.number >= batch.version:
        return 0
    rows = rows_of(batch)
    found = _bad(rows, list(rows.order_by("id").values_list("id", flat=True)))
    refused = [(row, _quarantined(rows.filter(pk=row), reason)) for row, reason in found.items()]
    with transaction.atomic():
        for row, rejected in refused:
            if rows.filter(pk=row).delete()[0]:  # no other process has done it
                rejected.save()
        Flush.objects.filter(pk=batch.pk, committed_at=None).update(rows=rows.count())
    batch.refresh_from_db()
    if found:
        log.error("flush.rows_set_aside", flush=batch.version, rows=len(found))
    return len(found)


def _bad(batch: Rows, ids: Sequence[int]) -> dict[int, str]:
    """Those of the rows that can't be written, each with the reason; `ids` are some of the batch's that follow."""
    trouble = _trouble(batch, ids)
    if trouble is None:
        return {}
    if len(ids) > 1:
        middle = len(ids) // 2
        return _bad(batch, ids[:middle]) | _bad(batch, ids[middle:])
    if any(_trouble(batch, ids) is None for _ in range(TRIES - 1)):
        return {}
    if other := _trouble(batch, []):  # without any row it fails too
        raise other
    return {row: type(trouble).__name__ for row in ids}


def _trouble(batch: Rows, ids: Sequence[int]) -> Exception | None:
    """What keeps these rows from being read and written."""
    try:
        rows = batch.filter(id__range=(ids[0], ids[-1])) if ids else batch.none()
        store.rehearse(outbox_rows.table_of(rows))
    except MemoryError:
        raise
    except Exception as error:  # every part of the way has its own
        return error
    return None


def _quarantined(row: Rows, reason: str) -> Rejected:
    """The row as a person can read it, each column as far as it can be read."""
    texts = {name: _readable(row, name) for name in outbox_rows.TEXTS}
    sender = sender_of(texts["message_id"])
    return Rejected(
        source=Source.objects.filter(pk=sender.source).first() if sender.source else None,
        received_at=timezone.now(),  # the moment of arrival may be what can't be read
        code=CODE,
        message=f"the event can't be written to the event store ({reason})",
        message_id=unmarked(str(texts["message_id"])).split(":", 2)[-1][:100],
        payload=json.dumps(texts),
    )


def _readable(row: Rows, name: str) -> str | None:
    try:
        with transaction.atomic():
            return str(row.values_list(name, flat=True).get())
    except Exception:  # as bytes, then
        try:
            with transaction.atomic():
                raw = row.annotate(raw=Cast(name, BinaryField())).values_list("raw", flat=True).get()
                return bytes(raw).decode(errors="backslashreplace")
        except Exception:
            return None
