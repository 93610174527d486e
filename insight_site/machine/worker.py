"""The name that gunicorn's worker had in 0.4: a command line or GUNICORN_CMD_ARGS that says it goes on working.

It is gunicorn's own threaded worker (docs/adr/0010).
"""

from gunicorn.workers.gthread import ThreadWorker


class StayingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threaded worker, unchanged."""
