"""`map`: the map of causes, of this site or of a file. Other programs read its JSON: never rename keys."""

from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand
from django.utils import translation
from rich.console import Console
from rich.markup import escape

from runs.refusals import Refused
from runs.terminal import add_language, console, print_table, refuse, write_json

if TYPE_CHECKING:
    from experiments.analyse.across.causes_map import CausesMap

OF_FILE = ("unit", "nudge", "behaviour", "outcome")


class Command(BaseCommand):
    help = "Map of causes: what several nudges together say of several behaviours."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--file", type=Path, help="a factorial experiment's file: CSV, TSV or Parquet; .gz is unpacked")
        add("--unit", metavar="COL", help="column of the user's id; one row a user")
        add(
            "--nudge",
            action="append",
            default=[],
            metavar="COL",
            help="repeatable; 0/1: the user got this nudge, which was drawn by itself",
        )
        add(
            "--behaviour",
            action="append",
            default=[],
            metavar="COL",
            help="repeatable; 0/1: the user did it; at most as many as nudges",
        )
        add("--outcome", metavar="COL", help="column: 0/1 is a share, other numbers are means; of a site a SPEC")
        add(
            "--behaviours",
            nargs="+",
            default=[],
            metavar="B",
            help="of a site: only these behaviours; default all that experiments or the latest study have",
        )
        add("--cluster", metavar="COL", help="group whose users aren't independent: cluster-robust errors")
        add(
            "--ratio",
            action="append",
            default=[],
            metavar="COL=SHARE",
            help="repeatable; planned share of users with a nudge, 0.3 for 30%%",
        )
        add("--alpha", type=float, default=0.05, help="false alarm rate of the whole map (default 0.05)")
        add("--margin", type=float, metavar="M", help="smallest effect of a behaviour that matters, absolute")
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override(options["language"]):
            try:
                found = _of_file(options) if options["file"] is not None else _of_site(options)
            except Refused as refusal:
                refuse(refusal, options["language"])
            if options["json"]:
                from experiments.report.causes_map import document

                write_json(self.stdout, document(found))
            else:
                _print(found, console(self.stdout))


def _of_file(options: dict[str, Any]) -> "CausesMap":
    from experiments.files.factorial import Factorial, map_file

    if options["behaviours"]:
        raise Refused("with --file each behaviour is a column: --behaviour COL", at="behaviours")
    for name in OF_FILE:
        if not options[name]:
            raise Refused("with --file this column must be named", at=name)
    return map_file(
        options["file"],
        Factorial(
            unit=options["unit"],
            nudges=tuple(options["nudge"]),
            behaviours=tuple(options["behaviour"]),
            outcome=options["outcome"],
            cluster=options["cluster"],
            shares=dict(_share(text) for text in options["ratio"]),
            alpha=options["alpha"],
            margin=options["margin"],
        ),
    )


def _of_site(options: dict[str, Any]) -> "CausesMap":
    from experiments.analyse.across.site_map import site_map

    for name in ("unit", "nudge", "behaviour", "cluster", "ratio"):
        if options[name]:
            raise Refused("this option belongs to a file: name it with --file", at=name)
    chosen = {name: options[name] for name in ("outcome", "behaviours", "margin", "alpha")}
    return site_map(**chosen)


def _share(text: str) -> tuple[str, float]:
    label, mark, share = text.rpartition("=")
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not mark or not 0 < value < 1:
        raise Refused("--ratio {given!r} must be COL=SHARE with a share between 0 and 1, as mail=0.3", given=text)
    return label, value


def _print(found: "CausesMap", out: Console) -> None:
    from experiments.report import causes_map

    out.print(escape(causes_map.agreement_sentence(found)))
    for remark in found.remarks:
        out.print(escape(causes_map.remark_sentence(remark)))
    for table in causes_map.tables(found):
        print_table(out, table.title, table.columns, table.rows, note=table.note)
