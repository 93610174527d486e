"""`power`: sample size, smallest detectable effect, duration. Options and JSON: docs/methods/power.md."""

from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from experiments.plan.arms_power import ArmsPower, arms_by_numbers
from experiments.report.planning import arms_rows
from reporting.document import dump, outward
from reporting.words import reason_words
from runs.terminal import add_language, write_json
from stats.power.family_and_looks import Method, Plan, inflation, require
from stats.power.sample_size import (
    Size,
    SurvivalSize,
    check_effect,
    days_needed,
    design_effect,
    dilution_curve,
    power_at,
    power_no_material_effect,
    sample_size,
    smallest_effect,
    survival_size,
)
from stats.power.with_guardrails import GuardedSize, Watched, guarded_size, power_to_ship
from stats.power.with_others import USUAL_SHARE, Spill, power_under_others, size_under_others
from stats.ratios import unit_sd
from stats.results import NotComputable, Reason, computable
from stats.sequential.boundaries import Spending

type Number = float | NotComputable
MORE = {
    "power_to_ship": gettext_lazy("power to ship, at least"),
    "power_under_others": gettext_lazy("power under other behaviours"),
    "total_under_others": gettext_lazy("total under other behaviours"),
    "events": gettext_lazy("events"),
    "events_freedman": gettext_lazy("events by Freedman"),
    "hazard_ratio": gettext_lazy("hazard ratio"),
}


@dataclass(frozen=True)
class Answer:
    """What the command prints. ``per_variant`` is a list when the split is unequal.

    ``smallest_effect`` is the smallest that these units detect, not a margin; ``inflation`` is the factor of units for
    interim looks, ``design_effect`` that for whole clusters, and ``clusters`` the number that each variant needs; null
    where units are drawn. ``more`` has values for guardrails (power to ship) or survival (events) only.
    """

    per_variant: int | list[int] | NotComputable
    total: int | NotComputable
    smallest_effect: Number
    power: Number
    days: Number
    level: float
    inflation: float
    power_no_material_effect: Number
    design_effect: float = 1.0
    clusters: int | list[int] | None = None
    more: dict[str, Any] = field(default_factory=dict)


class Command(BaseCommand):
    help = "How many units an experiment needs, how small an effect it can find, and how long it runs."
    # It only computes, so it must run without a database.
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
        ratio = "the outcome is a ratio of sums: mean and sd of its numerator, of its denominator, their correlation"
        add("--ratio", type=float, nargs=5, metavar=("M", "SM", "K", "SK", "R"), help=ratio)
        survival = "the outcome is the time to churn: --baseline and --effect are those of the share that stays"
        add("--survival", action="store_true", help=survival)
        share = "a guardrail that is a share: its margin and control's share; may be repeated"
        add("--guardrail", type=float, nargs=2, action="append", default=[], metavar=("M", "P"), help=share)
        mean = "a guardrail that is a mean: its margin and its standard deviation; may be repeated"
        add("--guardrail-mean", type=float, nargs=2, action="append", default=[], metavar=("M", "S"), help=mean)
        other = "another behaviour: share of users whom the nudge moves to it, and its largest effect; may be repeated"
        add("--other", type=float, nargs=2, action="append", default=[], metavar=("S", "B"), help=other)
        true = "effect that the moved ones among them have in truth; default 0, which costs most"
        add("--other-effect", type=float, default=0.0, metavar="E", help=true)
        done = "share of users who do each of them without the nudge; default 0.5, which costs most"
        add("--other-share", type=float, default=USUAL_SHARE, metavar="P", help=done)
        add("--split", type=float, nargs="+", metavar="W", help="planned split, control first; default equal")
        add("--method", choices=[str(method) for method in Method], default=str(Method.FIXED))
        looks = "number of looks of a sequential plan, or their rising shares of its units, the last 1; default 5"
        add("--looks", type=float, nargs="+", default=[5.0], metavar="L", help=looks)
        spending = "how the looks of a group sequential plan spend alpha; default obrien_fleming"
        add(
            "--spending",
            choices=[str(choice) for choice in Spending],
            default=str(Spending.OBRIEN_FLEMING),
            help=spending,
        )
        _add_clusters(parser)
        _add_arms(parser)
        add_language(parser)
        add("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plan = _plan(options)
            answer = _survival(plan, options) if options["survival"] else _answer(plan, options)
            answer = _under_others(plan, answer, options)
            arms = _arms(plan, answer, options)
        except ValueError as error:
            raise CommandError(f"--{error}.", returncode=2) from error
        with translation.override(options["language"]):
            self._show(plan, answer, arms, options)

    def _show(self, plan: Plan, answer: Answer, arms: ArmsPower | None, options: dict[str, Any]) -> None:
        if options["json"]:
            document = {name: _json(value) for name, value in _flat(answer).items()}
            write_json(self.stdout, document if arms is None else {**document, "arms": outward(dump(arms))})
            return
        effect = options["effect"]
        for name, value in _rows(plan, answer, margin=options["margin"] is not None):
            self.stdout.write(f"{name:<26} {value}")
        if effect is not None and plan.take_up < 1 and not answer.more:
            self._write_curve(plan, effect, options)
        if arms is not None:
            self.stdout.write("")
            for name, value in arms_rows(arms):
                self.stdout.write(f"{name}: {value}")

    def _write_curve(self, plan: Plan, effect: float, options: dict[str, Any]) -> None:
        """Print the size at other take-ups, since the take-up is the guess that matters most."""
        self.stdout.write("")
        self.stdout.write(f"{_('take-up'):>8} {_('total'):>14} {_('days'):>8}")
        for take_up, size in dilution_curve(plan, effect):
            total = size if isinstance(size, NotComputable) else size.total
            self.stdout.write(f"{take_up:>8.2f} {_short(total):>14} {_short(_days(total, options)):>8}")


def _add_clusters(parser: CommandParser) -> None:
    add = parser.add_argument
    add("--cluster-size", type=float, default=1.0, metavar="C", help="mean units of a cluster, where these are drawn")
    add("--cluster-variation", type=float, default=0.0, metavar="CV", help="sd of the clusters' sizes over their mean")
    correlation = "intraclass correlation of the outcome, 0 to 1; the plan's page measures it on past data"
    add("--cluster-correlation", type=float, default=0.0, metavar="R", help=correlation)


def _add_arms(parser: CommandParser) -> None:
    add = parser.add_argument
    acts = "shares of units with 0, 1, ... acts without a nudge, the last 'or more': what placebo and dose arms tell"
    add("--acts", type=float, nargs="+", metavar="S", help=acts)
    add("--threshold", type=int, metavar="Z", help="with --acts: number of acts under test")
    doses = "with --acts: numbers that arms nudge to; default Z - 1, Z and Z + 2"
    add("--doses", type=int, nargs="+", metavar="K", help=doses)


def _plan(options: dict[str, Any]) -> Plan:
    if options["ratio"] is not None:
        options = {**options, **_of_ratio(options["ratio"])}
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
        cluster_size=options["cluster_size"],
        cluster_variation=options["cluster_variation"],
        cluster_correlation=options["cluster_correlation"],
    )


