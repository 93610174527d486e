"""`restore`: restore a backup into an empty site, or check whether it can be restored."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from insight_site.operate.restore import restore
from insight_site.operate.verify_backup import check
from runs.refusals import Refused
from runs.terminal import Bar, refuse, write_json


class Command(BaseCommand):
    help = "Restore a backup into an empty site whose web and worker are stopped; with --check, only verify the backup."
    requires_system_checks: list[str] = []  # for a database that has no tables yet

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the backup: a file, or s3://bucket/path/name.tar")
        parser.add_argument(
            "--check", action="store_true", help="read and load the whole backup without changing the site"
        )
        parser.add_argument(
            "--keep-store", action="store_true", help="keep the existing event store, which is newer than the backup's"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        place = options["file"]
        try:
            if options["check"]:
                backup = check(place)
                document = backup.as_json()
            else:
                with Bar() as bar:
                    restored = restore(place, keep_store=options["keep_store"], show=bar.show)
                backup, document = restored.backup, restored.as_json()
        except Refused as refusal:
            refuse(refusal)
        if options["json"]:
            write_json(self.stdout, document)
            return
        text = _("{place} is whole: {rows} rows and {events} stored events as of {made_at}, made by Insight {insight}.")
        self.stdout.write(text.format(**backup.as_json()))
        if not options["check"]:
            self.stdout.write(
                _("It is restored in {seconds} s; {waiting} events wait for the store.").format(
                    seconds=restored.seconds, waiting=restored.waiting
                )
            )
            if restored.known:
                self.stdout.write(
                    _("{known} events that waited in the backup were in the store already.").format(
                        known=restored.known
                    )
                )
        for warning in backup.warnings:
            self.stderr.write(warning)
