"""`launch`: register a launch and read its curve from the command line. Programs read its JSON: never rename keys."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation
from django.utils.translation import gettext
from rich.markup import escape

from launches import readings
from launches.answers import USUAL_DAYS, Answers, Curve, Direction, Meets
from launches.judge import LAUNCH
from launches.models import Launch
from launches.report import document, lines
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.terminal import Bar, add_language, console, fail, refuse, write_json


class Command(BaseCommand):
    help = "What the curve of a launch suggests: never a verdict. A new NAME registers the answers, then reads them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("name", help="key of the launch; a new one needs --began, --decision and, mostly, --outcome")
        add("--title", default="", help="what was launched; default: NAME")
        add("--began", metavar="DATE", help="first day, 2026-01-31")
        add("--meets", choices=list(Meets), default=Meets.EVERYBODY, help="who met it; default everybody")
        add("--trait", default="", metavar="TRAIT", help="only users with this trait")
        add("--reached", nargs="+", default=[], metavar="V", help="its values for those who could meet it")
        add("--spared", nargs="+", default=[], metavar="V", help="its values for those who couldn't")
        add("--curve", choices=list(Curve), default=Curve.NEW_USERS, help="what is measured; default new_users")
        add("--outcome", default="", metavar="SPEC", help="for example window:1-7; of per_active_user a behaviour")
        add("--signup-event", default="", metavar="E", help="starts a user's clock; * takes the first of any kind")
        add("--better", choices=list(Direction), default=Direction.HIGHER, help="which way is better; default higher")
        add("--works-after", type=int, default=0, metavar="N", help="days until it should work; default 0")
        add("--days-after", type=int, default=USUAL_DAYS, metavar="N", help=f"days judged; default {USUAL_DAYS}")
        add("--decision", default="", help="what hangs on it")
        add("--took-part", default="", metavar="E", help="a behaviour of those who took part")
        add("--unmoved", default="", metavar="SPEC", help="an outcome that the launch can't move")
        add("--register-only", action="store_true", help="register the answers and read nothing")
        add("--withdraw", action="store_true", help="delete the launch, which nobody has read")
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["withdraw"]:
                _withdraw(options["name"])
                return
            launch = _launch(options)
            if options["register_only"]:
                self.stdout.write(launch.key)
                return
            reading = readings.create_reading(launch=launch)
        except Refused as refusal:
            option = {"key": "name", **{name: name.replace("_", "-") for name in options}}.get(refusal.at, refusal.at)
            refuse(Refused(refusal.message, at=option), options["language"])
        with Bar() as bar:
            readings.run_reading(reading.pk, listen=bar.show)
        reading.refresh_from_db()
        report = LAUNCH.of(reading)
        if report is None or isinstance(report, Unreadable):
            fail(reading.reason)
        with translation.override(options["language"]):
            if options["json"]:
                write_json(self.stdout, document(report))
                return
            out = console(self.stdout)
            for line in lines(report):
                out.print(escape(line))
            out.print(escape(gettext("Stored as reading {pk}.").format(pk=reading.pk)))


def _withdraw(name: str) -> None:
    launch = Launch.objects.filter(key=name).first()
    if launch is None:
        raise Refused("There is no launch “{key}”.", key=name, at="name")
    readings.withdraw(launch=launch)


def _launch(options: dict[str, Any]) -> Launch:
    """The registered launch of this name, or a new one of the options.

    Raises:
        Refused: it is there and answers are given anew, it isn't and --began is missing, or an answer is wrong.
    """
    known = Launch.objects.filter(key=options["name"]).first()
    if known is not None:
        if options["began"] or options["outcome"] or options["decision"]:
            raise Refused("“{key}” is registered, and its answers never change.", key=known.key, at="name")
        return known
    if not options["began"]:
        raise Refused("There is no launch “{key}”. A new one needs its first day.", key=options["name"], at="began")
    try:
        began = date.fromisoformat(options["began"])
    except ValueError:
        raise Refused("“{text}” is no date such as 2026-03-31.", text=options["began"][:40], at="began") from None
    same = ("trait", "outcome", "signup_event", "works_after", "days_after", "decision", "took_part", "unmoved")
    answers = Answers(
        title=options["title"] or options["name"],
        began=began,
        curve=Curve(options["curve"]),
        meets=Meets(options["meets"]),
        better=Direction(options["better"]),
        reached=tuple(options["reached"]),
        spared=tuple(options["spared"]),
        **{name: options[name] for name in same},
    )
    return readings.register(answers=answers, key=options["name"])
