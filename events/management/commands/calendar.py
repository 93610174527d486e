"""`calendar`: what happened, as JSON, or entries from a CSV file."""

from argparse import ArgumentTypeError
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from events.calendar import entries
from events.calendar.happened import ALWAYS, happened
from runs.refusals import Refused
from runs.terminal import console, print_table, refuse, write_json


class Command(BaseCommand):
    help = "List what happened (releases, campaigns, events, outages, experiments, rollouts), or import it from a file."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="what happened, newest first")
        listing.add_argument("--since", type=_day, default=ALWAYS[0], metavar="DATE", help="first date")
        listing.add_argument("--until", type=_day, default=ALWAYS[1], metavar="DATE", help="last date")
        listing.add_argument("--json", action="store_true", help="print JSON")
        reading = verbs.add_parser("import", help="import entries; if one of them is invalid, none is imported")
        reading.add_argument("file", metavar="FILE", help="CSV file with the columns " + ", ".join(entries.COLUMNS))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["verb"] == "list":
                self._list(options)
            else:
                self._import(Path(options["file"]))
        except Refused as refusal:
            refuse(refusal)

    def _list(self, options: dict[str, Any]) -> None:
        found = happened(options["since"], options["until"])
        if options["json"]:
            write_json(self.stdout, [one.document() for one in found])
            return
        rows = [(f"{one.starts}", f"{one.ends or ''}", str(one.kind_words), one.title, one.owner) for one in found]
        columns = (_("first day"), _("last day"), _("kind"), _("title"), _("owner"))
        print_table(console(self.stdout), _("What happened"), columns, rows)

    def _import(self, file: Path) -> None:
        try:
            content = file.read_bytes()
        except OSError as trouble:
            raise Refused("{file} can't be read: {why}.", file=file, why=trouble.strerror or trouble) from None
        new, known = entries.import_all(entries=entries.read_csv(content), by=None)
        self.stdout.write(_("{new} new, {known} known.").format(new=new, known=known))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no date; write 2026-01-31") from None
