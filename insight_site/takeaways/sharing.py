"""Share links, by which people without an account read one report until they expire or are revoked.

A token has 256 random bits, so its digest needs no slow hash, and the timing of an index lookup reveals nothing.
"""

import hashlib
import secrets
from datetime import timedelta

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone

from insight_site.audit import recording
from insight_site.models import ShareLink
from runs.models import Run

DAYS = (7, 30, 90)
NOTED_EVERY = timedelta(minutes=1)
log = structlog.get_logger()


def create_link(*, run: Model, days: int, by: User | None) -> tuple[ShareLink, str]:
    """Create a link to a finished report.

    Args:
        run: the report's run, or a digest.
        days: its lifetime, one of DAYS.
        by: who made it.

    Returns:
        The row, and the token: show it once, since it isn't stored.

    Raises:
        ValueError: for another number of days.
    """
    if days not in DAYS:
        raise ValueError(f"days must be one of {DAYS}")
    token = secrets.token_urlsafe(32)
    row = ShareLink.objects.create(
        digest=digest(token),
        run_label=run._meta.label,
        run_pk=run.pk,
        created_by=by,
        expires_at=timezone.now() + timedelta(days=days),
    )
    log.info("share.created", link=row.pk, run=row.run_label, pk=row.run_pk)
    return row, token


def revoke_link(*, link: ShareLink) -> None:
    """Revoke a link now; a second call changes nothing."""
    with transaction.atomic():
        if ShareLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=timezone.now()):
            recording.record(recording.Action.REVOKED, link)
            log.info("share.revoked", link=link.pk)


def find_link(token: str) -> ShareLink | None:
    """The link of a token, live or not; None for an unknown token."""
    return ShareLink.objects.select_related("created_by").filter(digest=digest(token)).first()


def note_use(link: ShareLink) -> None:
    """Record that it was used, at most once a minute."""
    now = timezone.now()
    if link.last_used_at is None or now - link.last_used_at > NOTED_EVERY:
        ShareLink.objects.filter(pk=link.pk).update(last_used_at=now)
        recording.record(recording.Action.READ, link)


def live_links(run: Run) -> QuerySet[ShareLink]:
    """Live links to this report, newest first."""
    return ShareLink.objects.filter(
        run_label=run._meta.label, run_pk=run.pk, revoked_at=None, expires_at__gt=timezone.now()
    ).select_related("created_by")


def digest(token: str) -> str:
    """The digest that is stored instead of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
