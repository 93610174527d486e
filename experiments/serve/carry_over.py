"""Joining two ids of one person: share assignments between the ids (docs/identity.md).

It runs in the transaction that joins them, so an evaluation still looks up one row under the requested id. The person's
first arm wins. A join that only a client key reported never changes the user's arm, since anybody can send one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from prometheus_client import Counter

from events.people.identity import Joined, ids_with
from experiments.models import Assignment, ConfigVersion, DrawnAs
from experiments.plan.lifecycle import SERVED
from experiments.serve import config

BATCH = 500
CARRIED = Counter(
    "insight_identity_assignments", "Assignments of ids that were joined, by what came of it.", ["result"]
)
COPIED, CONFLICT = CARRIED.labels("copied"), CARRIED.labels("conflict")


def carry_over(joined: Sequence[Joined]) -> None:
    """Give both ids the person's first arm, and note users who must continue to draw by their visitor id."""
    served = [status.value for status in SERVED]
    changed = False
    for person in joined:
        ids = ids_with([person.visitor, person.user, person.root])
        rows = list(Assignment.objects.filter(unit__in=ids, experiment__status__in=served))
        changed |= _draws_on(person, rows)
        ends = {person.visitor, person.user, person.root}
        for experiment in {row.experiment_id for row in rows}:
            same = [row for row in rows if row.experiment_id == experiment]
            changed |= _one_arm(same, ends, None if person.by_server else person.root)
    if changed:
        ConfigVersion.touch()  # makes other processes drop changed rows from their caches
        transaction.on_commit(config.forget)


def _one_arm(rows: Sequence[Assignment], ends: Iterable[str], owner: str | None) -> bool:
    """Set these rows of one experiment to one arm, and create missing ones; True when a row changed.

    Args:
        rows: of the ids of one person.
        ends: the ids that must have a row.
        owner: id whose row takes precedence.
    """
    first = min(rows, key=lambda row: (row.unit != owner if owner else False, *_met(row)))
    known = {row.unit for row in rows}
    missing = [_copy(first, unit) for unit in sorted(set(ends) - known)]
    Assignment.objects.bulk_create(missing, ignore_conflicts=True)
    COPIED.inc(len(missing))
    others = [row for row in rows if row.variant_id != first.variant_id]
    for row in others:
        row.former_variant = row.former_variant or row.variant_id
        _take(first, row)
    fields = ["variant", "segment_key", "bucket", "cluster", "drawn_by", "former_variant"]
    Assignment.objects.bulk_update(others, fields, batch_size=BATCH)
    CONFLICT.inc(len(others))
    return bool(others)


def _met(row: Assignment) -> tuple[bool, datetime, int]:
    """Sort key of precedence: exposed rows first, then the earliest exposure or assignment."""
    return row.exposed_at is None, row.exposed_at or row.assigned_at, row.pk


def _copy(first: Assignment, unit: str) -> Assignment:
    """A copy of the row for another id, with its exposure: the person was exposed and is counted once."""
    made = Assignment(
        unit=unit,
        experiment_id=first.experiment_id,
        assigned_at=first.assigned_at,
        exposed_at=first.exposed_at,
        visit=first.visit,
        named_at=first.named_at,
    )
    _take(first, made)
    return made


def _take(first: Assignment, row: Assignment) -> None:
    row.variant_id, row.segment_key, row.bucket = first.variant_id, first.segment_key, first.bucket
    row.cluster, row.drawn_by = first.cluster, first.drawn_by or first.unit


def _draws_on(person: Joined, rows: Sequence[Assignment]) -> bool:
    """Make a new user continue to draw by the visitor's id; True for the first such user of the site.

    So a visitor who was held out, or outside the coverage, and therefore has no row, stays out.
    """
    if not person.is_new_user or any(row.unit == person.user for row in rows):
        return False
    by = DrawnAs.objects.filter(unit=person.visitor).values_list("drawn_as", flat=True).first() or person.visitor
    is_first = not DrawnAs.objects.exists()
    DrawnAs.objects.bulk_create([DrawnAs(unit=person.user, drawn_as=by)], ignore_conflicts=True)
    return is_first
