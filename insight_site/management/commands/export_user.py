"""`export_user`: export all data that this site stores about one person."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from insight_site.privacy.export import export_person, write_export
from runs.refusals import Refused
from runs.terminal import refuse


class Command(BaseCommand):
    help = "Export all stored data about one person, found by any of their ids."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="user id")
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a file that ends in .json or .zip")

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["out"]
        try:
            if target.suffix not in (".json", ".zip"):
                raise Refused("the file must end in .json or .zip", at="--out")
            document = export_person(options["id"])
            write_export(document, target)
        except Refused as refusal:
            refuse(refusal)
        except OSError as error:
            raise CommandError(f"--out: {target}: {error.strerror or error}", returncode=2) from error
        rows = sum(len(place["rows"]) for place in document["places"].values())
        self.stdout.write(_("{path}: {rows} rows.").format(path=target, rows=f"{rows:,}"))
