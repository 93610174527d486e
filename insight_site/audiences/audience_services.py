"""Audiences: made, changed, deleted; who belongs to one now, and who came and who went."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from events.upkeep.archive import UsedBy
from experiments.models import Experiment
from experiments.plan.lifecycle import LIVE
from experiments.webhook_messages import check_url, new_secret
from insight_site.access import audit
from insight_site.audiences.sync import check_place
from insight_site.models import MOST_HOURS, Audience, AudienceMember
from runs.queue.jobs import put
from runs.refusals import Refused
from segments.models import Membership, Segment

# Who belongs to an audience now, by name; count it anew and number who came and who went.

# The members of an audience now, by name.


def units_of(audience: Audience) -> set[str]:
    """Query the segments' memberships, or the warehouse.

    Raises:
        Refused: the segment or the moment can't be queried, or it has more users than can be listed.
    """
    from aha.moments.reach import (
        MOST,  # imports the warehouse: not for every web worker
        Reach,  # imports the warehouse: not for every web worker
        who_reached,  # imports the warehouse: not for every web worker
    )

    if audience.who != Audience.Who.SEGMENT:
        if audience.moment is None:
            raise Refused("Choose an AHA moment.", at="moment")
        return who_reached(audience.moment, Reach(audience.who))
    rows = Membership.objects.filter(segment=segment_now(audience)).order_by()
    if (number := rows.count()) > MOST:
        raise Refused("{number} users are meant; at most {most} can be listed.", number=number, most=MOST)
    return set(rows.values_list("unit", flat=True).iterator())


def segment_now(audience: Audience) -> Segment:
    """The segment in the version that new queries use.

    Raises:
        Refused: there is none, or the newest version has no group of this name.
    """
    model = audience.segment_model
    if model is None:
        raise Refused("Choose a segment.", at="segment_model")
    version = model.current
    if version is None:
        raise Refused("{segment} has no members yet.", segment=model.name)
    segment = version.segments.filter(key=audience.segment_key).first()
    if segment is None:
        raise Refused(
            "Version {number} of {segment} has no group {key} any more: choose another group.",
            number=version.number,
            segment=model.name,
            key=audience.segment_key,
        )
    return segment


# Recount an audience and number its changes: users who joined and users who left.
#
# A count that would remove more than half of the users is held back until a person confirms it: a segment that was
# emptied by mistake would remove everybody from a mailing list in another system.

TASK = "insight_site.tasks.count_audience"
BATCH = 500  # rows per statement: SQLite limits the number of values
KEPT = timedelta(days=30)  # users who left stay this long, for systems that fetch changes
FEW = 100  # an audience of at most this size may shrink without confirmation


def ask_all_due() -> int:
    """Enqueue a count of every audience that is due; returns how many."""
    due = [audience for audience in Audience.objects.filter(enabled=True) if audience.next_count_at <= timezone.now()]
    for audience in due:
        put(TASK, audience.pk)
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


# Create, change and delete audiences; the only place that writes people's decisions about them.

# The segments and moments that audiences use.


def things_of_audiences() -> Iterator[UsedBy]:
    """The rows that enabled audiences need: they can't be archived."""
    for audience in Audience.objects.filter(enabled=True).select_related("segment_model", "moment"):
        by = _("audience “{name}”").format(name=audience.name)
        if audience.segment_model is not None:
            yield UsedBy("segment", audience.segment_model.key, by)
        if audience.moment is not None:
            yield UsedBy("moment", audience.moment.key, by)


MEANT = ("who", "segment_model", "segment_key", "moment")
GOES = ("way", "url")


def create_audience(*, by: User | None, **values: Any) -> Audience:
    """Create an audience and let a worker count it.

    Args:
        by: who creates it.
        values: fields of `Audience` that people set.

    Raises:
        Refused: the segment or moment can't be used, or the destination isn't allowed.
    """
    audience = Audience(created_by=by, **values)
    if Audience.objects.filter(key=audience.key).exists():
        raise Refused("There is an audience {key} already.", at="key", key=audience.key)
    _check(audience)
    with transaction.atomic():
        audience.save()
        put(TASK, audience.pk)
    return audience


def update_audience(*, audience: Audience, **values: Any) -> Audience:
    """Change an audience. A new destination gets the full list again; a new segment or moment is counted now.

    Raises:
        Refused: as `create_audience`.
    """
    with transaction.atomic():
        row = Audience.objects.select_for_update().get(pk=audience.pk)
        before = {name: getattr(row, name) for name in (*MEANT, *GOES)}
        for name, value in values.items():
            setattr(row, name, value)
        _check(row)
        changed = {name for name, value in before.items() if getattr(row, name) != value}
        if changed & set(GOES):
            row.sent_change, row.sent_at = 0, None
        row.tries, row.next_try_at, row.trouble = 0, None, ""
        row.save()
        if changed & set(MEANT):
            put(TASK, row.pk)
    return row


def rotate_secret(*, audience: Audience) -> Audience:
    """Issue a new secret for a webhook; for KEY_ROTATION_DAYS messages are also signed with the old one."""
    with transaction.atomic():
        row = Audience.objects.select_for_update().get(pk=audience.pk)
        row.previous_secret, row.secret = row.secret, new_secret()
        row.previous_until = timezone.now() + timedelta(days=settings.KEY_ROTATION_DAYS)
        row.save(update_fields=["secret", "previous_secret", "previous_until"])
    return row


def ask_for_count(*, audience: Audience, although_it_shrinks: bool = False) -> None:
    """Let a worker count it now; with a person's confirmation even when more than half of its members would leave."""
    audit.record(audit.Action.ASKED, audience)
    put(TASK, audience.pk, int(although_it_shrinks))


def tests_disturbed(audience: Audience) -> list[Experiment]:
    """Running experiments that test the moment: a message to these users would be a second nudge toward it."""
    if audience.moment is None:
        return []
    return list(Experiment.objects.filter(moment=audience.moment, status__in=LIVE).order_by("name"))


def _check(audience: Audience) -> None:
    if audience.who == Audience.Who.SEGMENT:
        segment_now(audience)
        audience.moment = None
    else:
        if audience.moment is None:
            raise Refused("Choose an AHA moment.", at="moment")
        audience.segment_model, audience.segment_key = None, ""
    if not 1 <= audience.hours <= MOST_HOURS:
        raise Refused("Choose 1 to {most} hours.", at="hours", most=MOST_HOURS)
    _check_way(audience)


def _check_way(audience: Audience) -> None:
    if audience.way == Audience.Way.FETCHED:
        audience.url = ""
    elif audience.way == Audience.Way.FILE:
        check_place(audience.url)
    else:
        check_url(audience.url)
        audience.secret = audience.secret or new_secret()
