"""`discover`: run and store a study from the command line. Programs read its JSON: never rename options or keys."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation
from django.utils.translation import gettext
from rich.console import Console
from rich.markup import escape

from aha.models import Study
from aha.questions.objections import LEAST_CONTROLS
from aha.study import studies
from aha.study.payload_versions import STUDY
from aha.study.question import RULES, Inputs
from aha.study.window_guard import valid_windows
from reporting.document import load
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.terminal import Bar, add_language, console, fail, print_table, refuse, write_json


class Command(BaseCommand):
    help = (
        "Search for AHA moments: which behaviour, how many times and within how many days, is associated with "
        "retention."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--signup-event", required=True, metavar="E", help="starts a user's clock; * takes the first of any kind")
        add("--behaviours", nargs="+", default=[], metavar="E", help="EVENT, EVENT[prop=value] or EVENT#prop; or all")
        add("--days", nargs="+", type=int, required=True, metavar="Y", help="the windows: within Y days")
        add("--max-times", type=int, metavar="Z", help="largest number of times; default 10, or deciles where frequent")
        add("--retention", required=True, metavar="SPEC", help="for example window:14-20, on_day:7, min_days:14-20:2")
        add("--segment", metavar="KEY", help="a published segment (only its users) or segment model (side by side)")
        add("--level", metavar="MODEL:LEVEL", help="only users at this level before retention, such as loyal:mid")
        add("--from", dest="first_date", metavar="DATE", help="first signup date, 2026-01-31")
        add("--to", dest="last_date", metavar="DATE", help="last signup date, inclusive")
        add("--choose", choices=RULES, default="j", help="by which a cell is chosen; default j")
        add("--gap", type=int, default=0, metavar="N", help="days between behaviour and retention; default 0")
        add("--day-mode", choices=["rolling", "calendar"], default="rolling", help="how days are counted")
        add("--seed", type=int, default=1, metavar="S", help="same data, same seed, same answer; default 1")
        add("--inert", nargs="+", default=[], metavar="E", help="behaviours that can't cause retention: controls")
        add("--title", default="", help="name of the study on its page")
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            study = studies.create_study(inputs=_inputs(options), title=options["title"], seed=options["seed"])
        except Refused as refusal:
            refuse(refusal, options["language"])
        with translation.override(options["language"]):
            for line in left_out(study):
                self.stderr.write(line)
        with Bar() as bar:
            studies.run_study(study.pk, listen=bar.show)
        study.refresh_from_db()
        report = STUDY.of(study)
        if report is None or isinstance(report, Unreadable):
            fail(study.reason)
        with translation.override(options["language"]):
            if options["json"]:
                from aha.report.document import document

                write_json(self.stdout, document(report))
            else:
                _print(study, report, console(self.stdout))


def left_out(study: Study) -> list[str]:
    """Warnings before the start: invalid days, which the study leaves out, and too few negative controls."""
    inputs = load(Inputs, study.inputs)
    late = valid_windows(inputs.days, inputs.definition, gap=inputs.gap).invalid
    warnings = []
    if late:
        text = gettext("Warning: --days {days} overlap the days of retention and are left out.")
        warnings.append(text.format(days=" ".join(str(y) for y, _reason in late)))
    if 0 < len(inputs.inert) < LEAST_CONTROLS:
        text = gettext("Warning: --inert names {n}; fewer than {least} can't show how much is found where nothing is.")
        warnings.append(text.format(n=len(inputs.inert), least=LEAST_CONTROLS))
    return warnings


def _inputs(options: dict[str, Any]) -> Inputs:
    same = (
        "signup_event",
        "max_times",
        "retention",
        "segment",
        "level",
        "first_date",
        "last_date",
        "choose",
        "gap",
        "day_mode",
    )
    return Inputs(
        **{name: options[name] for name in same},
        days=tuple(sorted(set(options["days"]))),
        behaviours=tuple(options["behaviours"]),
        inert=tuple(options["inert"]),
    )


def _print(study: Study, report: Any, out: Console) -> None:
    """Print the tables of the study's pages: population, nulls, candidates, ladders."""
    from aha.report import adjusted, candidates_table, cells, chance, cohort, page, ranking
    from aha.report.claim import choice_caption, claim_words
    from aha.report.cohort import asked_sentences

    for line in asked_sentences(report.asked):
        out.print(escape(line))
    for null in (report.luck, report.active):
        out.print(escape(chance.null_sentence(null)))
    shown = [cohort.flow(report), ranking.table(report)]
    if report.candidates:
        shown.append(candidates_table.side_by_side(report))
    for table in filter(None, shown):
        print_table(out, table.title, table.columns, table.rows, note=table.note)
    for line in filter(None, (ranking.no_ranking(report), page.headline(report))):
        out.print(escape(line))
    for row in report.candidates:
        out.print()
        out.print(escape(claim_words(row)), style="bold")
        for table in (cells.counts_table(row), adjusted.ladder_table(row)):
            print_table(out, table.title, table.columns, table.rows, note=table.note)
    out.print(escape(choice_caption()))
    out.print(escape(gettext("Stored as study {pk}.").format(pk=study.pk)))
