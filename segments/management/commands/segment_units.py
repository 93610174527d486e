"""`segment_units`: find play patterns from the command line."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation
from django.utils.translation import gettext as _

from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.terminal import Bar, add_language, console, fail, print_table, refuse, write_json
from segments.models import SegmentationRun
from segments.published.publish import publish_run
from segments.search.question import Inputs
from segments.search.segmentations import segment_now


class Command(BaseCommand):
    help = "Find groups of units by play pattern and, with --publish, publish them; reports when there are none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--signup-event",
            required=True,
            metavar="E",
            help="event that starts a unit's clock; * for the first event of any kind",
        )
        parser.add_argument("--window", required=True, nargs=2, type=int, metavar=("A", "B"), help="days of play, 0 13")
        parser.add_argument(
            "--behaviours", nargs="+", default=[], metavar="E", help="behaviours to count; default all events"
        )
        parser.add_argument("--clusters", type=int, metavar="K", help="number of groups; default: chosen from the data")
        parser.add_argument(
            "--retention", metavar="SPEC", help="retention by which the groups are compared, after the window"
        )
        parser.add_argument("--from", dest="first_date", metavar="DATE", help="first signup date of the cohort")
        parser.add_argument("--to", dest="last_date", metavar="DATE", help="last signup date")
        parser.add_argument("--day-mode", default="rolling", metavar="MODE", help="rolling (default) or calendar")
        parser.add_argument(
            "--activity-weight", type=float, default=0.0, metavar="W", help="weight of total activity; default 0"
        )
        parser.add_argument("--publish", metavar="KEY", help="publish the groups, if any are found, under this key")
        parser.add_argument(
            "--seed", type=int, default=1, metavar="S", help="random seed; the same data and seed give the same groups"
        )
        add_language(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            inputs = Inputs(
                signup_event=options["signup_event"],
                first_day=options["window"][0],
                last_day=options["window"][1],
                retention=options["retention"],
                behaviours=tuple(options["behaviours"]),
                clusters=options["clusters"],
                day_mode=options["day_mode"],
                first_date=options["first_date"],
                last_date=options["last_date"],
                activity_weight=options["activity_weight"],
            )
            with Bar() as bar:
                run = segment_now(inputs=inputs, seed=options["seed"], listen=bar.show)
            if run.status != SegmentationRun.Status.DONE:
                fail(run.reason)
            if options["publish"]:
                self._publish(run, options["publish"])
        except Refused as refusal:
            refuse(refusal, options["language"])
        with translation.override(options["language"]):
            self._show(run, as_json=options["json"])

    def _publish(self, run: SegmentationRun, key: str) -> None:
        version = publish_run(run=run, key=key, name=key)
        self.stderr.write(
            _("Published %(version)s with %(units)d users.") % {"version": version, "units": version.units}
        )

    def _show(self, run: SegmentationRun, *, as_json: bool) -> None:
        from segments.names import feature_name
        from segments.report.document import document
        from segments.search.gaps import Shape
        from segments.search.result import SEGMENTATION

        report = SEGMENTATION.read(run.payload or {})
        if isinstance(report, Unreadable):
            fail(report.sentence())
        if as_json:
            write_json(self.stdout, document(report))
            return
        out = console(self.stdout)
        payload = document(report)
        text = _("%(k)d stable groups.") if report.found else _("No stable groups: use activity tiers. The best %(k)d:")
        if report.shape is Shape.STYLES:
            text = _("%(k)d styles of play (no separate groups).")
        out.print(text % {"k": report.k}, markup=False)
        rows = []
        for row in payload["clusters"]:
            rate = row["retention"]
            share = rate.get("not_computable") or f"{rate['estimate']:.1%} [{rate['low']:.1%}, {rate['high']:.1%}]"
            marks = ", ".join(
                f"{'+' if item['direction'] == 'more' else '-'}{feature_name(item['feature'])}"
                for item in row["stands_out"]
            )
            rows.append((row["key"], f"{row['size']:,}", share, f"{row['stability']:.2f}", marks))
        print_table(out, "", (_("group"), _("users"), _("retained"), _("stability"), _("stands out")), rows)
        out.print(_("The whole report: /segments/runs/%(pk)d/") % {"pk": run.pk}, markup=False)
