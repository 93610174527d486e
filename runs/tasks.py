"""Background tasks of the queue itself, called by name."""

from runs.queue import jobs


def forget_old_jobs() -> int:
    """Each night: delete old finished and failed jobs."""
    return jobs.forget_old()