def _of_ratio(given: list[float]) -> dict[str, float]:
    """A ratio as a mean with the standard deviation of one unit's linearised value."""
    above, sd_above, below, sd_below, correlation = given
    spread = unit_sd((above, below), (sd_above**2, sd_below**2), correlation * sd_above * sd_below)
    require(computable(spread) and -1 <= correlation <= 1, "ratio needs a denominator, and a correlation from -1 to 1")
    return {"baseline": above / below, "sd": float(spread)}  # type: ignore[arg-type]


def _looks(given: list[float]) -> int | tuple[float, ...]:
    """A single integer is the number of looks; anything else is a list of shares."""
    if len(given) == 1 and given[0] == int(given[0]):
        return int(given[0])
    return tuple(given)


def _answer(plan: Plan, options: dict[str, Any]) -> Answer:
    effect, per_variant = options["effect"], options["per_variant"]
    if effect is not None:
        check_effect(plan, effect)
    require(options["margin"] is None or options["margin"] > 0, "margin must be a number above 0")
    _days(1, options)  # refuses a wrong duration option whatever the size
    if per_variant is None:
        if effect is None:
            raise ValueError("effect or --per-variant is needed")
        watched = _watched(options)
        guarded = guarded_size(plan, effect, watched) if watched else None
        size = sample_size(plan, effect) if guarded is None else guarded
        if isinstance(size, NotComputable):
            return _missing(plan, size)
        if isinstance(size, GuardedSize):
            answer = _described(plan, size.size, effect, options)
            more = {"power_to_ship": size.size.power, "guardrail_units": [list(units) for units in size.guardrails]}
            return replace(answer, power=power_at(plan, effect, size.size.units), more=more)
        return _described(plan, size, effect, options)
    whole = sum(plan.shares)
    # Sizes aren't raised to a minimum here: too few units are refused.
    units = tuple(round(per_variant * len(plan.shares) * share / whole) for share in plan.shares)
    smallest = smallest_effect(plan, units, downwards=effect is not None and effect < 0)
    power: Number = plan.power if isinstance(smallest, float) else smallest
    if effect is not None:
        power = power_at(plan, effect, units)
    answer = _whole(plan, units, smallest, power, options)
    watched = _watched(options)
    if effect is not None and watched:
        return replace(answer, more={"power_to_ship": power_to_ship(plan, effect, watched, units)})
    return answer


def _watched(options: dict[str, Any]) -> list[Watched]:
    """Guardrails in the order of the options, shares first."""
    shares = [Watched(margin, baseline=share) for margin, share in options["guardrail"]]
    return [*shares, *(Watched(margin, sd=sd) for margin, sd in options["guardrail_mean"])]


