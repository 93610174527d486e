"""`segment_units`: find play patterns from the command line."""

import json
from argparse import ArgumentParser
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from events.reasons import Refused
from reporting.document import load
from segments.inputs import Inputs
from segments.models import SegmentationRun
from segments.services.publishing import publish_run
from segments.services.segmentation import segment_now


class Command(BaseCommand):
    help = "Find groups of units by play pattern, say when there are none, and publish them if asked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--signup-event", required=True, metavar="E", help="starts a unit's clock; * takes any first"
        )
        parser.add_argument("--window", required=True, nargs=2, type=int, metavar=("A", "B"), help="days of play, 0 13")
        parser.add_argument(
            "--behaviours", nargs="+", default=[], metavar="E", help="what to count; default all events"
        )
        parser.add_argument("--clusters", type=int, metavar="K", help="number of groups; default: the data choose")
        parser.add_argument("--retention", metavar="SPEC", help="what the groups are compared by, after the window")
        parser.add_argument("--from", dest="first_date", metavar="DATE", help="first signup date of the cohort")
        parser.add_argument("--to", dest="last_date", metavar="DATE", help="last signup date")
        parser.add_argument("--day-mode", default="rolling", metavar="MODE", help="rolling (default) or calendar")
        parser.add_argument(
            "--activity-weight", type=float, default=0.0, metavar="W", help="weight of activity; default 0"
        )
        parser.add_argument("--publish", metavar="KEY", help="publish the groups under this key when there are any")
        parser.add_argument("--seed", type=int, default=1, metavar="S", help="same data, same seed, same groups")
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            inputs = Inputs(
                signup_event=options["signup_event"], first_day=options["window"][0], last_day=options["window"][1],
                retention=options["retention"], behaviours=tuple(options["behaviours"]), clusters=options["clusters"],
                day_mode=options["day_mode"], first_date=options["first_date"], last_date=options["last_date"],
                activity_weight=options["activity_weight"],
            )  # fmt: skip
            run = self._compute(inputs, options["seed"])
            if run.status != SegmentationRun.Status.DONE:
                raise Refused(run.reason)
            if options["publish"]:
                self._publish(run, options["publish"])
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=2) from None
        self._show(run, as_json=options["json"])

    def _compute(self, inputs: Inputs, seed: int) -> SegmentationRun:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            bar = bars.add_task("segment_units", total=1.0)
            return segment_now(
                inputs=inputs, seed=seed,
                listen=lambda stage, share: bars.update(bar, description=stage, completed=share),
            )  # fmt: skip

    def _publish(self, run: SegmentationRun, key: str) -> None:
        version = publish_run(run=run, key=key, name=key)
        self.stderr.write(
            _("Published %(version)s with %(units)d units.") % {"version": version, "units": version.units}
        )

    def _show(self, run: SegmentationRun, *, as_json: bool) -> None:
        from segments.document import document
        from segments.gaps import Shape
        from segments.report import Report
        from segments.words import feature_name

        report = load(Report, run.payload)
        if as_json:
            self.stdout.write(json.dumps(document(report, _), allow_nan=False, ensure_ascii=False))
            return
        out = Console(file=cast("IO[str]", self.stdout), highlight=False, width=None if self.stdout.isatty() else 160)
        found = document(report, _)
        text = _("%(k)d stable groups.") if report.found else _("No stable groups: use activity tiers. The best %(k)d:")
        if report.shape is Shape.STYLES:
            text = _("%(k)d styles of a continuum (corners, not groups).")
        out.print(text % {"k": report.k}, markup=False)
        # Names of behaviours may hold brackets, which Rich would read as its markup.
        table = Table()
        for heading in (_("group"), _("units"), _("retained"), _("stability"), _("stands out")):
            table.add_column(heading, overflow="fold")
        for row in found["clusters"]:
            kept = row["retention"]
            share = kept.get("not_computable") or f"{kept['estimate']:.1%} [{kept['low']:.1%}, {kept['high']:.1%}]"
            marks = ", ".join(
                f"{'+' if item['direction'] == 'more' else '-'}{feature_name(item['feature'], _)}"
                for item in row["stands_out"]
            )
            table.add_row(row["key"], f"{row['size']:,}", escape(share), f"{row['stability']:.2f}", escape(marks))
        out.print(table)
        out.print(_("The whole report: /segments/runs/%(pk)d") % {"pk": run.pk}, markup=False)
