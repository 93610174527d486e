"""What all commands share: how they refuse, and where they print."""

from typing import IO, Any, NoReturn, cast

from django.core.management.base import CommandError
from rich.console import Console

from events.reasons import Refused


def refuse(error: Refused) -> NoReturn:
    """End the command the way DESIGN.md §8 asks: exit status 2 and one sentence on standard error."""
    raise CommandError(str(error), returncode=2) from None


def console(stream: Any) -> Console:
    """A console for people on a command's output.

    Without a terminal (a pipe, a log) nothing knows the width, and a narrow default would cut names.
    """
    wide = None if stream.isatty() else 160
    return Console(file=cast("IO[str]", stream), highlight=False, width=wide)
