"""What an account chose: when it hears of a kind, in which language, at which places; and links to unsubscribe."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext

from experiments.webhook_messages import Undelivered
from insight_site.models import DigestRecipient, NoticeChannel, NoticeChoice, Preference, Timing
from insight_site.notify.notice_kinds import BY_KEY, KINDS, Kind
from insight_site.notify.send_safely import check_address, send
from runs.queue.jobs import put
from runs.refusals import Refused
from runs.site_zone import here

# An account's preferences: when it is notified of a kind, and in which language.


def timing_of(kind: Kind, choice: NoticeChoice | None) -> str:
    """A person's choice for a kind, or the kind's default."""
    chosen = kind.timing if choice is None else choice.timings.get(kind.key, kind.timing)
    return str(chosen if chosen in Timing.values else kind.timing)


def next_daily(now: datetime) -> datetime:
    """The next time at which daily notices are sent."""
    local = here(now)
    due = local.replace(hour=settings.NOTICES.daily_hour, minute=0, second=0, microsecond=0)
    return due if due > local else due + timedelta(days=1)


def language_of(user_pk: int) -> str:
    """The language of an account."""
    chosen = Preference.objects.filter(user=user_pk).values_list("language", flat=True).first()
    return str(chosen or settings.LANGUAGE_CODE)


# Unsubscribe links: signed, for one account or one recipient, without a sign-in. They delete no account.

SALT = "insight.notices.stop"
EVERYTHING = "*"
PERSON, RECIPIENT = "person", "recipient"


def stop_link(who: str, pk: int, kind: str = EVERYTHING) -> str:
    """The address of a page to unsubscribe.

    Args:
        who: PERSON or RECIPIENT.
        pk: of the account, or of the recipient of the digest.
        kind: of notice, or EVERYTHING.
    """
    token = signing.dumps([who, pk, kind], salt=SALT, compress=True)
    return settings.NOTICES.site + reverse("notices_stop", args=[token])


def read_stop(token: str) -> tuple[str, int, str] | None:
    """Decode a token: who unsubscribes from what; None if invalid. Tokens never expire: old mails must work."""
    try:
        who, pk, kind = signing.loads(token, salt=SALT)
    except (signing.BadSignature, ValueError):
        return None
    return who, pk, kind


def stop(who: str, pk: int, kind: str) -> None:
    """Unsubscribe; a second time changes nothing."""
    if who == RECIPIENT:
        DigestRecipient.objects.filter(pk=pk, enabled=True).update(enabled=False, stopped_at=timezone.now())
        return
    kinds = [kind] if kind in BY_KEY else [notice_kind.key for notice_kind in KINDS]
    with transaction.atomic():
        choice, _made = NoticeChoice.objects.select_for_update().get_or_create(user_id=pk)
        choice.timings = {**choice.timings, **dict.fromkeys(kinds, Timing.NEVER.value)}
        choice.save(update_fields=["timings"])


# Add and test notification channels besides e-mail: a person's own, or a team's.

log = structlog.get_logger()
MOST = 10  # channels per account
TEST_TASK = "insight_site.tasks.try_channel"


def add_channel(
    *, url: str, name: str, owner: User | None = None, language: str = "", kinds: Iterable[str] = ()
) -> NoticeChannel:
    """Add a channel.

    Args:
        url: its Apprise URL: a secret, which is never shown again.
        name: its name for people; empty for the service's.
        owner: its account; None for a team's.
        language: of a team's channel; an account's channel uses the account's.
        kinds: kinds of notices that a team's channel gets.

    Raises:
        Refused: the address isn't one that notices may go to, or the account has enough of them.
    """
    address = check_address(url)
    with transaction.atomic():
        if owner is not None and NoticeChannel.objects.select_for_update().filter(owner=owner).count() >= MOST:
            raise Refused("An account has {most} places at most.", most=MOST)
        return NoticeChannel.objects.create(
            owner=owner,
            name=name or address.service,
            service=address.service,
            secret_address=address.url,
            language=language or settings.LANGUAGE_CODE,
            kinds=list(kinds),
        )


def change_address(*, channel: NoticeChannel, url: str) -> None:
    """Change a channel's address; the old one is deleted.

    Raises:
        Refused: as `add_channel`.
    """
    address = check_address(url)
    channel.secret_address, channel.service = address.url, address.service
    channel.save(update_fields=["secret_address", "service"])


def ask_for_test(channel: NoticeChannel) -> None:
    """Let a worker send a test message: no request waits for another system."""
    put(TEST_TASK, channel.pk)


def send_test(pk: int) -> bool:
    """Send a test message; False when the channel is gone or delivery failed. The log says why."""
    channel = NoticeChannel.objects.filter(pk=pk).first()
    if channel is None:
        return False
    with translation.override(channel.language if channel.owner_id is None else language_of(channel.owner_id)):
        text = gettext("Notices of Insight arrive here.")
    try:
        send(channel.secret_address, title="Insight", text=text)
    except (Refused, Undelivered) as trouble:
        log.warning("notice.test_failed", channel=pk, trouble=str(trouble)[:200])
        return False
    return True
