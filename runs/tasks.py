"""Background work of the queue itself, called by name."""

from runs.queue import leases


def forget_old_jobs() -> int:
    """Each night: jobs that were done or failed long ago."""
    return leases.forget_old()
