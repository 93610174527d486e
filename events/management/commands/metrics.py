"""`metrics`: the catalogue of metrics to a YAML file, or from YAML files that a team keeps in git."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.metric_catalogue import transfer
from events.metric_catalogue.transfer import MetricChange
from events.metric_catalogue.yaml_file import WrongFileError
from runs.refusals import Refused
from runs.terminal import fail, refuse


class Command(BaseCommand):
    help = "Write the catalogue of metrics as YAML, or read it back; --check only says what would change."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        export = verbs.add_parser("export", help="write all metrics")
        export.add_argument("file", metavar="FILE", nargs="?", default="-", help="where to; - for standard output")
        reading = verbs.add_parser("import", help="read metrics: all of them or, after a mistake, none")
        reading.add_argument("file", metavar="FILE", help="a YAML file, or a folder of them")
        reading.add_argument(
            "--check", action="store_true", help="write nothing; exit status 1 with what would change, 0 for nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["verb"] == "export":
                self._export(options["file"])
            else:
                self._import(Path(options["file"]), check=options["check"])
        except Refused as refusal:
            refuse(refusal)

    def _export(self, file: str) -> None:
        text = transfer.export_text()
        if file == "-":
            reconfigure = getattr(sys.stdout, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(encoding="utf-8")  # Korean names, whatever the terminal's encoding
            self.stdout.write(text, ending="")
            return
        try:
            Path(file).write_text(text, encoding="utf-8", newline="\n")
        except OSError as trouble:
            raise Refused("{file} can't be written: {why}.", file=file, why=trouble.strerror or trouble) from None

    def _import(self, place: Path, *, check: bool) -> None:
        try:
            entries = transfer.read_place(place)
        except WrongFileError as wrong:
            if len(wrong.mistakes) == 1:
                refuse(wrong.mistakes[0])
            for mistake in wrong.mistakes:
                self.stderr.write(str(mistake))
            refuse(Refused("{n} mistakes: nothing was changed.", n=len(wrong.mistakes)))
        found = transfer.changes(entries) if check else transfer.import_entries(entries, why=f"imported: {place.name}")
        for change in found:
            self.stdout.write(self._said(change))
        if not found:
            self.stdout.write(_("Nothing to change."))
        elif check:
            text = ngettext("{n} metric would change.", "{n} metrics would change.", len(found))
            fail(text.format(n=len(found)))

    @staticmethod
    def _said(change: MetricChange) -> str:
        if not change.fields:
            return _("{key}: new ({place})").format(key=change.key, place=change.place)
        fields = "; ".join(f"{name}: {before or '–'} → {after or '–'}" for name, before, after in change.fields)
        return f"{change.key}: {fields} ({change.place})"
