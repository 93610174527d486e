"""The weekly digest: gathered from the database on its day, then brought to each recipient."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone, translation

from aha.moments import reach
from experiments.models import Analysis, Experiment
from experiments.plan.lifecycle import LIVE, Status
from experiments.status.overview import moments, standings
from experiments.webhook_messages import wait_after
from insight_site.exports.takeaway import create_link
from insight_site.models import Digest, DigestMail, DigestRecipient, ToldState
from insight_site.notify.digest_letters import (
    RECORD,
    Decided,
    DigestRecord,
    MomentShares,
    MomentWeek,
    NeedsHand,
    Ran,
    digest_letter,
    draw,
)
from insight_site.notify.dispatch import newest_fall
from insight_site.notify.notice_kinds import EXPERIMENT, MOMENT
from insight_site.notify.preferences import PERSON, RECIPIENT, language_of, stop_link
from runs.payloads import Unreadable
from runs.queue import status
from runs.queue.jobs import OVER
from runs.site_zone import here, midnight, site_date
from stats.results import computable

# Collect one week's digest from the database. Uses what lists and pages already store, and not the warehouse.

DAYS = 7
MOST, MOST_MOMENTS, MOST_WEEKS = 25, 6, 12
ALARMS = ("sample_ratio", "guardrail")


def gather(first: date) -> DigestRecord:
    """The record of the week that begins on a local day."""
    begin, end = midnight(first), midnight(first + timedelta(days=DAYS))
    ran = _ran(begin, end)
    return DigestRecord(
        first=first,
        last=first + timedelta(days=DAYS - 1),
        ran=tuple(ran[:MOST]),
        decided=tuple(_decided(begin, end)),
        moments=tuple(_moments()),
        hands=(*_alarms(), *_left_open()),
        more=max(len(ran) - MOST, 0),
    )


def _ran(begin: datetime, end: datetime) -> list[Ran]:
    rows = Experiment.objects.filter(Q(stopped_at=None) | Q(stopped_at__gte=begin), started_at__lt=end)
    experiments = rows.order_by("-started_at").select_related("moment").prefetch_related("variants", "audience")
    return [
        Ran(
            standing.experiment.pk,
            standing.experiment.status,
            site_date(standing.experiment.started_at),
            standing.exposed,
            standing.planned,
        )
        for standing in standings(experiments)
    ]


def _decided(begin: datetime, end: datetime) -> Iterator[Decided]:
    """Final analyses: the plan's last look is taken, and nobody peeked."""
    done = Analysis.objects.filter(
        status=Analysis.Status.DONE, final=True, peek=False, finished_at__gte=begin, finished_at__lt=end
    ).exclude(verdict="")
    for experiment, verdict in done.order_by("finished_at").values_list("experiment_id", "verdict"):
        yield Decided(experiment, verdict)


def _moments() -> Iterator[MomentShares]:
    for moment in moments(MOST_MOMENTS):
        weekly = reach.weeks_of(moment)
        weeks = [row for row in weekly.weeks if row.complete][-MOST_WEEKS:] if weekly else []
        known = tuple(
            MomentWeek(row.week, row.eligible, row.share.estimate, row.share.low, row.share.high)
            for row in weeks
            if computable(row.share)
        )
        fall = newest_fall(weekly) if weekly else None
        if known:
            yield MomentShares(moment.pk, known, fallen=fall is not None and fall.fall.fallen)


def _alarms() -> Iterator[NeedsHand]:
    """Alarms that were notified and still hold, of experiments that are live or wait for a conclusion."""
    open_rows = set(
        Experiment.objects.filter(status__in=[*(state.value for state in LIVE), Status.STOPPED.value]).values_list(
            "pk", flat=True
        )
    )
    alarms = ToldState.objects.filter(kind__in=ALARMS).exclude(state=OVER).order_by("kind", "pk")
    for kind, subject in alarms.values_list("kind", "subject"):
        label, _colon, row = subject.rpartition(":")
        if label == EXPERIMENT and int(row) in open_rows:
            yield NeedsHand(kind, label, int(row))
    falling = ToldState.objects.filter(kind="share_falling", subject__startswith=f"{MOMENT}:").exclude(state=OVER)
    for subject in falling.order_by("pk").values_list("subject", flat=True):
        yield NeedsHand("share_falling", MOMENT, int(subject.rpartition(":")[2]))


def _left_open() -> Iterator[NeedsHand]:
    """Experiments past their planned end, and stopped ones that wait for a conclusion."""
    live = Experiment.objects.filter(status__in=[state.value for state in LIVE], planned_end__lt=site_date())
    for pk in live.order_by("planned_end").values_list("pk", flat=True)[:MOST]:
        yield NeedsHand("past_end", EXPERIMENT, pk)
    stopped = Experiment.objects.filter(status=Status.STOPPED.value).order_by("stopped_at")
    for pk in stopped.values_list("pk", flat=True)[:MOST]:
        yield NeedsHand("to_conclude", EXPERIMENT, pk)


