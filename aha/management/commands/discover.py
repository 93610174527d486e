"""`discover`: a study from the command line. Options and JSON as in DESIGN.md §8; the study is stored as well."""

import json
import sys
from argparse import ArgumentParser
from types import TracebackType
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from aha.inputs import RULES, Inputs
from aha.models import Study
from aha.services import studies
from events.reasons import Refused


class Command(BaseCommand):
    help = "Look for AHA moments: which behaviour, how often, within how many days, goes with retention?"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--signup-event", required=True, metavar="E", help="starts a user's clock; * takes the first of any kind")
        add("--behaviours", nargs="+", default=[], metavar="E", help="EVENT, EVENT[prop=value] or EVENT#prop; or all")
        add("--days", nargs="+", type=int, required=True, metavar="Y", help="the windows: within Y days")
        add("--max-times", type=int, metavar="Z", help="largest number of times; default 10, or deciles where frequent")
        add("--retention", required=True, metavar="SPEC", help="for example window:14-20, on_day:7, min_days:14-20:2")
        add("--segment", metavar="KEY", help="a published segment (only its users) or segment model (side by side)")
        add("--from", dest="first_date", metavar="DATE", help="first signup date, 2026-01-31")
        add("--to", dest="last_date", metavar="DATE", help="last signup date, inclusive")
        add("--choose", choices=RULES, default="j", help="by which a cell is chosen; default j")
        add("--gap", type=int, default=0, metavar="N", help="days between behaviour and retention; default 0")
        add("--day-mode", choices=["rolling", "calendar"], default="rolling", help="how days are counted")
        add("--seed", type=int, default=1, metavar="S", help="same data, same seed, same answer; default 1")
        add("--inert", nargs="+", default=[], metavar="E", help="behaviours that can't cause retention: controls")
        add("--title", default="", help="name of the study on its page")
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            study = studies.create_study(inputs=_inputs(options), title=options["title"], seed=options["seed"])
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=2) from None
        with _Bar() as bar:
            studies.run_study(study.pk, listen=bar.show)
        study.refresh_from_db()
        report = studies.read_report(study)
        if report is None:
            raise CommandError(study.reason, returncode=1)
        if options["json"]:
            from aha.document import document

            self.stdout.write(json.dumps(document(report, gettext), ensure_ascii=False, allow_nan=False))
        else:
            _print(study, report, _console(self.stdout))


def _inputs(options: dict[str, Any]) -> Inputs:
    same = ("signup_event", "max_times", "retention", "segment", "first_date", "last_date", "choose", "gap", "day_mode")
    return Inputs(
        **{name: options[name] for name in same},
        days=tuple(sorted(set(options["days"]))),
        behaviours=tuple(options["behaviours"]),
        inert=tuple(options["inert"]),
    )


class _Bar:
    """A progress bar on standard error, and silence where that is no terminal."""

    def __enter__(self) -> "_Bar":
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
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
        self._progress.update(self._task, description=stage, completed=share)


def _console(stream: Any) -> Console:
    """Without a terminal nothing knows the width, and a narrow default would cut names."""
    return Console(file=cast("IO[str]", stream), highlight=False, width=None if stream.isatty() else 160)


def _print(study: Study, report: Any, out: Console) -> None:
    """The study for people: who counts, what beats luck, the candidates with their ladder."""
    from aha import words
    from aha.tables import candidates, cells, ladder, population, ranking

    for line in words.asked_sentences(report.asked, gettext):
        out.print(escape(line))
    for null in (report.luck, report.active):
        out.print(escape(words.null_sentence(null, gettext)))
    shown = (population, ranking, candidates, cells, ladder)
    for title, columns, rows in (made(report, gettext) for made in shown):
        table = Table(title=escape(title), title_justify="left")
        for column in columns:
            table.add_column(escape(column), overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        if rows:
            out.print()
            out.print(table)
    out.print(escape(words.choice_caption(gettext)))
    out.print(escape(gettext("Stored as study {pk}.").format(pk=study.pk)))
