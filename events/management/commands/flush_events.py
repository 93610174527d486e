"""Move accepted events from the outbox to the event store now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from events.importing.numbering import number_and_maintain
from events.outbox import flush
from runs.refusals import Refused
from runs.terminal import refuse, write_json


class Command(BaseCommand):
    help = "Move accepted events from the outbox to the event store now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--maintain", action="store_true", help="also compact, vacuum and drop old message ids")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result: dict[str, int] = {"moved": flush.flush_events()}
            if options["maintain"]:
                result |= number_and_maintain()
        except Refused as refusal:
            refuse(refusal)
        if options["json"]:
            write_json(self.stdout, result)
        else:
            self.stdout.write(", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in result.items()))