def _under_others(plan: Plan, answer: Answer, options: dict[str, Any]) -> Answer:
    """The answer with the power of these units, and the units that would do, under other behaviours."""
    effect, truth, share = options["effect"], options["other_effect"], options["other_share"]
    spills = [
        Spill(take_up, min(most, 0.0), max(most, 0.0), truth if take_up else 0.0, share)
        for take_up, most in options["other"]
    ]
    if not spills:
        require(truth == 0, "other is needed for --other-effect")
        return answer
    require(effect is not None, "effect is needed with --other")
    require(not options["survival"], "other goes with a share, a mean or a ratio, not with --survival")
    units = answer.per_variant
    if isinstance(units, NotComputable):
        return answer
    whole = tuple(units) if isinstance(units, list) else (units,) * len(plan.shares)
    size = size_under_others(plan, effect, spills)
    power = power_under_others(plan, effect, whole, spills)
    more = {
        "power_under_others": power,
        "per_variant_under_others": size if isinstance(size, NotComputable) else _even(size.units),
        "total_under_others": size if isinstance(size, NotComputable) else size.total,
    }
    return replace(answer, more={**answer.more, **more})


def _missing(plan: Plan, why: NotComputable) -> Answer:
    return Answer(why, why, why, why, why, plan.level, inflation(plan), why)


def _survival(plan: Plan, options: dict[str, Any]) -> Answer:
    """Units and events for a log-rank test."""
    require(not _watched(options), "guardrail goes with a share, a mean or a ratio, not with --survival")
    require(options["effect"] is not None, "effect is needed: the change of the share that stays")
    size = survival_size(plan, options["effect"])
    if not isinstance(size, SurvivalSize):
        return _missing(plan, size)
    more = {"events": size.events, "events_freedman": size.freedman, "hazard_ratio": size.hazard_ratio}
    units, total = size.size.units, size.size.total
    none = NotComputable(Reason.NO_MARGIN)
    days = _days(total, options)
    return Answer(
        _even(units), total, options["effect"], plan.power, days, plan.level, inflation(plan), none, more=more
    )


def _arms(plan: Plan, answer: Answer, options: dict[str, Any]) -> ArmsPower | None:
    """Power of a placebo and dose arms as large as control; None without given acts."""
    acts, times, doses = options["acts"], options["threshold"], options["doses"]
    if acts is None:
        require(times is None and doses is None, "acts is needed for --threshold and --doses")
        return None
    require(times is not None, "threshold is needed with --acts")
    base = answer.per_variant[0] if isinstance(answer.per_variant, list) else answer.per_variant
    effect = options["effect"] if options["effect"] is not None else answer.smallest_effect
    return arms_by_numbers(plan, acts, times, None if doses is None else tuple(doses), base, effect)


def _described(plan: Plan, size: Size, effect: float, options: dict[str, Any]) -> Answer:
    smallest = smallest_effect(plan, size.units, downwards=effect < 0)
    return _whole(plan, size.units, smallest, size.power, options)


def _whole(plan: Plan, units: tuple[int, ...], smallest: Number, power: Number, options: dict[str, Any]) -> Answer:
    immaterial: Number = NotComputable(Reason.NO_MARGIN)
    if options["margin"] is not None:
        immaterial = power_no_material_effect(plan, options["margin"], units)
    days = _days(sum(units), options)
    answer = Answer(_even(units), sum(units), smallest, power, days, plan.level, inflation(plan), immaterial)
    if plan.cluster_size == 1:
        return answer
    clusters = tuple(ceil(size / plan.cluster_size) for size in units)
    cost = design_effect(plan.cluster_size, plan.cluster_variation, plan.cluster_correlation)
    return replace(answer, design_effect=cost, clusters=_even(clusters))


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


def _flat(answer: Answer) -> dict[str, Any]:
    """The JSON document, with the fields of `more` at top level."""
    return {**{name: value for name, value in vars(answer).items() if name != "more"}, **answer.more}


def _short(value: Number) -> str:
    return "–" if isinstance(value, NotComputable) else f"{value:,}"


def _rows(plan: Plan, answer: Answer, *, margin: bool) -> list[tuple[str, str]]:
    """The answer in words, with the formula's name: other calculators use other formulas."""
    rows: list[tuple[str, object]] = [
        (_("per variant"), answer.per_variant),
        (_("total"), answer.total),
        (_("smallest effect"), answer.smallest_effect),
        (_("power"), answer.power),
        (_("days"), answer.days),
        (_("level of a comparison"), answer.level),
        (_("formula"), "schoenfeld" if "events" in answer.more else plan.formula),
        *((str(MORE[name]), value) for name, value in answer.more.items() if name in MORE),
    ]
    if plan.method is not Method.FIXED:
        rows.append((_("users, multiplied for interim analyses"), answer.inflation))
    if answer.clusters is not None:
        rows += [
            (_("clusters per variant"), answer.clusters),
            (_("users, multiplied for clusters"), answer.design_effect),
        ]
    if margin:
        rows.append((_("power: no material effect"), answer.power_no_material_effect))
    return [(name, _text(value)) for name, value in rows]


def _text(value: object) -> str:
    match value:
        case NotComputable():
            return reason_words(value)
        case list():
            return " / ".join(f"{number:,}" for number in value)
        case float():
            return f"{value:.4g}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
