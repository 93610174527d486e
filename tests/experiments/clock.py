"""A clock that tests set: what `timezone.now` says, to the microsecond."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import patch


class Clock:
    """Set by hand."""

    def __init__(self, text: str) -> None:
        self.move_to(text)

    def move_to(self, text: str) -> None:
        """ISO 8601 with an offset."""
        self.now = datetime.fromisoformat(text)


@contextmanager
def set_to(text: str) -> Iterator[Clock]:
    """The site's clock says this until it is moved."""
    clock = Clock(text)
    with patch("django.utils.timezone.now", lambda: clock.now):
        yield clock
