"""How often what was asked for ended in which way, since the site began: kept as numbers, for `/metrics`.

A worker has no address that a monitor could ask, and counting rows would cost more with each month; so each end adds
one to a row, in the transaction that ends it.
"""

from collections.abc import Iterator

from django.db import IntegrityError, transaction
from django.db.models import F

from runs.models import OutcomeCount

RUNS, JOBS, WEBHOOKS, NOTICES = "runs", "jobs", "webhooks", "notices"


def count(subject: str, kind: str, outcome: str, *, times: int = 1) -> None:
    """Add to one number.

    Args:
        subject: RUNS, JOBS, WEBHOOKS or NOTICES.
        kind: of run, by its model; of job, by its task; of webhook, by its endpoint's id; of
            notice, by its way.
        outcome: how it ended.
        times: how many ended so.
    """
    if times < 1:
        return
    row = OutcomeCount.objects.filter(subject=subject, kind=kind, outcome=outcome)
    if row.update(number=F("number") + times):
        return
    try:
        with transaction.atomic():
            OutcomeCount.objects.create(subject=subject, kind=kind, outcome=outcome, number=times)
    except IntegrityError:  # another process made it meanwhile
        row.update(number=F("number") + times)


def counted(subject: str) -> Iterator[tuple[str, str, int]]:
    """Kind, outcome and number of a subject, as far as they have been counted."""
    yield from OutcomeCount.objects.filter(subject=subject).values_list("kind", "outcome", "number")
