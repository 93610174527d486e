"""`selftest`: plant effects into a copy of this site's log, and report what Insight finds. The run is stored."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation
from django.utils.translation import gettext
from rich.console import Console
from rich.markup import escape

from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.terminal import Bar, add_language, console, fail, print_table, refuse, write_json

# Options that are fields of `Asked`.
FIELDS = ("signup_event", "retention", "days", "behaviours", "behaviour", "plants", "effect", "take_up", "most_users")


class Command(BaseCommand):
    help = (
        "Plant effects of known size into a copy of the log, and count what Insight finds, misses and falsely claims. "
        "The store is read and never written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--plants", type=int, metavar="N", help="copies of each kind; default 20")
        add("--seed", type=int, default=1, metavar="S", help="same data, same seed, same answer; default 1")
        add(
            "--signup-event", metavar="E", help="starts a user's clock; * takes the first of any kind; default: a guess"
        )
        add("--retention", metavar="SPEC", help="for example window:14-20; default: what fits the log's length")
        add("--days", nargs="+", type=int, metavar="Y", help="windows of behaviour; default 1 to 7")
        add(
            "--behaviours",
            nargs="+",
            metavar="E",
            help="what is counted: EVENT, EVENT[prop=value] or EVENT#prop; or all",
        )
        add("--behaviour", metavar="E", help="that gets the effect; default: one that a quarter of the users do")
        add("--effect", type=float, metavar="SHARE", help="planted, on the share retained; default 0.1 = 10 points")
        add("--take-up", type=float, metavar="SHARE", help="of nudged users who follow the nudge; default 0.4")
        add("--users", dest="most_users", type=int, metavar="N", help="above it a sample is taken; default 20000")
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        from insight_site.selftest import self_tests
        from insight_site.selftest.selftest_result import SELF_TEST

        try:
            question = self_tests.usual_question(**{name: options[name] for name in FIELDS})
            run = self_tests.create_self_test(asked=question, seed=options["seed"])
        except Refused as refusal:
            refuse(refusal, options["language"])
        with Bar() as bar:
            self_tests.run_self_test(run.pk, listen=bar.show)
        run.refresh_from_db()
        report = None if run.payload is None else SELF_TEST.read(run.payload)
        if report is None or isinstance(report, Unreadable):
            fail(run.reason)
        with translation.override(options["language"]):
            if options["json"]:
                from insight_site.selftest.selftest_page import document

                write_json(self.stdout, document(report))
            else:
                _print(report, console(self.stdout))
                self.stdout.write(gettext("Stored as self-test {pk}.").format(pk=run.pk))


def _print(report: Any, out: Console) -> None:
    from insight_site.selftest.selftest_page import shown

    page = shown(report)
    out.print(escape(page["headline"]), style="bold")
    for line in (*page["asked"], *page["check"]):
        out.print(escape(line))
    for table in filter(None, (page["found"], page["alarms"], page["metrics"])):
        print_table(out, table.title, table.columns, table.rows, note=table.note)
    if page["launches"]:
        out.print(escape(page["launches"]))
    if page["shortfalls"]:
        out.print(escape(gettext("What these data can't show, and why")), style="bold")
    for line in page["shortfalls"]:
        out.print(escape(f"- {line}"))
