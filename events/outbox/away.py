"""Remember that the database doesn't answer, so that a request waits for it once and not with each of its queries.

A silent PostgreSQL costs `DATABASE_LOCK_SECONDS` for each try, and a client's patience is 5 s. Who waited in vain notes
it here; for a moment this process then behaves at once as it would after another wait.
"""

import time

from django.db import OperationalError

PAUSE_SECONDS = 2.0
SLOW_SECONDS = 0.5  # a refused connection costs nothing, so it may be tried again at once
_until = 0.0


def note(began: float) -> None:
    """The database didn't answer a try that began at this `time.monotonic()`."""
    global _until  # noqa: PLW0603 - of this process
    now = time.monotonic()
    if now - began >= SLOW_SECONDS:
        _until = now + PAUSE_SECONDS


def is_silent() -> bool:
    """True for a moment after a wait in vain."""
    return time.monotonic() < _until


def refuse_if_silent() -> None:
    """Fail as the database would.

    Raises:
        OperationalError: for a moment after a wait in vain.
    """
    if is_silent():
        raise OperationalError("the database has just been waited for in vain")


def forget() -> None:
    """Forget it."""
    global _until  # noqa: PLW0603 - of this process
    _until = 0.0
