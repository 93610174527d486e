"""`forget_user`: erase all data that this site stores about persons."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from insight_site.privacy import erasure, erasure_requests
from insight_site.privacy.erasure_requests import receipt
from runs.refusals import Refused
from runs.terminal import refuse, write_json


class Command(BaseCommand):
    help = "Erase all stored data about persons, found by any of their ids, and print the receipt."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("ids", nargs="*", metavar="ID", help="user id")
        add("--file", type=Path, metavar="FILE", help="a text file with one id a line")
        add("--reference", default="", metavar="TEXT", help="of the request in another system; stays in the receipt")
        add("--dry-run", action="store_true", help="only count what would be erased")
        add("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ids = [*options["ids"], *_lines(options["file"])]
            if options["dry_run"]:
                document: dict[str, Any] = {"would_erase": erasure.count_places(erasure_requests.checked(ids))}
            else:
                row = erasure_requests.request_erasure(ids=ids, reference=options["reference"], later=False)
                done = erasure.perform_erasure(row.pk)
                document = receipt(done or row)
        except Refused as refusal:
            refuse(refusal)
        if options["json"]:
            write_json(self.stdout, document)
            return
        counts = document.get("would_erase", document.get("erased", {}))
        for name, count in counts.items():
            self.stdout.write(f"{name:<45} {count:>12,}")
        for note in document.get("notes", []):
            self.stdout.write(note)
        if "id" in document:
            self.stdout.write(_("Receipt {id}: done.").format(id=document["id"]))


def _lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--file: {path}: {error}", returncode=2) from error
