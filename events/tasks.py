"""Scheduled work; `insight_site.schedules` says when."""

from dataclasses import asdict

from events.catalogue import check_metric, refresh
from events.importing import uploads
from events.importing.numbering import number_and_maintain
from events.outbox import flush
from events.warehouse import daily_tables, increments


def flush_events() -> int:
    """Each minute: move events from the outbox to the store."""
    return flush.flush_events()


def maintain_store() -> dict[str, int]:
    """Each night: numbers for the users of an older store, compaction, vacuum, old message ids."""
    return number_and_maintain()


def keep_daily_tables() -> dict[str, int]:
    """Each hour: count the days whose events have changed, and find who came first on them; drop counts of no use."""
    return asdict(daily_tables.refresh()) | {"dropped": increments.tidy()}


def run_import(pk: int) -> None:
    """Import an uploaded file after a person has confirmed the meaning of its columns."""
    uploads.run_import(pk)


def run_metric_check(pk: int) -> None:
    """Check a metric on its own past, on request."""
    check_metric.run_check(pk)


def remove_old_uploads() -> int:
    """Each hour: remove uploads that weren't imported within a day."""
    return uploads.remove_old_uploads()


def refresh_catalogue() -> bool:
    """Each minute, and after an import: refresh the list of the store's events if the store has changed.

    The figures of the first page follow it, so that an import by a program or the command line shows there, too.
    """
    made = refresh.refresh_if_due()
    if made:
        uploads.request_home_figures()
    return made
