"""`static_demo`: write the demo's pages as files that need no server, in both languages."""

import logging
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext

from insight_site.demo import whose_site
from insight_site.demo.static_copy.write_copy import write_copy
from runs.refusals import Refused
from runs.terminal import refuse


class Command(BaseCommand):
    help = "Write the pages of a site that `demo` has filled as files: to look at without a server, or to put anywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="a new folder, or one that this command wrote")
        parser.add_argument(
            "--docs", default="", help="where the documentation lies, as seen from the folder, for example ../"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger().setLevel(logging.WARNING)  # no log line per page
        try:
            whose_site.check_demo()
            found = write_copy(options["folder"].absolute(), docs=options["docs"])
        except Refused as error:
            refuse(error)
        pages = ", ".join(f"{language} {number}" for language, number in found.pages.items())
        text = gettext("{folder}: pages {pages}; {files} files in all.")
        self.stdout.write(text.format(folder=options["folder"], pages=pages, files=found.files))
        if found.over:
            text = gettext("{n} pages were left out, because a copy holds no more.")
            self.stdout.write(text.format(n=found.over))
