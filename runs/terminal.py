"""Terminal helpers for all commands: refusals, progress bars, and tables."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from types import TracebackType
from typing import IO, Any, NoReturn, cast

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import translation
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from runs.refusals import Refused


def refuse(error: Refused, language: str | None = None) -> NoReturn:
    """End the command for bad input: exit status 2 and one sentence on standard error.

    Args:
        error: the refusal.
        language: of the sentence, if the command has the option; else the active language.
    """
    with translation.override(language or translation.get_language()):
        sentence = str(error)
    raise CommandError(sentence, returncode=2) from None


def fail(reason: str) -> NoReturn:
    """End the command with exit status 1: the input was valid, but the computation has no result."""
    raise CommandError(reason, returncode=1) from None


def add_language(parser: ArgumentParser) -> None:
    """Add the option `--language`, for every command that prints sentences about results."""
    codes = [code for code, _name in settings.LANGUAGES]
    parser.add_argument(
        "--language", choices=codes, default=settings.LANGUAGE_CODE, help="language of sentences; default the site's"
    )


def write_json(out: Any, document: object) -> None:
    """Print one JSON document on one line, in UTF-8 as RFC 8259 asks, whatever the terminal's encoding."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.encoding != "utf-8":
        sys.stdout.reconfigure(encoding="utf-8")
    out.write(json.dumps(document, ensure_ascii=False, allow_nan=False))


def console(stream: Any) -> Console:
    """A rich console for a command's output.

    Without a terminal (a pipe, a log) the width is unknown, and a narrow default would cut names.
    """
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that can't show Hangul or a box line gets "?" there instead of an error.
        sys.stdout.reconfigure(errors="replace")
    wide = None if stream.isatty() else 160
    return Console(file=cast("IO[str]", stream), highlight=False, width=wide)


def print_table(
    out: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, note: str = ""
) -> None:
    """Print one table with its title above and its note below; text from data is never read as markup."""
    printed = Table(title=escape(title), title_justify="left", caption_justify="left")
    printed.caption = escape(note) or None
    for column in columns:
        printed.add_column(escape(column), overflow="fold")
    for row in rows:
        printed.add_row(*(escape(cell) for cell in row))
    out.print()
    out.print(printed)


class Bar:
    """A progress bar on standard error; prints nothing where that is no terminal."""

    def __enter__(self) -> "Bar":
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("", total=1.0)
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, stage: str, share: float) -> None:
        """Show the progress, 0 to 1: a `runs.progress.Progress`."""
        self._progress.update(self._task, description=stage, completed=share)
