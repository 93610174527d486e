"""`balance`: play an event's rules over past days, from the command line. Programs read its JSON: never rename keys."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation
from rich.markup import escape

from events.warehouse.session import questions
from launches.balance import report
from launches.balance.gather import gather, gather_event
from launches.balance.rules import Rules, read
from launches.balance.runs import with_threshold
from launches.balance.simulation import Found, Happened, balance, happened, threshold_for
from runs.refusals import Refused
from runs.terminal import add_language, console, print_table, refuse, write_json


class Command(BaseCommand):
    help = "Who reaches which step of an event, and what it costs, before it starts; --after: what came of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("file", metavar="FILE", help="the rules as JSON: title, first, days, rules, steps, segment, response, seed")
        add("--step", metavar="NAME", help="the step whose threshold is searched for; with --reach")
        add("--reach", type=float, metavar="SHARE", help="the share of users that is to reach it, 0.3 for 30 %%")
        add("--after", action="store_true", help="the event is over: hold the promise against what happened")
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        found: Found | None = None
        came: Happened | None = None
        place = 0
        try:
            rules = _rules(options["file"])
            place = _step(rules, options)
            with questions() as store:
                past = gather(store, rules)
                days = gather_event(store, rules) if options["after"] else None
            if options["reach"] is not None:
                found = threshold_for(past, rules, options["reach"])
                rules = with_threshold(rules, place, found)
            made = balance(past, rules)
            if days is not None:
                came = happened(*days, made)
        except Refused as refusal:
            refuse(refusal, options["language"])
        with translation.override(options["language"]):
            if options["json"]:
                write_json(self.stdout, report.document(made, came, found))
                return
            out = console(self.stdout)
            for line in (report.headline(made), report.response_words(rules), report.how(made)):
                out.print(escape(line))
            if found is not None:
                out.print(escape(report.found_words(rules, place, options["reach"], found)))
            shown = [report.steps_table(made), report.groups_table(made), report.sensitivity_table(made)]
            shown += [] if came is None else [report.happened_table(made, came)]
            for table in filter(None, shown):
                print_table(out, table.title, table.columns, table.rows, note=table.note)


def _rules(name: str) -> Rules:
    """The rules of a file.

    Raises:
        Refused: it can't be read, is no JSON, or a row is wrong.
    """
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise Refused("{path} can't be read ({reason}).", path=name, reason=why) from None
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused("{path} is no JSON: line {line}.", path=name, line=error.lineno) from None
    return read(document)


def _step(rules: Rules, options: dict[str, Any]) -> int:
    """The place of the named step.

    Raises:
        Refused: one of the two options is missing or wrong.
    """
    reach, name = options["reach"], options["step"]
    if reach is None and name is None:
        return 0
    if reach is None or not 0 < reach < 1:
        raise Refused("A share between 0 and 1, such as 0.3.", at="reach")
    names = [step.name for step in rules.steps]
    if name not in names:
        raise Refused(
            "There is no step “{name}”; there are {names}.", name=name or "", names=", ".join(names), at="step"
        )
    return names.index(name)
