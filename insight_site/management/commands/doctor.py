"""`doctor`: diagnose this site, and say how to fix what is wrong."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from insight_site.operate import component_health, doctor
from runs.terminal import write_json

MARKS = {doctor.OK: "✓", doctor.LOOK: "!", doctor.WRONG: "✗"}


class Command(BaseCommand):
    help = "Check this site and print each problem with its fix; exit status 1 if there is one."
    requires_system_checks: list[str] = []  # it runs the system checks itself, with advice

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run every check again."""
        component_health.forget_readiness()
        component_health.forget()
        findings = doctor.examine()
        if options["json"]:
            write_json(self.stdout, {"findings": [finding.as_json() for finding in findings]})
        else:
            for finding in findings:
                self.stdout.write(f"{MARKS[finding.state]} {finding.name}: {finding.text}".rstrip(": "))
                if finding.mend:
                    self.stdout.write(f"    → {finding.mend}")
        if any(finding.state == doctor.WRONG for finding in findings):
            raise SystemExit(1)
