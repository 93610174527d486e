"""`demo`: the whole loop in a simulated world, through the real endpoints; then truth against estimates."""

import logging
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.utils import translation
from django.utils.translation import gettext
from rich.markup import escape
from rich.table import Table as RichTable

from aha.report import past
from events.simulation.generate import check_request
from experiments.report.verdict import verdict_sentence
from insight_site.demo import loop, texts, whose_site
from insight_site.demo.summary import Findings
from insight_site.demo.team import review
from runs.refusals import Refused
from runs.terminal import console, fail, refuse, write_json

UNITS = 16_000
SEED = 1


class Command(BaseCommand):
    help = (
        "Fill an empty site with made-up users, find their AHA moment, test it by an experiment, and print truth "
        "against found. Everything goes through the site's own doors."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--units", type=int, default=UNITS, help=f"users of the experiment ({UNITS:,})")
        parser.add_argument("--seed", type=int, default=SEED, help=f"same seed, same world and draw ({SEED})")
        parser.add_argument("--fresh", action="store_true", help="remove what an earlier demo left on this site first")
        parser.add_argument(
            "--with-users",
            action="store_true",
            help="make demo-pm, demo-lead and demo-analyst and print their new passwords once; with DEBUG always",
        )
        parser.add_argument(
            "--language",
            choices=[code for code, _name in settings.LANGUAGES],
            default=settings.LANGUAGE_CODE.split("-")[0],
            help="what plans, hypotheses and events are named in (that of LANGUAGE_CODE)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        _silence()
        try:
            _check(options["units"], options["seed"])
            whose_site.prepare(fresh=options["fresh"])
        except Refused as error:
            refuse(error)
        try:
            with translation.override(options["language"]):
                made = loop.run(units=options["units"], seed=options["seed"], write=self.stderr.write)
            if options["language"] == "ko":
                texts.name_events()
            findings = Findings(made)
            findings.write_files()
            if not options["json"]:  # for a program; whoever opens a page then has its charts drawn
                findings.draw_pictures()
        except Refused as error:  # a step failed
            fail(str(error))
        if options["json"]:
            write_json(self.stdout, findings.document())
        else:
            self._print(findings)
        self._tell(findings, with_users=options["with_users"] or settings.DEBUG, language=options["language"])

    def _print(self, findings: Findings) -> None:
        out = console(self.stdout)
        table = RichTable(title=gettext("Truth against found"), title_justify="left")
        for heading in (
            gettext("quantity"),
            gettext("truth"),
            gettext("found"),
            gettext("interval or set (level 0.95)"),
        ):
            table.add_column(heading, overflow="fold")
        for row in findings.rows():
            table.add_row(*(escape(cell) for cell in row))
        out.print(table)
        verdict = findings.report.verdict
        out.print(f"{verdict.code}: {verdict_sentence(verdict)}", markup=False)
        for line in past.sentences(findings.past):
            out.print(line, markup=False)
        out.print(gettext("Open, after `make serve`:"), markup=False)
        for page in findings.pages():
            out.print(f"  {page}", markup=False, soft_wrap=True)

    def _tell(self, findings: Findings, *, with_users: bool, language: str) -> None:
        """Print further notes for the person on standard error."""
        began = findings.made.experiment.started_at
        text = gettext(
            "The users are made up and lived in the past, so the experiments' dates were set back to them: the first "
            "one began on {day}. Nothing else was written past the services."
        )
        self.stderr.write(text.format(day=f"{began:%Y-%m-%d}"))
        for note in findings.made.notes:
            self.stderr.write(note)
        if not with_users:
            self.stderr.write(
                gettext("No users were made: `manage.py createsuperuser` makes one, or run this with --with-users.")
            )
            return
        for name, password in whose_site.make_users().items():
            self.stderr.write(
                gettext("User {name}, password {password} (shown only now)").format(name=name, password=password)
            )
        if findings.made.draft is not None:
            pm, lead = (User.objects.get(username=name) for name in (whose_site.PM, whose_site.LEAD))
            with translation.override(language):
                review(findings.made.draft, asks=pm, approves=lead)


def _check(units: int, seed: int) -> None:
    try:
        check_request(units, seed)
    except ValueError as error:
        raise Refused(f"--{error}") from None


def _silence() -> None:
    """Silence logging, since the steps are the log."""
    logging.getLogger().setLevel(logging.WARNING)
