"""Create, change and delete audiences; the only place that writes people's decisions about them."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from experiments.models import Experiment
from experiments.plan.lifecycle import LIVE
from experiments.webhooks.messages import check_url, new_secret
from insight_site.audiences import following
from insight_site.audiences.places import check_place
from insight_site.audiences.who_is_meant import segment_now
from insight_site.audit import recording
from insight_site.models.audiences import MOST_HOURS, Audience
from runs.queue.enqueue import put
from runs.refusals import Refused

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
        put(following.TASK, audience.pk)
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
            put(following.TASK, row.pk)
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
    recording.record(recording.Action.ASKED, audience)
    put(following.TASK, audience.pk, int(although_it_shrinks))


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
