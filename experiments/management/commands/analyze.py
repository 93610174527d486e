"""`analyze`: a fresh analysis of a stored experiment. Other programs read its JSON (docs/analyze_file.md)."""

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand
from django.utils import translation
from django.utils.translation import gettext
from rich.console import Console
from rich.markup import escape

from experiments.analyse import analyses
from experiments.analyse.payload_versions import READOUT
from experiments.models import Experiment
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.terminal import Bar, add_language, console, fail, print_table, refuse, write_json

if TYPE_CHECKING:
    from experiments.analyse.result import AnalysisResult


class Command(BaseCommand):
    help = "Analyse a stored experiment now, as far as its plan allows, and store the analysis."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="key of the experiment")
        parser.add_argument(
            "--peek",
            action="store_true",
            help="read the outcome of a fixed plan before its planned date; the report shows this permanently",
        )
        parser.add_argument("--seed", type=int, default=1, help="random seed, stored with the result (1)")
        add_language(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override(options["language"]):
            try:
                readout = self._readout(options)
            except Refused as refusal:
                refuse(refusal)
            if options["json"]:
                from experiments.report.stored_document import document

                write_json(self.stdout, document(readout))
            else:
                _print(readout, console(self.stdout))

    def _readout(self, options: dict[str, Any]) -> "AnalysisResult":
        experiment = Experiment.objects.filter(key=options["key"]).first()
        if experiment is None:
            raise Refused("There is no experiment '{key}'.", key=options["key"])
        row = analyses.create_analysis(experiment=experiment, peek=options["peek"], seed=options["seed"])
        with Bar() as bar:
            done = analyses.run_analysis(row.pk, listen=bar.show)
        row.refresh_from_db()
        readout = READOUT.of(row)
        if not done or readout is None or isinstance(readout, Unreadable):
            fail(row.reason)
        return readout


def _print(readout: "AnalysisResult", out: Console) -> None:
    """The verdict first, or why there is none; then what may be wrong; then the numbers."""
    from experiments.analyse.result import Opened
    from experiments.report import first_lines, lab, stored_document
    from experiments.report.health import severity_words
    from experiments.report.names import worded
    from experiments.report.verdict import verdict_sentence

    verdict = first_lines.named_verdict(readout)
    if verdict is not None:
        out.print(f"[bold]{escape(verdict.heading)}[/bold] ({verdict.code})")
        out.print(escape(verdict_sentence(verdict)))
    out.print(escape(first_lines.state_sentence(readout.maturity.why)))
    if readout.maturity.opens_on is not None:
        out.print(escape(gettext("It opens on %(day)s.") % {"day": readout.maturity.opens_on.isoformat()}))
    for finding in readout.health:
        label = severity_words(finding.severity)
        out.print(f"[bold]{escape(label)}[/bold]: {escape(first_lines.health_sentence(finding))}")
    if not isinstance(readout, Opened):
        return
    report = worded(lab.worded(readout), readout.plan.claim)
    for table in (*lab.tables(readout), *stored_document.tables(report)):
        print_table(out, table.title, table.columns, table.rows, note=table.note)