# The scheduled weekly digest: created once on its day, then delivered to each recipient with separate retries.

log = structlog.get_logger()
LATE = timedelta(days=2)  # after a longer outage this week's digest is skipped
LINK_DAYS = 30
WAY = "digest"


def make_when_due(now: datetime | None = None) -> bool:
    """Hourly: create this week's digest once its day and hour have come, and enqueue its mails.

    Args:
        now: local time; by default the current one.
    """
    now = here() if now is None else now
    due = last_due(now)
    first = due.date() - timedelta(days=DAYS)
    if now - due > LATE or Digest.objects.filter(week=first, sent_at__isnull=False).exists():
        return False
    recipients = DigestRecipient.objects.filter(enabled=True)
    if not recipients.exists():
        return False
    record = RECORD.store(gather(first))
    with transaction.atomic():
        digest, _new = Digest.objects.select_for_update().update_or_create(
            week=first, defaults={"record": record, "made_at": now}
        )
        if digest.sent_at is not None:
            return False
        Digest.objects.filter(pk=digest.pk).update(sent_at=now)
        mails = [DigestMail(digest=digest, recipient=recipient, next_try_at=now) for recipient in recipients]
        DigestMail.objects.bulk_create(mails, ignore_conflicts=True)
    return True


def last_due(now: datetime) -> datetime:
    """The last time at or before a local time at which a digest was due."""
    at = now.replace(hour=settings.NOTICES.digest_hour, minute=0, second=0, microsecond=0)
    at -= timedelta(days=(at.weekday() - settings.NOTICES.digest_weekday) % 7)
    return at if at <= now else at - timedelta(days=7)


def deliver_due() -> dict[str, int]:
    """Try every digest mail that is due; returns how many were sent, failed, or given up."""
    done = {"sent": 0, "failed": 0, "given_up": 0}
    due = DigestMail.objects.filter(next_try_at__lte=timezone.now()).select_related("digest", "recipient")
    drawn: dict[tuple[int, str], dict[str, bytes]] = {}
    pages: dict[int, str] = {}
    for row in due.order_by("next_try_at", "id")[:40]:
        if not _claim(row):
            continue
        record = RECORD.read(row.digest.record)
        if not row.recipient.enabled or isinstance(record, Unreadable):
            DigestMail.objects.filter(pk=row.pk).update(next_try_at=None)
            continue
        with translation.override(row.recipient.language):
            place = row.digest_id, row.recipient.language
            if place not in drawn:
                drawn[place] = draw(record)
            if row.digest_id not in pages:
                pages[row.digest_id] = _page(row.digest)
            outcome = _send(row, record, drawn[place], pages[row.digest_id])
        done[outcome] += 1
        status.count(status.NOTICES, WAY, outcome)
    return done


def send_now(user_pk: int) -> bool:
    """Send the last seven days to a person's own address, at their request. Nothing is stored."""
    user = User.objects.filter(pk=user_pk, is_active=True).exclude(email="").first()
    if user is None:
        return False
    record = gather(site_date() - timedelta(days=DAYS))
    with translation.override(language_of(user.pk)):
        page = settings.NOTICES.site + reverse("digest")
        digest_letter(record, draw(record), user.email, stop=stop_link(PERSON, user.pk), page=page).send()
    return True


def _page(digest: Digest) -> str:
    _link, token = create_link(run=digest, days=LINK_DAYS, by=None)
    return str(settings.NOTICES.site + reverse("shared", args=[token]))


def _claim(row: DigestMail) -> bool:
    """Claim a mail as in `insight_site.notify.delivering`: the try is counted before it is made."""
    wait, before = wait_after(row.tries + 1), row.next_try_at
    row.next_try_at = None if wait is None else timezone.now() + wait
    row.tries += 1
    mine = DigestMail.objects.filter(pk=row.pk, tries=row.tries - 1, next_try_at=before)
    return bool(mine.update(tries=row.tries, next_try_at=row.next_try_at))


def _send(row: DigestMail, record: DigestRecord, drawn: dict[str, bytes], page: str) -> str:
    stop = stop_link(RECIPIENT, row.recipient.pk)
    try:
        digest_letter(record, drawn, row.recipient.email, stop=stop, page=page).send()
    except Exception as caught:  # a mail server's error may name people: the class name is enough
        log.warning("digest.failed", mail=row.pk, tries=row.tries, error=type(caught).__name__)
        DigestMail.objects.filter(pk=row.pk).update(trouble=type(caught).__name__)
        return "failed" if row.next_try_at is not None else "given_up"
    DigestMail.objects.filter(pk=row.pk).update(next_try_at=None, sent_at=timezone.now(), trouble="")
    return "sent"
