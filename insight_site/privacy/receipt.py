"""The receipt of an erasure, for the person who requested it: what was erased, without ids."""

from typing import Any

from django.utils.translation import gettext as _

from insight_site.models import Erasure


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
