"""`analyze_file`: the main engine on the file of a finished experiment. Options and JSON as in DESIGN.md §8."""

from argparse import ArgumentParser
from math import inf
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation
from rich.console import Console
from rich.markup import escape

from experiments.analyse.codes import code_words
from experiments.analyse.effects import Report
from experiments.from_file.analyze import analyze_file
from experiments.plan.design import Covariate, Design
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
        add("file", type=Path, help="CSV, TSV or Parquet; .gz is unpacked")
        add("--variant", required=True, metavar="COL", help="column of the assigned variant")
        add("--control", required=True, metavar="LABEL", help="the control variant's label")
        add(
            "--outcome",
            required=True,
            action="append",
            metavar="COL",
            help="repeatable; 0/1 is a share, other numbers are means; the first is the primary one",
        )
        add("--unit", metavar="COL", help="column of the unit id; without it each row is one unit")
        add("--segment", metavar="COL", help="stratify by this column, known before assignment")
        add("--behaviour", metavar="COL", help="0/1: reached the AHA moment; makes it an encouragement analysis")
        add(
            "--covariate",
            action="append",
            default=[],
            metavar="COL[:category]",
            help="repeatable; known before assignment; text and :category become dummies",
        )
        add(
            "--primary",
            choices=["unadjusted", "adjusted"],
            default="unadjusted",
            help="which comparison the verdict rests on; adjusted is Lin's, for the covariates (default unadjusted)",
        )
        add("--cluster", metavar="COL", help="group that was assigned as a whole: cluster-robust errors")
        add(
            "--ratio",
            action="append",
            default=[],
            metavar="LABEL=SHARE",
            help="repeatable; the planned split (default: equal)",
        )
        add("--alpha", type=float, default=0.05, help="two-sided false alarm rate (default 0.05)")
        add(
            "--placebo",
            metavar="LABEL",
            help="the variant with a nudge towards something inert: the nudge is compared with it",
        )
        add("--margin", type=float, metavar="M", help="smallest effect of interest, absolute")
        add(
            "--direct-effect",
            type=float,
            nargs=2,
            metavar=("LOW", "HIGH"),
            help="what being nudged by itself may do to the first outcome, in its unit (0.01 is one point of a share)",
        )
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")
        add("--html", type=Path, metavar="FILE", help="write a self-contained report")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["html"] is not None and options["html"].resolve() == options["file"].resolve():
                raise Refused("--html {file}: this would overwrite the data", file=options["html"])
            report = analyze_file(options["file"], _design(options))
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


def _design(options: dict[str, Any]) -> Design:
    return Design(
        variant=options["variant"],
        control=options["control"],
        outcomes=tuple(options["outcome"]),
        unit=options["unit"],
        segment=options["segment"],
        behaviour=options["behaviour"],
        covariates=tuple(
            Covariate(text.removesuffix(":category"), text.endswith(":category")) for text in options["covariate"]
        ),
        cluster=options["cluster"],
        shares=_shares(options["ratio"]),
        alpha=options["alpha"],
        margin=options["margin"],
        direct_effect=_range(options["direct_effect"]),
        placebo=options["placebo"],
        adjusted=options["primary"] == "adjusted",
    )


def _range(ends: list[float] | None) -> tuple[float, float] | None:
    if ends is None:
        return None
    low, high = ends
    if not -inf < low <= high < inf:
        raise Refused("--direct-effect {low:g} {high:g}: two numbers, the smaller one first", low=low, high=high)
    return low, high


def _shares(texts: list[str]) -> dict[str, float] | None:
    shares: dict[str, float] = {}
    for text in texts:
        label, mark, share = text.rpartition("=")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not mark or not 0 <= value < float("inf"):
            raise Refused(
                "--ratio {given!r} must be LABEL=SHARE with a share of at least 0, for example control=0.5", given=text
            )
        if label in shares:
            raise Refused("--ratio gives variant {variant!r} two shares", variant=label)
        shares[label] = value
    total = sum(shares.values())
    if shares and total == 0:
        raise Refused("the shares add up to 0", at="ratio")
    return {label: share / total for label, share in shares.items()} or None


def _print(report: Report, out: Console) -> None:
    """The report for people: the verdict first, then what may be wrong, then the numbers."""
    verdict = report.verdict
    out.print(f"[bold]{escape(code_words(verdict.code))}[/bold] ({verdict.code})")
    out.print(escape(f"{report.outcomes[0].name} · {report.leading}"))
    out.print(escape(verdict_sentence(verdict)))
    for finding in report.health:
        label = severity_words(finding.severity)
        out.print(f"[bold]{escape(label)}[/bold]: {escape(finding_sentence(finding))}")
    for table in text_report.tables(report):
        print_table(out, table.title, table.columns, table.rows, note=table.note)
