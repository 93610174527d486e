"""`power`: sample size, smallest detectable effect, duration. Options and JSON as in DESIGN.md §8."""

from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation
from django.utils.translation import gettext as _

from reporting.words import reason_words
from runs.terminal import add_language, write_json
from stats.power.family_and_looks import Method, Plan, inflation, require
from stats.power.sample_size import (
    Size,
    check_effect,
    days_needed,
    dilution_curve,
    power_at,
    power_no_material_effect,
    sample_size,
    smallest_effect,
)
from stats.results import NotComputable, Reason
from stats.sequential.boundaries import Spending

type Number = float | NotComputable


@dataclass(frozen=True)
class Answer:
    """What the command prints. ``per_variant`` is a list when the split is unequal.

    ``smallest_effect`` is the smallest that these units find, no margin; ``inflation`` is the price of looking early.
    """

    per_variant: int | list[int] | NotComputable
    total: int | NotComputable
    smallest_effect: Number
    power: Number
    days: Number
    level: float
    inflation: float
    power_no_material_effect: Number


class Command(BaseCommand):
    help = "How many units an experiment needs, how small an effect it can find, and how long it runs."
    # It only computes: a database that isn't there yet must not stop it.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--baseline", type=float, metavar="P", help="control's share, 0 to 1; with --sd control's mean")
        planned = "absolute effect that is planned for; with --take-up that of the behaviour"
        add("--effect", "--planned-effect", dest="effect", type=float, metavar="D", help=planned)
        margin = (
            "effect below which nobody would act: gives the power to conclude NO_MATERIAL_EFFECT when there is none"
        )
        add("--margin", type=float, metavar="M", help=margin)
        add("--per-variant", type=int, metavar="N", help="units per variant (with --split: their mean)")
        add("--alpha", type=float, default=0.05, help="two-sided error rate; default 0.05")
        add("--power", type=float, default=0.8, help="probability to find the effect; default 0.8")
        add("--variants", type=int, metavar="K", help="variants, control included; default 2")
        add("--primaries", type=int, default=1, metavar="M", help="primary outcomes, all judged; default 1")
        add("--take-up", type=float, default=1.0, metavar="T", help="share whom the nudge moves; default 1")
        explained = (
            "share of the outcome's variance that covariates known before explain, of an adjusted plan; default 0"
        )
        add("--r-squared", type=float, default=0.0, metavar="R2", help=explained)
        add("--daily-units", type=float, metavar="U", help="eligible units a day, for the duration")
        add("--window-end", type=int, metavar="B", help="last day of the outcome window, added to the duration")
        add("--sd", type=float, metavar="S", help="the outcome is a mean with this standard deviation")
        add("--split", type=float, nargs="+", metavar="W", help="planned split, control first; default equal")
        add("--method", choices=[str(method) for method in Method], default=str(Method.FIXED))
        looks = "number of looks of a sequential plan, or their rising shares of its units, the last 1; default 5"
        add("--looks", type=float, nargs="+", default=[5.0], metavar="L", help=looks)
        spending = "how the looks of a group sequential plan spend alpha; default obrien_fleming"
        add("--spending", choices=[str(one) for one in Spending], default=str(Spending.OBRIEN_FLEMING), help=spending)
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plan = _plan(options)
            answer = _answer(plan, options)
        except ValueError as error:
            raise CommandError(f"--{error}.", returncode=2) from error
        with translation.override(options["language"]):
            self._show(plan, answer, options)

    def _show(self, plan: Plan, answer: Answer, options: dict[str, Any]) -> None:
        if options["json"]:
            write_json(self.stdout, {name: _json(value) for name, value in vars(answer).items()})
            return
        effect = options["effect"]
        for name, value in _rows(plan, answer, margin=options["margin"] is not None):
            self.stdout.write(f"{name:<26} {value}")
        if effect is not None and plan.take_up < 1:
            self._write_curve(plan, effect, options)

    def _write_curve(self, plan: Plan, effect: float, options: dict[str, Any]) -> None:
        """The size at other take-ups, since the take-up is the guess that matters most."""
        self.stdout.write("")
        self.stdout.write(f"{_('take-up'):>8} {_('total'):>14} {_('days'):>8}")
        for take_up, size in dilution_curve(plan, effect):
            total = size if isinstance(size, NotComputable) else size.total
            self.stdout.write(f"{take_up:>8.2f} {_short(total):>14} {_short(_days(total, options)):>8}")


