"""`analyze_file`: the analysis engine on the file of a finished experiment. Options and JSON: docs/analyze_file.md."""

import os
import tempfile
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation
from rich.console import Console
from rich.markup import escape

from experiments.analyse.effects import Report
from experiments.files.analyze import add_columns, analyze_file, design_of
from experiments.report import stored_document
from experiments.report.document import document
from experiments.report.health import finding_sentence, severity_words
from experiments.report.verdict import verdict_sentence
from runs.refusals import Refused
from runs.terminal import add_language, console, print_table, refuse, write_json

# What the site's own commands share; `runs.terminal` has what all commands do.


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically, so that a failure leaves the old content."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".insight-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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
        from insight_site.exports.file_report import file_report  # noqa: PLC0415 - charts cost a second to import

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
    for table in stored_document.tables(report):
        print_table(out, table.title, table.columns, table.rows, note=table.note)
