"""`doctor`: diagnose this site, and say how to fix what is wrong."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from insight_site.operation import doctor, readiness, signs
from runs.terminal import write_json

MARKS = {doctor.OK: "✓", doctor.LOOK: "!", doctor.WRONG: "✗"}


class Command(BaseCommand):
    help = "Say what is wrong with this site, and how to mend it; exit code 1 when something is."
    requires_system_checks: list[str] = []  # it runs the system checks itself, with advice

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run every check again."""
        readiness.forget()
        signs.forget()
        found = doctor.examine()
        if options["json"]:
            write_json(self.stdout, {"findings": [one.as_json() for one in found]})
        else:
            for one in found:
                self.stdout.write(f"{MARKS[one.state]} {one.name}: {one.text}".rstrip(": "))
                if one.mend:
                    self.stdout.write(f"    → {one.mend}")
        if any(one.state == doctor.WRONG for one in found):
            raise SystemExit(1)
