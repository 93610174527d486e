"""Recount an audience and number its changes: users who joined and users who left.

A count that would remove more than half of the users is held back until a person confirms it: a segment that was
emptied by mistake would remove everybody from a mailing list in another system.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from insight_site.audiences.who_is_meant import units_of
from insight_site.models.audiences import Audience, AudienceMember
from runs.queue.enqueue import put
from runs.refusals import Refused

TASK = "insight_site.tasks.count_audience"
BATCH = 500  # rows per statement: SQLite limits the number of values
KEPT = timedelta(days=30)  # users who left stay this long, for systems that fetch changes
FEW = 100  # an audience of at most this size may shrink without confirmation


def ask_all_due() -> int:
    """Enqueue a count of every audience that is due; returns how many."""
    due = [one for one in Audience.objects.filter(enabled=True) if one.next_count_at <= timezone.now()]
    for one in due:
        put(TASK, one.pk)
    return len(due)


def count(pk: int, *, although_it_shrinks: bool = False) -> bool:
    """Query the members and store the changes; False when the audience is deleted, off, or could not be counted."""
    audience = Audience.objects.filter(pk=pk, enabled=True).select_related("segment_model", "moment__study").first()
    if audience is None:
        return False
    try:
        meant, now = units_of(audience), timezone.now()
        with transaction.atomic():
            locked = Audience.objects.select_for_update().get(pk=pk)
            before = set(_in(locked).values_list("unit", flat=True).iterator())
            came, went = sorted(meant - before), sorted(before - meant)
            if not although_it_shrinks:
                _refuse_to_empty(len(before), len(went))
            _write(locked, came, went, now)
            _forget(locked, now)
    except Refused as refusal:
        Audience.objects.filter(pk=pk).update(refusal=refusal.record(), counted_at=timezone.now())
        return False
    return True


def _in(audience: Audience) -> "QuerySet[AudienceMember]":
    return AudienceMember.objects.filter(audience=audience, is_in=True).order_by()


def _refuse_to_empty(before: int, went: int) -> None:
    if before > FEW and went * 2 > before:
        raise Refused(
            "{went} of {before} users would go. If that is meant, say so on the page of the audience.",
            went=went,
            before=before,
        )


def _write(audience: Audience, came: list[str], went: list[str], now: datetime) -> None:
    """Number removals before additions, so that a system which acts on the list stops before it starts."""
    number, rows = audience.last_change, []
    for unit, is_in in [*((unit, False) for unit in went), *((unit, True) for unit in came)]:
        number += 1
        rows.append(AudienceMember(audience=audience, unit=unit, is_in=is_in, change=number, changed_at=now))
    AudienceMember.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["audience", "unit"],
        update_fields=["is_in", "change", "changed_at"],
    )
    Audience.objects.filter(pk=audience.pk).update(
        members=F("members") + len(came) - len(went), last_change=number, counted_at=now, refusal=None
    )


def _forget(audience: Audience, now: datetime) -> None:
    """Delete users who left long ago; where changes are pushed, only those whose removal was sent."""
    gone = AudienceMember.objects.filter(audience=audience, is_in=False, changed_at__lt=now - KEPT)
    if audience.way != Audience.Way.FETCHED:
        gone = gone.filter(change__lte=audience.sent_change)
    gone.delete()
