"""Circuit breaker for an unresponsive database: a request waits for it once, not with each of its queries.

A silent PostgreSQL costs `DATABASE_LOCK_SECONDS` for each try, and a client's timeout is 5 s. After such a timeout the
breaker is open for a moment: this process then fails at once, as it would after another wait.
"""

import time

from django.db import OperationalError

PAUSE_SECONDS = 2.0
SLOW_SECONDS = 0.5  # a refused connection fails at once, so it may be retried
_until = 0.0


def note(began: float) -> None:
    """Open the breaker if the failed try that began at this `time.monotonic()` was slow."""
    global _until  # noqa: PLW0603 - of this process
    now = time.monotonic()
    if now - began >= SLOW_SECONDS:
        _until = now + PAUSE_SECONDS


def is_silent() -> bool:
    """True while the circuit breaker is open after a database timeout."""
    return time.monotonic() < _until


def refuse_if_silent() -> None:
    """Fail as the database would while the breaker is open.

    Raises:
        OperationalError: shortly after a database timeout.
    """
    if is_silent():
        raise OperationalError("the database has just been waited for in vain")


def forget() -> None:
    """Close the breaker."""
    global _until  # noqa: PLW0603 - of this process
    _until = 0.0
