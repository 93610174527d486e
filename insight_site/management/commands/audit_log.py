"""`audit_log`: export the audit log for another system to store."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from insight_site.access import audit
from insight_site.models import AuditEntry
from runs.refusals import Refused
from runs.site_zone import site_zone
from runs.terminal import refuse


class Command(BaseCommand):
    help = "Print the log of what people, keys and commands changed, the oldest first: CSV, or a JSON object a line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", default="", help="from this moment on: 2026-01-31 or 2026-01-31T12:00:00+00:00")
        parser.add_argument("--json", action="store_true", help="a JSON object a line instead of CSV")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = AuditEntry.objects.order_by("at", "id")
        try:
            rows = rows.filter(at__gte=_moment(options["since"])) if options["since"] else rows
        except Refused as refusal:
            refuse(refusal)
        lines = audit.json_lines if options["json"] else audit.as_csv
        for line in lines(rows.iterator(2_000)):
            self.stdout.write(line, ending="")


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text if "T" in text else f"{text}T00:00:00")
    except ValueError:
        moment = None
    if moment is None:
        raise Refused("“{text}” is no moment; write 2026-01-31 or 2026-01-31T12:00:00+00:00.", text=text)
    return moment if moment.tzinfo else timezone.make_aware(moment, ZoneInfo(site_zone()))
