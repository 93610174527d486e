"""When two ids turn out to be one person: what each of them was assigned holds for both (docs/identity.md).

It happens in the transaction that joins them, so the door's look-up stays what it is: one row under the id that is
asked for. The arm that the person met first wins. Who was joined by the word of a client key alone never changes the
arm that the user has: anybody can send such a word.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from prometheus_client import Counter

from events.identity.joins import Joined
from events.identity.persons import ids_with
from experiments.models import Assignment, ConfigVersion, DrawnAs
from experiments.plan.lifecycle import SERVED
from experiments.serve import config

BATCH = 500
CARRIED = Counter(
    "insight_identity_assignments", "Assignments of ids that were joined, by what came of it.", ["result"]
)
COPIED, CONFLICT = CARRIED.labels("copied"), CARRIED.labels("conflict")


def carry_over(joined: Sequence[Joined]) -> None:
    """Give both ids the arms that the person met first, and note who goes on drawing as the visitor they were."""
    served = [status.value for status in SERVED]
    changed = False
    for one in joined:
        ids = ids_with([one.visitor, one.user, one.root])
        rows = list(Assignment.objects.filter(unit__in=ids, experiment__status__in=served))
        changed |= _draws_on(one, rows)
        ends = {one.visitor, one.user, one.root}
        for experiment in {row.experiment_id for row in rows}:
            same = [row for row in rows if row.experiment_id == experiment]
            changed |= _one_arm(same, ends, None if one.by_server else one.root)
    if changed:
        ConfigVersion.touch()  # other processes remember rows that are others now
        transaction.on_commit(config.forget)


def _one_arm(rows: Sequence[Assignment], ends: Iterable[str], owner: str | None) -> bool:
    """Let these rows of one experiment say one arm, and give one to those who have none; True when a row changed.

    Args:
        rows: of the ids of one person.
        ends: the ids that must have a row.
        owner: whose row goes before all others.
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
    """Who has seen the arm goes before who was only assigned to it."""
    return row.exposed_at is None, row.exposed_at or row.assigned_at, row.pk


def _copy(first: Assignment, unit: str) -> Assignment:
    """With its exposure: the person has met the arm, and is counted once."""
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


def _draws_on(one: Joined, rows: Sequence[Assignment]) -> bool:
    """A user who begins with this login goes on drawing by the visitor's id; True for the first of the site.

    So a visitor who was held out, or outside of the coverage, and has no row that says so, stays out.
    """
    if not one.is_new_user or any(row.unit == one.user for row in rows):
        return False
    by = DrawnAs.objects.filter(unit=one.visitor).values_list("drawn_as", flat=True).first() or one.visitor
    is_first = not DrawnAs.objects.exists()
    DrawnAs.objects.bulk_create([DrawnAs(unit=one.user, drawn_as=by)], ignore_conflicts=True)
    return is_first
