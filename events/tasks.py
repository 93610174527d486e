"""Scheduled work; `insight_site.schedules` says when."""

from events.catalogue import refresh
from events.outbox import flush


def flush_events() -> int:
    """Each minute: outbox to store."""
    return flush.flush_events()


def maintain_store() -> dict[str, int]:
    """Each night: compaction, vacuum, old message ids."""
    return flush.maintain_store()


def refresh_catalogue() -> bool:
    """Each minute, and after an import: the list of the store's events, when the store has changed."""
    return refresh.refresh_if_due()
