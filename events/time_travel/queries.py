"""Queries for the data digest. Columns out: ``digest`` of one person's rows, and ``rows``, their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from events.counting.user_ids import TEXT

if TYPE_CHECKING:
    import ibis.expr.types as ir

COLUMNS = ("event", "time", "properties", "message_id", "received_at")


def person_digests(log: ir.Table, people: ir.Table) -> ir.Table:
    """For each person the SHA-256 of all their events in the log, ordered by digest.

    The rows of a person are sorted as texts, and people by their digests, so that neither the order of files nor that
    of rows in them matters.

    Args:
        log: the event log of the embedded engine.
        people: ``user_id`` of the people, each once.
    """
    who = TEXT if TEXT in log.columns else "user_id"
    texts: Any = ""
    for name in (who, *COLUMNS):
        texts = texts + _said(log[name])
    rows = log.mutate(said=texts).semi_join(people, "user_id").select("user_id", "said")
    found = rows.group_by("user_id").agg(
        digest=rows.said.collect().sort().join("").hexdigest("sha256"), rows=rows.count()
    )
    return found.select("digest", "rows").order_by("digest")


def _said(column: Any) -> Any:
    """A value prefixed by its length, so that different rows never give the same text; a missing one is a dash."""
    import ibis

    text = column.cast("string")
    return ibis.coalesce(text.length().cast("string") + ":" + text, ibis.literal("-"))
