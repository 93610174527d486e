"""The scheduled weekly digest: created once on its day, then delivered to each recipient with separate retries."""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation

from experiments.webhooks.messages import wait_after
from insight_site.models import Digest, DigestMail, DigestRecipient
from insight_site.notices.digest.digest_letters import digest_letter, draw
from insight_site.notices.digest.digest_record import RECORD, DigestRecord
from insight_site.notices.digest.gathering import DAYS, gather
from insight_site.notices.own_choice import language_of
from insight_site.notices.unsubscribing import PERSON, RECIPIENT, stop_link
from insight_site.takeaways.sharing import create_link
from runs.payloads import Unreadable
from runs.queue import status

log = structlog.get_logger()
LATE = timedelta(days=2)  # after a longer outage this week's digest is skipped
LINK_DAYS = 30
WAY = "digest"


def make_when_due(now: datetime | None = None) -> bool:
    """Hourly: create this week's digest once its day and hour have come, and enqueue its mails.

    Args:
        now: local time; by default the current one.
    """
    now = timezone.localtime() if now is None else now
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
        mails = [DigestMail(digest=digest, recipient=one, next_try_at=now) for one in recipients]
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
    record = gather(timezone.localdate() - timedelta(days=DAYS))
    with translation.override(language_of(user.pk)):
        page = settings.NOTICES.site + reverse("digest")
        digest_letter(record, draw(record), user.email, stop=stop_link(PERSON, user.pk), page=page).send()
    return True


def _page(digest: Digest) -> str:
    _link, token = create_link(run=digest, days=LINK_DAYS, by=None)
    return str(settings.NOTICES.site + reverse("shared", args=[token]))


def _claim(row: DigestMail) -> bool:
    """Claim a mail as in `insight_site.notices.delivering`: the try is counted before it is made."""
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
