"""`metrics`: the catalogue of metrics to a YAML file, or from YAML files that a team keeps in git."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.catalogue import save_metrics
from events.catalogue.save_metrics import MetricChange
from events.catalogue.yaml_file import WrongFileError
from runs.refusals import Refused
from runs.terminal import fail, refuse


class Command(BaseCommand):
    help = "Export the metric catalogue as YAML, or import it; with --check, only report what would change."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        export = verbs.add_parser("export", help="export all metrics")
        export.add_argument("file", metavar="FILE", nargs="?", default="-", help="output file; - for standard output")
        reading = verbs.add_parser("import", help="import metrics; if one of them is invalid, none is imported")
        reading.add_argument("file", metavar="FILE", help="YAML file, or folder of YAML files")
        reading.add_argument(
            "--check",
            action="store_true",
            help="change nothing; print what would change, with exit status 1, or exit with 0 if nothing would",
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
        text = save_metrics.export_text()
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
            entries = save_metrics.read_place(place)
        except WrongFileError as wrong:
            if len(wrong.mistakes) == 1:
                refuse(wrong.mistakes[0])
            for mistake in wrong.mistakes:
                self.stderr.write(str(mistake))
            refuse(Refused("{n} mistakes: nothing was changed.", n=len(wrong.mistakes)))
        changes = (
            save_metrics.changes(entries)
            if check
            else save_metrics.import_entries(entries, why=f"imported: {place.name}")
        )
        for change in changes:
            self.stdout.write(self._said(change))
        if not changes:
            self.stdout.write(_("Nothing to change."))
        elif check:
            text = ngettext("{n} metric would change.", "{n} metrics would change.", len(changes))
            fail(text.format(n=len(changes)))

    @staticmethod
    def _said(change: MetricChange) -> str:
        if not change.fields:
            return _("{key}: new ({place})").format(key=change.key, place=change.place)
        fields = "; ".join(f"{name}: {before or '–'} → {after or '–'}" for name, before, after in change.fields)
        return f"{change.key}: {fields} ({change.place})"
