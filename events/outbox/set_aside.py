"""Rows of the outbox that no store can take: found by halving, put into the quarantine, so that the others go on.

A row is judged by itself, in a table in memory, never by a store that fails: a full disk or a database that is away
makes no event bad. Only rows of a batch that isn't in the store yet are taken out, and a process that has the same
batch fails on the same rows, so nobody can have written them.
"""

import json
from collections.abc import Iterable, Sequence

import pyarrow as pa
import structlog
from django.db import transaction
from django.db.models import BinaryField, QuerySet
from django.db.models.functions import Cast
from django.utils import timezone

from events import store
from events.models import Flush, OutboxEvent, Rejected, Source
from events.outbox import ownership
from events.senders import sender_of

TRIES = 3
CODE = "not_storable"
COLUMNS = ("user_id", "event", "time", "properties", "message_id", "received_at")
TEXTS = ("user_id", "event", "properties", "message_id")
log = structlog.get_logger()


def table_of(rows: QuerySet[OutboxEvent]) -> pa.Table:
    """Rows of the outbox, in the order in which they came, as the store's columns."""
    return to_table(rows.order_by("id").values_list(*COLUMNS))


def to_table(rows: Iterable[tuple[object, ...]]) -> pa.Table:
    """Rows of (user_id, event, time, properties, message_id, received_at) as the store's columns."""
    fields = [field for field in store.SCHEMA if field.name != store.PARTITION]
    columns = list(zip(*rows, strict=True)) or [() for _ in fields]
    arrays = [pa.array(values, type=field.type) for values, field in zip(columns, fields, strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def set_aside(batch: Flush) -> int:
    """Put the rows of an open batch that can't be written into the quarantine; how many they were.

    Raises:
        Exception: what a row that is fine fails with: then it isn't the rows.
    """
    seen = ownership.look(batch.writer)
    if seen and seen.number >= batch.version:
        return 0
    found = _bad(list(OutboxEvent.objects.filter(flush=batch).order_by("id").values_list("id", flat=True)))
    refused = [(row, _quarantined(row, reason)) for row, reason in found.items()]
    with transaction.atomic():
        for row, rejected in refused:
            if OutboxEvent.objects.filter(pk=row, flush=batch).delete()[0]:  # no other process has done it
                rejected.save()
        Flush.objects.filter(pk=batch.pk).update(rows=OutboxEvent.objects.filter(flush=batch).count())
    batch.refresh_from_db()
    if found:
        log.error("flush.rows_set_aside", flush=batch.version, rows=len(found))
    return len(found)


def _bad(rows: Sequence[int]) -> dict[int, str]:
    """Those of the rows that can't be written, each with the reason."""
    trouble = _trouble(rows)
    if trouble is None:
        return {}
    if len(rows) > 1:
        middle = len(rows) // 2
        return _bad(rows[:middle]) | _bad(rows[middle:])
    if any(_trouble(rows) is None for _ in range(TRIES - 1)):
        return {}
    if other := _trouble([]):  # without any row it fails too
        raise other
    return {row: type(trouble).__name__ for row in rows}


def _trouble(rows: Sequence[int]) -> Exception | None:
    """What keeps these rows from being read and written."""
    try:
        store.rehearse(table_of(OutboxEvent.objects.filter(pk__in=rows)))
    except MemoryError:
        raise
    except Exception as error:  # every part of the way has its own
        return error
    return None


def _quarantined(row: int, reason: str) -> Rejected:
    """The row as a person can read it, each column as far as it can be read."""
    texts = {name: _readable(row, name) for name in TEXTS}
    sender = sender_of(texts["message_id"])
    return Rejected(
        source=Source.objects.filter(pk=sender.source).first() if sender.source else None,
        received_at=timezone.now(),  # the moment of arrival may be what can't be read
        code=CODE,
        message=f"the event can't be written to the event store ({reason})",
        message_id=str(texts["message_id"]).split(":", 2)[-1][:100],
        payload=json.dumps(texts),
    )


def _readable(row: int, name: str) -> str | None:
    try:
        with transaction.atomic():
            return str(OutboxEvent.objects.filter(pk=row).values_list(name, flat=True).get())
    except Exception:  # as bytes, then
        try:
            with transaction.atomic():
                raw = (
                    OutboxEvent.objects.annotate(raw=Cast(name, BinaryField()))
                    .values_list("raw", flat=True)
                    .get(pk=row)
                )
                return bytes(raw).decode(errors="backslashreplace")
        except Exception:
            return None
