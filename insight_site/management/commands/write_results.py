"""`write_results`: write results as tables into the place of RESULTS_URL, as each night (docs/write_back.md)."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from insight_site.write_back import writing
from runs.refusals import Refused
from runs.terminal import refuse, write_json


class Command(BaseCommand):
    help = "Write verdicts, effects, memberships and the map of causes as tables into the place of RESULTS_URL."

    def add_arguments(self, parser: ArgumentParser) -> None:
        one = parser.add_mutually_exclusive_group()
        one.add_argument("--experiment", metavar="KEY", help="only verdict and effects of this experiment")
        one.add_argument("--segment-model", metavar="KEY", help="only the members of this segment model")
        one.add_argument("--map", action="store_true", help="only the map of causes")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["experiment"]:
                counts = writing.write_experiment(options["experiment"])
            elif options["segment_model"]:
                counts = writing.write_segments(options["segment_model"])
            else:
                counts = writing.write_map() if options["map"] else writing.write_all()
        except Refused as refusal:
            refuse(refusal)
        if options["json"]:
            write_json(self.stdout, counts)
            return
        for name, count in counts.items():
            self.stdout.write(f"{name:<20} {count:>12,}")
