"""`import_experiment`: store the moments of a finished test that ran elsewhere as evidence on a behaviour."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand
from django.utils import translation
from django.utils.translation import gettext

from runs.refusals import Refused
from runs.terminal import add_language, console, print_table, refuse, write_json

if TYPE_CHECKING:
    from aha.evidence.findings import PastFinding
    from experiments.files.import_experiment import Imported

# What a file of users can't do without, and a file of summaries says itself.
ASKED = ("variant", "control", "outcome", "name", "behaviour_key", "first", "last")
OPTION = {name: {"first": "from", "last": "to"}.get(name, name.replace("_", "-")) for name in ASKED}


class Command(BaseCommand):
    help = "Import the effect of a behaviour from an experiment that ran elsewhere: aggregates only, no rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        from experiments.files.analyze import add_columns

        add = parser.add_argument
        add_columns(parser, required=False)
        add(
            "--summaries",
            action="store_true",
            help="the file has one row an experiment: name, behaviour, times, days, outcome, from, to, users_control, "
            "users_variant, effect, effect_error, take_up, take_up_error, and covariance where it is known; of further "
            "behaviours behaviour_2, times_2, take_up_2, ...; see docs/past_experiments.md",
        )
        add("--name", metavar="N", help="what people call the experiment; each has a name of its own")
        add(
            "--behaviour-key",
            metavar="B",
            help="which behaviour the column --behaviour holds: the key of an AHA moment, or EVENT, EVENT[prop=value]",
        )
        add(
            "--also",
            nargs=3,
            action="append",
            default=[],
            metavar=("COL", "B", "Z"),
            help="repeatable; another 0/1 column, the behaviour that it holds, and the least number of times",
        )
        add("--times", type=int, metavar="Z", help="at least so often; default that of the moment")
        add("--days", type=int, metavar="Y", help="within so many days; default those of the moment")
        add("--outcome-spec", metavar="SPEC", help="what --outcome holds, as window:14-20; default that of the moment")
        add("--from", dest="first", type=_day, metavar="DATE", help="first day, 2026-01-31")
        add("--to", dest="last", type=_day, metavar="DATE", help="last day, inclusive")
        add("--promised", type=float, metavar="D", help="difference that a correlation had promised, 0.1 is 10 points")
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override(options["language"]):
            try:
                findings = _summaries(options) if options["summaries"] else _imported(options).findings
            except Refused as refusal:
                refuse(refusal, options["language"])
            if findings[0].verdict == "INVALID":
                self.stderr.write(gettext("Its data can't answer, so it is kept and never pooled."))
            if options["json"]:
                from aha.report.past import finding_document

                write_json(self.stdout, {"kept": [finding_document(finding) for finding in findings]})
            else:
                from aha.report.past import findings_table

                table = findings_table(findings)
                out = console(self.stdout)
                print_table(out, table.title, table.columns, table.rows, note=table.note)


def _summaries(options: dict[str, Any]) -> "tuple[PastFinding, ...]":
    from experiments.files.summaries import import_summaries

    given = next((name for name in ASKED if options[name]), None)
    if given is not None:
        raise Refused("with --summaries each row of the file says this itself", at=OPTION[given])
    return import_summaries(options["file"])


def _imported(options: dict[str, Any]) -> "Imported":
    from experiments.files.analyze import design_of
    from experiments.files.import_experiment import beside_of, import_experiment, refuse_design, told_of

    missing = next((name for name in ASKED if not options[name]), None)
    if missing is not None:
        raise Refused("this option is needed, or --summaries for a file of one row an experiment", at=OPTION[missing])
    design = design_of(options)
    refuse_design(design)
    facts = told_of(
        name=options["name"],
        behaviour=options["behaviour_key"],
        times=options["times"],
        days=options["days"],
        outcome=options["outcome_spec"],
        first=options["first"],
        last=options["last"],
        promise=options["promised"],
    )
    beside = [beside_of(*other) for other in options["also"]]
    return import_experiment(options["file"], design, facts, beside=beside)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no date; write 2026-01-31") from None
