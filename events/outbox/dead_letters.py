"""Quarantine outbox rows that can't be written: found by bisection, so that the other rows continue.

A row is tested by itself, in a table in memory, never against a store that fails: a full disk or an unavailable
database makes no event bad. Only rows of a batch that isn't stored yet are taken out, and another process with the same
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

from events.models import Flush, Rejected, Source
from events.outbox import rows as outbox_rows
from events.schema import sender_of, unmarked
from events.store import event_table, ownership
from events.store.ownership import rows_of

TRIES = 3
CODE = "not_storable"
Rows = QuerySet[Any]
log = structlog.get_logger()


def set_aside(batch: Flush) -> int:
    """Move rows of an open batch that can't be written into the quarantine; returns how many.

    Raises:
        Exception: when writing fails even without any rows: then the rows aren't the cause.
    """
    seen = ownership.look(batch.writer)
    if seen and seen.number >= batch.version:
        return 0
    rows = rows_of(batch)
    reasons = _bad(rows, list(rows.order_by("id").values_list("id", flat=True)))
    refused = [(row, _quarantined(rows.filter(pk=row), reason)) for row, reason in reasons.items()]
    with transaction.atomic():
        for row, rejected in refused:
            if rows.filter(pk=row).delete()[0]:  # unless another process has done it
                rejected.save()
        Flush.objects.filter(pk=batch.pk, committed_at=None).update(rows=rows.count())
    batch.refresh_from_db()
    if reasons:
        log.error("flush.rows_set_aside", flush=batch.version, rows=len(reasons))
    return len(reasons)


def _bad(batch: Rows, ids: Sequence[int]) -> dict[int, str]:
    """The rows that can't be written, each with the reason; `ids` are consecutive ones of the batch."""
    trouble = _trouble(batch, ids)
    if trouble is None:
        return {}
    if len(ids) > 1:
        middle = len(ids) // 2
        return _bad(batch, ids[:middle]) | _bad(batch, ids[middle:])
    if any(_trouble(batch, ids) is None for _ in range(TRIES - 1)):
        return {}
    if other := _trouble(batch, []):  # it fails even without any row
        raise other
    return {row: type(trouble).__name__ for row in ids}


def _trouble(batch: Rows, ids: Sequence[int]) -> Exception | None:
    """The error when these rows are read and written, or None."""
    try:
        rows = batch.filter(id__range=(ids[0], ids[-1])) if ids else batch.none()
        event_table.rehearse(outbox_rows.table_of(rows))
    except MemoryError:
        raise
    except Exception as error:  # every step raises its own exceptions
        return error
    return None


def _quarantined(row: Rows, reason: str) -> Rejected:
    """The row as readable text, each column as far as it can be decoded."""
    texts = {name: _readable(row, name) for name in outbox_rows.TEXTS}
    sender = sender_of(texts["message_id"])
    return Rejected(
        source=Source.objects.filter(pk=sender.source).first() if sender.source else None,
        received_at=timezone.now(),  # the moment of arrival may be the unreadable column
        code=CODE,
        message=f"the event can't be written to the event store ({reason})",
        message_id=unmarked(str(texts["message_id"])).split(":", 2)[-1][:100],
        payload=json.dumps(texts),
    )


def _readable(row: Rows, name: str) -> str | None:
    try:
        with transaction.atomic():
            return str(row.values_list(name, flat=True).get())
    except Exception:  # then as bytes
        try:
            with transaction.atomic():
                raw = row.annotate(raw=Cast(name, BinaryField())).values_list("raw", flat=True).get()
                return bytes(raw).decode(errors="backslashreplace")
        except Exception:
            return None
