"""`power`: sample size, smallest detectable effect, duration. Options and JSON as in DESIGN.md §8."""

import json
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from events.reasons import NotComputable, Reason, words
from experiments.stats.power import (
    Method,
    Plan,
    Size,
    check_effect,
    days_needed,
    dilution_curve,
    power_at,
    sample_size,
    smallest_effect,
)

type Number = float | NotComputable


@dataclass(frozen=True)
class Answer:
    """What the command prints. ``per_variant`` is a list when the split is unequal."""

    per_variant: int | list[int] | NotComputable
    total: int | NotComputable
    smallest_effect: Number
    power: Number
    days: Number


class Command(BaseCommand):
    help = "How many units an experiment needs, how small an effect it can find, and how long it runs."
    # It only computes: a database that isn't there yet must not stop it.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--baseline", type=float, metavar="P", help="control's share, 0 to 1; with --sd control's mean")
        add("--effect", type=float, metavar="D", help="absolute effect; with --take-up that of the behaviour")
        add("--per-variant", type=int, metavar="N", help="units per variant (with --split: their mean)")
        add("--alpha", type=float, default=0.05, help="two-sided error rate; default 0.05")
        add("--power", type=float, default=0.8, help="probability to find the effect; default 0.8")
        add("--variants", type=int, metavar="K", help="variants, control included; default 2")
        add("--take-up", type=float, default=1.0, metavar="T", help="share whom the nudge moves; default 1")
        add("--daily-units", type=float, metavar="U", help="eligible units a day, for the duration")
        add("--window-end", type=int, metavar="B", help="last day of the outcome window, added to the duration")
        add("--sd", type=float, metavar="S", help="the outcome is a mean with this standard deviation")
        add("--split", type=float, nargs="+", metavar="W", help="planned split, control first; default equal")
        add("--method", choices=[str(method) for method in Method], default=str(Method.FIXED))
        add("--looks", type=int, default=5, metavar="L", help="looks of a sequential plan; default 5")
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        effect = options["effect"]
        try:
            plan = _plan(options)
            answer = _answer(plan, options)
        except ValueError as error:
            raise CommandError(f"--{error}.", returncode=2) from error
        if options["json"]:
            document = {name: _json(value) for name, value in vars(answer).items()}
            self.stdout.write(json.dumps(document, allow_nan=False))
            return
        for name, value in _rows(plan, answer):
            self.stdout.write(f"{name:<24} {value}")
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
        looks=options["looks"],
    )


def _answer(plan: Plan, options: dict[str, Any]) -> Answer:
    effect, per_variant = options["effect"], options["per_variant"]
    if effect is not None:
        check_effect(plan, effect)
    _days(1, options)  # a wrong duration option is refused whatever the size
    if per_variant is None:
        if effect is None:
            raise ValueError("effect or --per-variant is needed")
        size = sample_size(plan, effect)
        if isinstance(size, NotComputable):
            return Answer(size, size, size, size, size)
        return _described(plan, size, effect, options)
    whole = sum(plan.shares)
    # No size is raised to the least one here: too few units are refused, not mended.
    units = tuple(round(per_variant * len(plan.shares) * share / whole) for share in plan.shares)
    smallest = smallest_effect(plan, units, downwards=effect is not None and effect < 0)
    power: Number = plan.power if isinstance(smallest, float) else smallest
    if effect is not None:
        power = power_at(plan, effect, units)
    return Answer(_even(units), sum(units), smallest, power, _days(sum(units), options))


def _described(plan: Plan, size: Size, effect: float, options: dict[str, Any]) -> Answer:
    smallest = smallest_effect(plan, size.units, downwards=effect < 0)
    return Answer(_even(size.units), size.total, smallest, size.power, _days(size.total, options))


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
    return {"not_computable": words(value, _)} if isinstance(value, NotComputable) else value


def _short(value: Number) -> str:
    return "–" if isinstance(value, NotComputable) else f"{value:,}"


def _rows(plan: Plan, answer: Answer) -> list[tuple[str, str]]:
    """The answer for people, with the formula by name: other calculators use other ones."""
    rows = [
        (_("per variant"), answer.per_variant),
        (_("total"), answer.total),
        (_("smallest effect"), answer.smallest_effect),
        (_("power"), answer.power),
        (_("days"), answer.days),
        (_("level of a comparison"), plan.alpha / (len(plan.shares) - 1)),
        (_("formula"), plan.formula),
    ]
    return [(name, _text(value)) for name, value in rows]


def _text(value: object) -> str:
    match value:
        case NotComputable():
            return words(value, _)
        case list():
            return " / ".join(f"{one:,}" for one in value)
        case float():
            return f"{value:.4g}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
