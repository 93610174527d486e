"""Django's work in a thread beside the event loop, with the database connections looked after as around a request."""

from collections.abc import Callable

from anyio import CapacityLimiter, to_thread
from django.db import close_old_connections


async def in_thread[Answer](call: Callable[[], Answer], *, room: CapacityLimiter | None = None) -> Answer:
    """What `call` returns; `room` bounds how many run at once. A client that goes away doesn't cut it off."""

    def run() -> Answer:
        close_old_connections()
        try:
            return call()
        finally:
            close_old_connections()

    return await to_thread.run_sync(run, limiter=room)
