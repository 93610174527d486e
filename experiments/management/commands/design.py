"""`design`: which test of a behaviour decides fastest. Options and JSON: docs/methods/power.md."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import translation
from django.utils.translation import gettext as _
from rich.markup import escape

from experiments.plan.design_search import Given, Searched, search_by_name
from experiments.report import planning
from runs.refusals import Refused
from runs.terminal import add_language, console, print_table, refuse, write_json


class Command(BaseCommand):
    help = "Compare test designs by duration: nudge or feature, audience, placebo, covariate adjustment, interim looks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("name", help="key of an experiment or of an AHA moment, or a behaviour")
        add("--times", type=int, metavar="Z", help="of a behaviour: at least so many times")
        add("--days", type=int, metavar="Y", help="of a behaviour: within so many days")
        add("--outcome", metavar="SPEC", help="of a behaviour: the outcome, for example window:21-27")
        add("--signup-event", metavar="E", help="what starts a user's clock; default the moment's, or any event")
        add("--effect", type=float, metavar="D", help="effect of the behaviour that is planned for, absolute")
        take_up = "share whom the nudge moves: T for everyone, SEGMENT=T for one; default those of past experiments"
        add("--take-up", nargs="+", default=[], metavar="T", help=take_up)
        add(
            "--r-squared", type=float, metavar="R", help="share of variance that covariates explain; default the plan's"
        )
        add("--daily-units", type=float, metavar="U", help="users a day; default those of the last four weeks")
        add("--alpha", type=float, help="two-sided error rate; default the plan's, or 0.05")
        add("--power", type=float, help="chance with which a design must decide; default the plan's, or 0.8")
        add("--deadline", type=int, default=60, metavar="DAYS", help="for the smallest effects; default 60")
        exposure = "share of users on whom the feature acts when they have it; default 1"
        add("--feature-exposure", type=float, default=1.0, metavar="S", help=exposure)
        add("--no-segments", action="store_true", help="everyone alone")
        add("--top", type=int, default=20, metavar="N", help="designs in the table; JSON has all; default 20")
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override(options["language"]):
            try:
                search = search_by_name(options["name"], _given(options))
            except Refused as refusal:
                refuse(refusal)
            if options["json"]:
                write_json(self.stdout, _document(search))
                return
            out = console(self.stdout)
            out.print(escape(planning.lead(search.inputs, search.result)))
            if search.parting is not None:
                said = planning.parting_sentence(search.parting, share=planning.is_share(search.inputs))
                out.print(escape(said))
            ranked = planning.ranked_tables(search.result, most=options["top"])
            for table in (*ranked, planning.refused_table(search.result)):
                if table.rows:
                    print_table(out, table.title, table.columns, table.rows, note=table.note)


def _document(search: Searched) -> Any:
    return planning.search_document(asdict(search.subject), search.inputs, search.result, search.parting)


def _given(options: dict[str, Any]) -> Given:
    return Given(
        effect=options["effect"],
        take_ups=tuple(_take_up(text) for text in options["take_up"]),
        r_squared=options["r_squared"],
        daily_units=options["daily_units"],
        alpha=options["alpha"],
        power=options["power"],
        deadline=options["deadline"],
        exposure=options["feature_exposure"],
        times=options["times"],
        days=options["days"],
        outcome=options["outcome"],
        signup_event=options["signup_event"],
        segments=not options["no_segments"],
    )


def _take_up(text: str) -> tuple[str, float]:
    segment, _equal, share = text.rpartition("=")
    try:
        return segment, float(share)
    except ValueError:
        raise CommandError(
            _("--take-up: '{text}' is neither a share nor SEGMENT=share.").format(text=text), returncode=2
        ) from None
