"""Request the erasure of persons: the request is stored, and from that moment their events are dropped."""

from collections.abc import Iterable
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from events.people import tombstones
from events.people.tombstones import Scrub
from insight_site.models import Erasure
from runs.queue.jobs import put
from runs.refusals import Refused

# The receipt of an erasure, for the person who requested it: what was erased, without ids.


def receipt(row: Erasure) -> dict[str, Any]:
    """The receipt of a request; while it is running, its progress."""
    return {
        "id": row.pk,
        "reference": row.reference,
        "state": row.state,
        "ids_named": row.named,
        "digests": row.digests,
        "erased": row.counts,
        "store_version_before": row.store_before,
        "store_version_after": row.store_after,
        "asked_by": row.asked_by.get_username() if row.asked_by else None,
        "asked_with_key": row.asked_with or None,
        "asked_at": row.asked_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        "error": row.error or None,
        "notes": [note_words(code) for code in row.notes],
    }


def note_words(code: str) -> str:
    """What remains for others to erase, in words."""
    return {
        "words_stay": _(
            "An id that is a short number or a common word went with the events and rows of its user; in others' data "
            "it stays, since it means something else there."
        ),
        "not_vacuumed": _("The database's free pages were not cleaned: run VACUUM."),
        "log_busy": _("SQLite's write-ahead log was in use and is emptied later; restart the processes to be sure."),
        "space_reused": _(
            "PostgreSQL gave the space of deleted rows free and overwrites it when it is used again; "
            "VACUUM FULL rewrites the tables at once."
        ),
    }[code]


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
        tombstones.remember(named)
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
