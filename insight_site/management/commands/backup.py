"""`backup`: write the whole site to one file while it runs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from insight_site.operate.backup import back_up, back_up_and_keep
from runs.refusals import Refused
from runs.terminal import Bar, refuse, write_json


class Command(BaseCommand):
    help = "Back up database, event store, uploads and settings without secrets into one file, while the site works."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file",
            nargs="?",
            metavar="FILE",
            help="a new file, a folder, or s3://bucket/path; by default BACKUP_DIR, where BACKUP_KEEP stay",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with Bar() as bar:
                done = back_up(options["file"], bar.show) if options["file"] else back_up_and_keep(bar.show)
        except Refused as refusal:
            refuse(refusal)
        if options["json"]:
            write_json(self.stdout, done.as_json())
            return
        self.stdout.write(
            _("{place}: {rows} rows and {events} stored events as of {made_at}, {megabytes} MB in {seconds} s.").format(
                **done.as_json(), megabytes=f"{done.bytes / 1e6:,.1f}"
            )
        )
        self.stdout.write(
            _("A restore also needs these settings, which the file doesn't hold: {names}.").format(
                names=", ".join(done.secrets)
            )
        )
