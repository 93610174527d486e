"""`retain`: delete events and traits older than the retention periods of their sources and the site, as each night."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from events import data_retention
from runs.refusals import Refused
from runs.terminal import refuse, write_json


class Command(BaseCommand):
    help = "Delete events and traits past their retention period, as the nightly task does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count what would be deleted")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        limits = data_retention.limits_now()
        try:
            counts: dict[str, Any] = dict(data_retention.retain(dry_run=options["dry_run"]))
        except Refused as refusal:
            refuse(refusal)
        holds = [
            {"plan": hold.name, "needs_from": str(hold.since or ""), "until": str(hold.until or "")}
            for hold in limits.holds
        ]
        if options["json"]:
            write_json(self.stdout, {**counts, "held_back_by": holds})
            return
        for name, count in counts.items():
            self.stdout.write(f"{name:<10} {count:>12,}")
        for hold in holds:
            self.stdout.write(f"{hold['plan']}: {hold['needs_from'] or '*'} – {hold['until'] or '?'}")
