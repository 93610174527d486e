"""Alias for the gunicorn worker class of 0.4, so that old command lines and GUNICORN_CMD_ARGS still work.

It is gunicorn's own threaded worker (docs/adr/0010).
"""

from gunicorn.workers.gthread import ThreadWorker


class StayingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threaded worker, unchanged."""
