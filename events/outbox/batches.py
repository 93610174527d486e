"""The rows of a batch as a query, without NumPy and Arrow, for web workers."""

from typing import Any

from django.db.models import Q, QuerySet

from events.models import Flush, FormerOutboxEvent, OutboxEvent


def rows_of(batch: Flush) -> QuerySet[Any]:
    """The rows of a batch, in no order; none once it is settled."""
    if batch.ranges is None:
        return FormerOutboxEvent.objects.filter(flush=batch)
    chosen = Q(pk__in=[])
    for first, last in batch.ranges:
        chosen |= Q(id__range=(first, last))
    return OutboxEvent.objects.filter(chosen)
