"""`assign`: the variants of units, one JSON line each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from experiments.serve import assign
from runs.refusals import Refused
from runs.terminal import refuse, write_json


class Command(BaseCommand):
    help = "Assigns units to a started experiment and prints one JSON line for each. It never logs an exposure."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("experiment_key", metavar="EXPERIMENT_KEY")
        given = parser.add_mutually_exclusive_group(required=True)
        given.add_argument("--unit", nargs="+", metavar="ID", help="ids of units")
        given.add_argument("--file", metavar="FILE", help="a text file with one id a line, in UTF-8")
        clusters = "where clusters are drawn: each line of the file is an id, a tab and the id of its cluster"
        parser.add_argument("--with-cluster", action="store_true", help=clusters)
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        units = options["unit"] if options["file"] is None else list(_lines(Path(options["file"])))
        clusters: dict[str, str] = {}
        if options["with_cluster"]:
            if options["file"] is None:
                raise CommandError("--with-cluster needs --file.", returncode=2)
            pairs = [line.rpartition("\t") for line in units]
            if bare := next((place for place, pair in enumerate(pairs, start=1) if not pair[0] or not pair[2]), None):
                raise CommandError(f"--file: line {bare} has no tab with an id on both sides.", returncode=2)
            units, clusters = [pair[0] for pair in pairs], {pair[0]: pair[2] for pair in pairs}
        try:
            # All ids are checked before the first is assigned: an invalid one must not leave a partial result.
            assign.check_units(units)
            answers = assign.assign_units(experiment_key=options["experiment_key"], units=units, clusters=clusters)
            lines = ({"unit": unit, **answer.document()} for unit, answer in answers)
            if options["json"]:
                write_json(self.stdout, list(lines))
                return
            for line in lines:
                write_json(self.stdout, line)
        except Refused as refusal:
            refuse(refusal)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                if unit := line.rstrip("\r\n"):
                    yield unit
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"--file: {path} can't be read ({reason}).", returncode=2) from None
