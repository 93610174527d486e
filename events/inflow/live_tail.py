"""The latest events, waiting or stored, and the latest refused ones. User ids are shortened, keys are masked."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.cache import cache

from events.models import Flush, OutboxEvent, Rejected, Source
from events.schema import ERRORS
from events.senders import sender_of

SHOWN = 50
PROPERTY_CHARS = 60
PROPERTIES = 8
KEYS = re.compile(r"\b([psa]k_)[A-Za-z0-9_-]{20,}")
STORED_SECONDS = 60


@dataclass(frozen=True)
class Arrival:
    """One event as the tail shows it.

    Attributes:
        received_at: when it arrived.
        time: when it happened.
        source: name of its source; "" for files and for Insight's own events.
        kind: who sent it: ``client``, ``server``, ``insight`` or ``file``.
        user: the user's id, shortened.
        event: its name.
        properties: names and values, cut and without keys.
        more: how many properties aren't shown.
        waits: not yet in the store.
    """

    received_at: datetime
    time: datetime
    source: str
    kind: str
    user: str
    event: str
    properties: tuple[tuple[str, str], ...]
    more: int
    waits: bool


@dataclass(frozen=True)
class Refusal:
    """One refused event: time, source, reason in the reader's language, and the beginning of what was sent."""

    received_at: datetime
    source: str
    code: str
    reason: str
    payload: str


def arrivals(most: int = SHOWN) -> list[Arrival]:
    """The last events that arrived, the newest first."""
    names = {source.pk: source.name for source in Source.objects.all()}
    waiting = OutboxEvent.objects.order_by("-pk")
    columns = ("received_at", "time", "message_id", "user_id", "event", "properties")
    rows = [
        _arrival(dict(zip(columns, row, strict=True)), names, waits=True)
        for row in waiting.values_list(*columns)[:most]
    ]
    if len(rows) < most:
        rows += [_arrival(row, names, waits=False) for row in stored(most)]
    return sorted(rows, key=lambda row: row.received_at, reverse=True)[:most]


def refusals(most: int = 20) -> list[Refusal]:
    """The last events that were refused, the newest first."""
    rows = Rejected.objects.select_related("source").order_by("-pk")[:most]
    return [
        Refusal(
            row.received_at,
            row.source.name if row.source else "",
            row.code,
            str(ERRORS.get(row.code, row.message)),
            masked(row.payload),
        )
        for row in rows
    ]


def shortened(user_id: str) -> str:
    """A shortened id: enough to follow one user by eye, too little to identify someone."""
    return user_id if len(user_id) <= 6 else f"{user_id[:2]}…{user_id[-4:]}"


def masked(text: str) -> str:
    """Mask API keys in a text."""
    return KEYS.sub(r"\1…", text)


def stored(most: int) -> Sequence[Mapping[str, Any]]:
    """The newest rows of the store; cached until the next flush, since reading the store's log takes a second."""
    from events.inflow import newest_files

    last = Flush.objects.filter(committed_at__isnull=False).order_by("-version").values_list("version", flat=True)
    key = f"events.live_tail:{last.first()}:{most}"
    rows: Sequence[Mapping[str, Any]] | None = cache.get(key)
    if rows is None:
        rows = newest_files.latest_rows(most)
        cache.set(key, rows, STORED_SECONDS)
    return rows


def _arrival(row: Mapping[str, Any], names: Mapping[int, str], *, waits: bool) -> Arrival:
    sender = sender_of(row["message_id"])
    shown, more = _properties(row["properties"])
    return Arrival(
        received_at=_aware(row["received_at"]),
        time=_aware(row["time"]),
        source=names.get(sender.source or 0, ""),
        kind=sender.kind,
        user=shortened(row["user_id"]),
        event=row["event"],
        properties=shown,
        more=more,
        waits=waits,
    )


def _properties(text: str | None) -> tuple[tuple[tuple[str, str], ...], int]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = {}
    pairs = [(name, value) for name, value in found.items() if name != "context"] if isinstance(found, dict) else []
    shown = tuple((name[:PROPERTY_CHARS], _short(value)) for name, value in pairs[:PROPERTIES])
    return shown, len(pairs) - len(shown)


def _short(value: object) -> str:
    text = masked(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text if len(text) <= PROPERTY_CHARS else text[: PROPERTY_CHARS - 1] + "…"


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
