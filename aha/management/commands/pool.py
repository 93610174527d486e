"""`pool`: meta-analysis of all finished experiments on a behaviour. Other programs read its JSON: never rename keys."""

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand
from django.utils import translation
from rich.console import Console
from rich.markup import escape

from runs.refusals import Refused
from runs.terminal import add_language, console, print_table, refuse, write_json

if TYPE_CHECKING:
    from aha.evidence.findings import PastExperiments


class Command(BaseCommand):
    help = "Pool the effect of a behaviour over the final analyses of all finished experiments."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("behaviour", help="EVENT, EVENT[prop=value] or EVENT#prop")
        add("--times", type=int, metavar="Z", help="only at least so often; default the most frequent definition")
        add("--days", type=int, metavar="Y", help="only within so many days")
        add("--outcome", metavar="SPEC", help="only this outcome, for example window:14-20")
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        from aha.evidence.store_findings import pool_behaviour

        filters = {name: options[name] for name in ("times", "days", "outcome")}
        with translation.override(options["language"]):
            try:
                experiments = pool_behaviour(options["behaviour"], **filters)
            except Refused as refusal:
                refuse(refusal, options["language"])
            if options["json"]:
                from aha.report.past import document

                write_json(self.stdout, document(experiments))
            else:
                _print(experiments, console(self.stdout))


def _print(experiments: "PastExperiments", out: Console) -> None:
    from aha.report import past
    from aha.report.claim import cell_words
    from events.metrics import plain_name

    definition = experiments.definition
    out.print(escape(cell_words(definition.behaviour, definition.times, definition.days)), style="bold")
    out.print(escape(plain_name(definition.outcome)))
    for line in past.sentences(experiments):
        out.print(escape(line))
    for table in past.tables(experiments):
        print_table(out, table.title, table.columns, table.rows, note=table.note)
