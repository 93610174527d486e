"""`growth`: forecast active users from the command line. Programs read its JSON: never rename keys."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation
from django.utils.translation import gettext
from rich.markup import escape

from launches.growth import forecasts
from launches.growth.model import GROWTH
from launches.growth.report import document, lines, tables
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.terminal import Bar, add_language, console, fail, print_table, refuse, write_json
from stats.growth_chain import YEAR


class Command(BaseCommand):
    help = "How many users will be active in the weeks to come, what moves it, and how well the past was forecast."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--weeks", type=int, default=YEAR, metavar="N", help=f"weeks ahead, 1 to 104; default {YEAR}")
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run = forecasts.create_forecast(weeks=options["weeks"])
        except Refused as refusal:
            refuse(refusal, options["language"])
        with Bar() as bar:
            forecasts.run_forecast(run.pk, listen=bar.show)
        run.refresh_from_db()
        report = GROWTH.of(run)
        if report is None or isinstance(report, Unreadable):
            fail(run.reason)
        with translation.override(options["language"]):
            if options["json"]:
                write_json(self.stdout, document(report))
                return
            out = console(self.stdout)
            for line in lines(report):
                out.print(escape(line))
            for table in tables(report):
                print_table(out, table.title, table.columns, table.rows, note=table.note)
            out.print(escape(gettext("Stored as forecast {pk}.").format(pk=run.pk)))
