"""What all commands share: how they refuse, and where they print."""

import os
import sys
import tempfile
from pathlib import Path
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
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that can't show Hangul or a box line gets "?" there instead of an error.
        sys.stdout.reconfigure(errors="replace")
    wide = None if stream.isatty() else 160
    return Console(file=cast("IO[str]", stream), highlight=False, width=wide)


def write_whole(path: Path, text: str) -> None:
    """Write a file in one step, so that a failure leaves what was there before."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".insight-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
