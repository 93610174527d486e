"""`analyze_file`: the analysis engine on the file of a finished experiment. Options and JSON: docs/analyze_file.md."""

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation
from rich.console import Console
from rich.markup import escape

from experiments.analyse.effects import Report
from experiments.from_file.analyze import analyze_file
from experiments.from_file.command_options import add_columns, design_of
from experiments.report import text_report
from experiments.report.document import document
from experiments.report.health import finding_sentence, severity_words
from experiments.report.verdict import verdict_sentence
from insight_site.commands import write_whole
from runs.refusals import Refused
from runs.terminal import add_language, console, print_table, refuse, write_json


class Command(BaseCommand):
    help = "Analyse the file of a finished experiment: did the nudge work, and did the behaviour cause it?"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add_columns(parser)
        add(
            "--nudge-cost",
            type=float,
            default=0.0,
            metavar="C",
            help="cost of nudging one unit, in the first outcome's unit: whom to nudge must pay for it (default 0)",
        )
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")
        add("--html", type=Path, metavar="FILE", help="write a self-contained report")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["html"] is not None and options["html"].resolve() == options["file"].resolve():
                raise Refused("--html {file}: this would overwrite the data", file=options["html"])
            design = replace(design_of(options), nudge_cost=options["nudge_cost"])
            report = analyze_file(options["file"], design)
            with translation.override(options["language"]):
                if options["html"] is not None:
                    self._write_html(report, options["html"])
                if options["json"]:
                    write_json(self.stdout, document(report))
                else:
                    _print(report, console(self.stdout))
        except Refused as error:
            refuse(error, options["language"])

    def _write_html(self, report: Report, path: Path) -> None:
        from insight_site.takeaways.file_report import file_report  # noqa: PLC0415 - charts cost a second to import

        try:
            write_whole(path, file_report(report))
        except OSError as error:
            raise Refused(
                "--html {file}: the report can't be written there ({why})", file=path, why=error.strerror
            ) from None
        self.stderr.write(f"report written to {path}")


def _print(report: Report, out: Console) -> None:
    """Print the report for people: the verdict first, then warnings, then the numbers."""
    verdict = report.verdict
    out.print(f"[bold]{escape(verdict.heading)}[/bold] ({verdict.code})")
    out.print(escape(f"{report.outcomes[0].name} · {report.leading}"))
    out.print(escape(verdict_sentence(verdict)))
    for finding in report.health:
        label = severity_words(finding.severity)
        out.print(f"[bold]{escape(label)}[/bold]: {escape(finding_sentence(finding))}")
    for table in text_report.tables(report):
        print_table(out, table.title, table.columns, table.rows, note=table.note)
