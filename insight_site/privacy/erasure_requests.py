"""Request the erasure of persons: the request is stored, and from that moment their events are dropped."""

from collections.abc import Iterable

import structlog
from django.contrib.auth.models import User
from django.db import transaction

from events.erasing.scrub import Scrub
from events.identity import erased_users
from insight_site.models import Erasure
from runs.queue.enqueue import put
from runs.refusals import Refused

MOST = 10_000
LONGEST = 256
log = structlog.get_logger()


def request_erasure(
    *, ids: Iterable[str], reference: str = "", by: User | None = None, key_prefix: str = "", later: bool = True
) -> Erasure:
    """Store the request, and drop their events from now on.

    Args:
        ids: of the persons; each one's other ids are found.
        reference: of the request in another system; it is part of the receipt, so it must not contain an id.
        by: the person who requests it.
        key_prefix: of the key that requested it.
        later: whether to leave it to a worker.

    Raises:
        Refused: for no id, too many, or an invalid one.
    """
    named = checked(ids)
    if Scrub(named).plain(reference) != reference:
        raise Refused("The reference stays in the receipt: it may not hold a user id.", at="reference")
    with transaction.atomic():
        row = Erasure.objects.create(
            ids=named, named=len(named), reference=reference[:100], asked_by=by, asked_with=key_prefix
        )
        erased_users.remember(named)
        if later:
            put("insight_site.tasks.erase", row.pk)
    log.info("erasure.requested", erasure=row.pk, persons=len(named))
    return row


def checked(ids: Iterable[str]) -> list[str]:
    """The ids, without duplicates.

    Raises:
        Refused: as `request_erasure`.
    """
    named = sorted(set(ids))
    if not named or len(named) > MOST:
        raise Refused("Name between 1 and {most} user ids.", most=f"{MOST:,}", at="ids")
    if any(not 0 < len(name) <= LONGEST or "\0" in name for name in named):
        raise Refused("A user id has 1 to {longest} characters.", longest=LONGEST, at="ids")
    return named