def _plan(options: dict[str, Any]) -> Plan:
    if options["baseline"] is None and options["sd"] is None:
        raise ValueError("baseline is needed: the share that control reaches, 0 to 1")
    variants, split = options["variants"], options["split"]
    if split is not None and variants not in (None, len(split)):
        raise ValueError(f"split gives {len(split)} shares, but --variants says {variants}")
    shares = tuple(split) if split is not None else (1.0,) * (2 if variants is None else variants)
    return Plan(
        baseline=options["baseline"] or 0.0,
        sd=options["sd"],
        alpha=options["alpha"],
        power=options["power"],
        shares=shares,
        take_up=options["take_up"],
        method=Method(options["method"]),
        looks=_looks(options["looks"]),
        primaries=options["primaries"],
        spending=Spending(options["spending"]),
        r_squared=options["r_squared"],
    )


def _looks(given: list[float]) -> int | tuple[float, ...]:
    """One whole number is how many; anything else is a list of shares."""
    if len(given) == 1 and given[0] == int(given[0]):
        return int(given[0])
    return tuple(given)


def _answer(plan: Plan, options: dict[str, Any]) -> Answer:
    effect, per_variant = options["effect"], options["per_variant"]
    if effect is not None:
        check_effect(plan, effect)
    require(options["margin"] is None or options["margin"] > 0, "margin must be a number above 0")
    _days(1, options)  # a wrong duration option is refused whatever the size
    if per_variant is None:
        if effect is None:
            raise ValueError("effect or --per-variant is needed")
        size = sample_size(plan, effect)
        if isinstance(size, NotComputable):
            return Answer(size, size, size, size, size, plan.level, inflation(plan), size)
        return _described(plan, size, effect, options)
    whole = sum(plan.shares)
    # No size is raised to the least one here: too few units are refused, not mended.
    units = tuple(round(per_variant * len(plan.shares) * share / whole) for share in plan.shares)
    smallest = smallest_effect(plan, units, downwards=effect is not None and effect < 0)
    power: Number = plan.power if isinstance(smallest, float) else smallest
    if effect is not None:
        power = power_at(plan, effect, units)
    return _whole(plan, units, smallest, power, options)


def _described(plan: Plan, size: Size, effect: float, options: dict[str, Any]) -> Answer:
    smallest = smallest_effect(plan, size.units, downwards=effect < 0)
    return _whole(plan, size.units, smallest, size.power, options)


def _whole(plan: Plan, units: tuple[int, ...], smallest: Number, power: Number, options: dict[str, Any]) -> Answer:
    immaterial: Number = NotComputable(Reason.NO_MARGIN)
    if options["margin"] is not None:
        immaterial = power_no_material_effect(plan, options["margin"], units)
    days = _days(sum(units), options)
    return Answer(_even(units), sum(units), smallest, power, days, plan.level, inflation(plan), immaterial)


def _days(total: int | NotComputable, options: dict[str, Any]) -> Number:
    if isinstance(total, NotComputable):
        return total
    if options["daily_units"] is None:
        if options["window_end"] is not None:
            raise ValueError("window-end needs --daily-units")
        return NotComputable(Reason.NO_DAILY_UNITS)
    return days_needed(total, options["daily_units"], window_end=options["window_end"])


def _even(units: tuple[int, ...]) -> int | list[int]:
    return units[0] if len(set(units)) == 1 else list(units)


def _json(value: object) -> object:
    return {"not_computable": reason_words(value)} if isinstance(value, NotComputable) else value


def _short(value: Number) -> str:
    return "–" if isinstance(value, NotComputable) else f"{value:,}"


def _rows(plan: Plan, answer: Answer, *, margin: bool) -> list[tuple[str, str]]:
    """The answer for people, with the formula by name: other calculators use other ones."""
    rows: list[tuple[str, object]] = [
        (_("per variant"), answer.per_variant),
        (_("total"), answer.total),
        (_("smallest effect"), answer.smallest_effect),
        (_("power"), answer.power),
        (_("days"), answer.days),
        (_("level of a comparison"), answer.level),
        (_("formula"), plan.formula),
    ]
    if plan.method is not Method.FIXED:
        rows.append((_("units times, for looks"), answer.inflation))
    if margin:
        rows.append((_("power: no material effect"), answer.power_no_material_effect))
    return [(name, _text(value)) for name, value in rows]


def _text(value: object) -> str:
    match value:
        case NotComputable():
            return reason_words(value)
        case list():
            return " / ".join(f"{one:,}" for one in value)
        case float():
            return f"{value:.4g}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
