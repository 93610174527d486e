"""Loads the input of `data_checks`: the newest events from outbox and store, and counts of the last days."""

from datetime import UTC, datetime, timedelta

from django.db.models import Count
from django.utils import timezone

from events.catalogue.signup_guess import EVERY_EVENT
from events.inflow.live_tail import stored
from events.inflow.source_pulse import events_by_day
from events.models import OutboxEvent, Rejected
from events.schema import ERRORS
from events.senders import sender_of
from insight_site.connect.data_checks import DAYS, NewEvent, Seen, is_corrected

MOST = 1_000


def newest() -> tuple[NewEvent, ...]:
    """The newest events, at most `MOST`."""
    waiting = OutboxEvent.objects.order_by("-pk").values()[:MOST]
    rows = [*waiting, *(stored(MOST) if len(waiting) < MOST else ())]
    made = [
        new_event(row["message_id"], row["user_id"], row["event"], row["time"], row["received_at"], row["properties"])
        for row in rows
    ]
    return tuple(sorted(made, key=lambda row: row.received_at, reverse=True)[:MOST])


def new_event(
    message_id: str, user: str, event: str, time: datetime, received_at: datetime, properties: str | None
) -> NewEvent:
    """From a row of the outbox or of the store."""
    text = properties or "{}"
    by_http = sender_of(message_id).source is not None
    return NewEvent(user, event, _aware(time), _aware(received_at), text, by_http, is_corrected(text))


def seen() -> Seen:
    """The input of all checks.

    Raises:
        Refused: the store can't be read.
    """
    from events.catalogue.refresh import ready_catalogue  # imports the store: not for every web worker

    found, now = ready_catalogue(), timezone.now()
    refused = Rejected.objects.filter(received_at__gte=now - timedelta(days=DAYS)).order_by()
    codes = {row["code"]: row["n"] for row in refused.values("code").annotate(n=Count("pk"))}
    most = max(codes, key=lambda code: codes[code], default="")
    return Seen(
        newest=newest(),
        days=events_by_day(now),
        refused=codes,
        reason=str(ERRORS.get(most, most)),
        stored=found.total_events,
        first=found.first_time,
        last=found.last_time,
        signup="" if found.guess_signup() == EVERY_EVENT else found.guess_signup(),
        listed=not found.is_empty,
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
