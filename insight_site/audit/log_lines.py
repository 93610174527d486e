"""Export of audit entries to other systems, and their retention."""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from insight_site.models import AuditEntry
from reporting.csv import csv_lines

COLUMNS = (
    *("at", "actor_kind", "actor", "action", "object_type", "object_id", "object_name"),
    *("before", "after", "address", "request_id", "route"),
)


def json_lines(rows: Iterable[AuditEntry]) -> Iterator[str]:
    """One JSON object per line."""
    for row in rows:
        yield json.dumps({name: _plain(row, name) for name in COLUMNS}, ensure_ascii=False) + "\n"


def as_csv(rows: Iterable[AuditEntry]) -> Iterator[str]:
    """A CSV table; the changed values are a JSON column."""
    return csv_lines(_cells(rows))


def forget_old() -> int:
    """Delete entries older than AUDIT_DAYS; returns how many."""
    if settings.AUDIT_DAYS < 1:
        return 0
    return AuditEntry.objects.filter(at__lt=timezone.now() - timedelta(days=settings.AUDIT_DAYS)).delete()[0]


def _cells(rows: Iterable[AuditEntry]) -> Iterator[list[Any]]:
    yield list(COLUMNS)
    for row in rows:
        values = [_plain(row, name) for name in COLUMNS]
        yield [json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value for value in values]


def _plain(row: AuditEntry, name: str) -> Any:
    return row.at.isoformat() if name == "at" else getattr(row, name)
