"""What all commands share: bad input ends with exit status 2 and one sentence on standard error."""

from typing import NoReturn

from django.core.management.base import CommandError

from events.reasons import Refused


def refuse(error: Refused) -> NoReturn:
    """End the command the way DESIGN.md §8 asks."""
    raise CommandError(str(error), returncode=2) from None
