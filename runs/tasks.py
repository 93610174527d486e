"""Background tasks of the queue itself, called by name."""

from runs.queue import leases


def forget_old_jobs() -> int:
    """Each night: delete old finished and failed jobs."""
    return leases.forget_old()
