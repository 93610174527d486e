"""Add and test notification channels besides e-mail: a person's own, or a team's."""

from collections.abc import Iterable

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext

from experiments.webhooks.wire import Undelivered
from insight_site.models import NoticeChannel
from insight_site.notices.outward import check_address, send
from insight_site.notices.own_choice import language_of
from runs.queue.enqueue import put
from runs.refusals import Refused

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
