"""Scheduled work; `insight_site.schedules` says when."""

from events.outbox import flush


def flush_events() -> int:
    """Each minute: outbox to store."""
    return flush.flush_events()


def maintain_store() -> dict[str, int]:
    """Each night: compaction, vacuum, old message ids."""
    return flush.maintain_store()
