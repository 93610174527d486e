"""`static_demo`: write the demo's pages as files that need no server, in both languages."""

import logging
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext

from insight_site.demo import whose_site
from insight_site.demo.static_pages import write_copy
from runs.refusals import Refused
from runs.terminal import refuse


class Command(BaseCommand):
    help = "Export the pages of a site filled by `demo` as static files, for viewing without a server."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="a new folder, or one that this command wrote")
        parser.add_argument(
            "--docs", default="", help="path of the documentation relative to the folder, for example ../"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger().setLevel(logging.WARNING)  # no log line per page
        try:
            whose_site.check_demo()
            copy = write_copy(options["folder"].absolute(), docs=options["docs"])
        except Refused as error:
            refuse(error)
        pages = ", ".join(f"{language} {number}" for language, number in copy.pages.items())
        text = gettext("{folder}: pages {pages}; {files} files in all.")
        self.stdout.write(text.format(folder=options["folder"], pages=pages, files=copy.files))
        if copy.over:
            text = gettext("{n} pages were left out, because a copy holds no more.")
            self.stdout.write(text.format(n=copy.over))
