"""Unsubscribe links: signed, for one account or one recipient, without a sign-in. They delete no account."""

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from insight_site.models import DigestRecipient, NoticeChoice
from insight_site.models.notices import Timing
from insight_site.notices.notice_kinds import BY_KEY, KINDS

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
    kinds = [kind] if kind in BY_KEY else [one.key for one in KINDS]
    with transaction.atomic():
        choice, _made = NoticeChoice.objects.select_for_update().get_or_create(user_id=pk)
        choice.timings = {**choice.timings, **dict.fromkeys(kinds, Timing.NEVER.value)}
        choice.save(update_fields=["timings"])
