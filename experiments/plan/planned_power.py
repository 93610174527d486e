"""A plan as power's arithmetic sees it: its calendar, what each choice costs, weeks against effect. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import ceil
from typing import Any

from experiments.plan.derived import FARTHEST_DAYS
from experiments.plan.record import LIN, UNADJUSTED, WHOLE, Explained, Plan, PlannedRow, PlannedVariant, shares_of
from stats.power import family_and_looks as arithmetic
from stats.power import sample_size
from stats.power.family_and_looks import Plan as PowerPlan
from stats.power.sample_size import ClusterLaw, days_needed
from stats.power.with_guardrails import Watched, guarded_size, power_to_ship
from stats.power.with_others import Spill, power_under_others, size_under_others
from stats.results import NotComputable, Reason, computable
from stats.sequential.boundaries import Spending

# A plan, or a variation of it, as input of the power calculation. Pure.
#
# Source: docs/methods/power.md.

WEEKS = timedelta(days=28)


@dataclass(frozen=True)
class Inflow:
    """Units that arrived in the last four weeks whose outcome is known for every unit.

    Attributes:
        first, last: first and last local date of arrival.
        units: units that arrived in them.
        per_day: units a day.
        base: mean of the outcome; for retention the share retained, 0 to 1.
        sd: standard deviation of an outcome that isn't a share; None for a share.
        last_day: last day of the longest window of a primary outcome.
        clusters: sizes and intraclass correlation of the plan's clusters in these weeks; None where units are drawn.
        reach: share of units that reach the AHA moment without a nudge, 0 to 1; None without a moment.
        explained: R2 of the plan's adjustment; None without one.
        guardrails: those with a margin, measured without a nudge.
        base_from: where `base` comes from: `log`, the `study` behind the moment, or what the plan `expects`.
        per_day_from: where `per_day` comes from: `log`, or what the plan `expects`.
        rates: behaviours that a lab's nudges lead to, each with times and share of units that do it without a nudge.
    """

    first: date
    last: date
    units: int
    per_day: float
    base: float | NotComputable
    sd: float | None
    last_day: int
    reach: float | NotComputable | None
    explained: Explained | NotComputable | None = None
    guardrails: tuple[Watched, ...] = ()
    clusters: ClusterLaw | NotComputable | None = None
    base_from: str = "log"
    per_day_from: str = "log"
    rates: tuple[tuple[str, int, float], ...] = ()


def power_plan(plan: Plan, inflow: Inflow, *, variants: int | None = None, **tried: Any) -> arithmetic.Plan:
    """Input of the power calculation: the plan with its family, looks and spending.

    Args:
        plan: of an experiment.
        inflow: of its units.
        variants: a number of arms to try, control included, of equal size and without a placebo.
        tried: other fields of the calculation to try in place of the plan's and of those from past data; those of
            clusters are unused by a plan that draws units.

    Raises:
        ValueError: for an invalid value.
    """
    if variants is not None:
        tried |= {"shares": (1 / variants,) * variants, "placebo": None}
    if not plan.cluster:
        tried = {name: value for name, value in tried.items() if not name.startswith("cluster_")}
    method = arithmetic.Method(tried.pop("method", plan.method))
    own = {
        "baseline": inflow.base if computable(inflow.base) else 0.0,
        "sd": inflow.sd,
        "alpha": plan.alpha,
        "power": plan.power,
        "shares": shares_of(plan.weights),
        "take_up": plan.expected_take_up or 1.0,
        "method": method,
        "looks": (plan.looks if method is arithmetic.Method.GROUP_SEQUENTIAL else ()) or arithmetic.USUAL_LOOKS,
        "primaries": max(len(plan.primary), 1),
        "spending": Spending(tried.pop("spending", plan.spending)),
        "placebo": plan.placebo,
        "r_squared": _r_squared(plan, inflow),
    }
    return arithmetic.Plan(**own | (_clusters(inflow) if plan.cluster else {}) | tried)


def _r_squared(plan: Plan, inflow: Inflow) -> float:
    """Share of the variance that the adjustment removes; 0 while it isn't known."""
    explained = inflow.explained
    return explained.r_squared if plan.adjustment != UNADJUSTED and isinstance(explained, Explained) else 0.0


def units_saved(
    plan: Plan, daily: float, planned: arithmetic.Plan, units: tuple[int, ...]
) -> int | NotComputable | None:
    """Units that the plan saves by its adjustment; None without one.

    Raises:
        ValueError: as `effect_and_units`.
    """
    if plan.adjustment == UNADJUSTED:
        return None
    effect, _units = effect_and_units(plan, daily, planned)
    if not computable(effect):
        return effect
    without = sample_size.sample_size(replace(planned, r_squared=0.0), effect)
    return sum(without.units) - sum(units) if computable(without) else without


def _clusters(inflow: Inflow) -> dict[str, float]:
    """Cluster parameters as measured; a negative correlation counts as 0."""
    law = inflow.clusters
    if law is None or not computable(law):
        return {}
    sizes = {"cluster_size": max(law.mean_size, 1.0), "cluster_variation": law.variation}
    return {**sizes, "cluster_correlation": max(law.correlation, 0.0)}


def effect_and_units(
    plan: Plan, daily: float, planned: arithmetic.Plan, guardrails: Sequence[Watched] = ()
) -> tuple[float | NotComputable, tuple[int, ...] | NotComputable]:
    """The planned effect and the units it needs, or the effect that the planned units, or those of four weeks, detect.

    With guardrails, the units with which a true success is shipped with the plan's power.

    Raises:
        ValueError: for an invalid effect.
    """
    effect = plan.smallest_effect if plan.planned_effect is None else plan.planned_effect
    if effect is not None and guardrails:
        guarded = guarded_size(planned, effect, guardrails)
        return effect, guarded.size.units if computable(guarded) else guarded
    if effect is not None:
        size = sample_size.sample_size(planned, effect)
        return effect, size.units if computable(size) else size
    total = plan.planned_units or ceil(daily * WEEKS.days)
    units = tuple(round(total * share) for share in planned.shares)
    if min(units) < 2:
        return (few := NotComputable(Reason.NO_DAILY_UNITS)), few
    return sample_size.smallest_effect(planned, units), units


def ship_power(
    planned: arithmetic.Plan,
    effect: float | NotComputable,
    units: tuple[int, ...] | NotComputable,
    guardrails: Sequence[Watched],
) -> float | NotComputable | None:
    """Lower bound of the probability to ship a true success; None without guardrails."""
    if not guardrails:
        return None
    if not computable(effect):
        return effect
    return power_to_ship(planned, effect, guardrails, units) if computable(units) else units


def planned_prices(
    plan: Plan, planned: arithmetic.Plan, units: tuple[int, ...] | NotComputable, margin: float | None = None
) -> tuple[float, float, float | NotComputable]:
    """Level of one comparison, inflation by looks, and the power to conclude NO_MATERIAL_EFFECT if there is no effect.

    The margin is the plan's smallest effect of interest, which its verdict uses, unless another one is tried.

    Raises:
        ValueError: for an invalid margin.
    """
    margin = plan.smallest_effect if margin is None else margin
    immaterial: float | NotComputable = NotComputable(Reason.NO_MARGIN)
    if margin is not None:
        immaterial = sample_size.power_no_material_effect(planned, margin, units) if computable(units) else units
    return planned.level, arithmetic.inflation(planned), immaterial


# What the list of other behaviours costs. Pure.

SPILLS = (0.02, 0.05)  # expected moves of another behaviour that are tried, beside none


@dataclass(frozen=True)
class SpillPrice:
    """Users that a plan needs more so that its behaviour isn't mistaken for another one.

    Attributes:
        behaviour: that the nudge is taken to move as well; "" for none.
        take_up: by so much, as a share of users.
        more: units beside those that the plan needs without a list; not computable where no number would do.
        power: of the planned units, 0 to 1.
    """

    behaviour: str
    take_up: float
    more: int | NotComputable
    power: float | NotComputable


def spill_prices(plan: Plan, planned: arithmetic.Plan, effect: float, units: tuple[int, ...]) -> tuple[SpillPrice, ...]:
    """Price of the plan's other behaviours: if the nudge moves none of them, and if it moves the largest.

    What is moved is taken to keep nobody in truth, which costs most.

    Args:
        plan: with its list; consequences of the behaviour take nothing off.
        planned: the same for the power calculation.
        effect: that it is planned for.
        units: that it needs without the list, by arm.

    Raises:
        ValueError: for an invalid effect.
    """
    others = [other for other in plan.others if not other.consequence and (other.low or other.high)]
    if not others or plan.claim is None:
        return ()
    worst = max(range(len(others)), key=lambda at: max(others[at].high, -others[at].low))
    own = tuple(max(n, 2) for n in split_of(planned, plan.planned_units or sum(units)))
    prices = []
    for spill in (0.0, *SPILLS):
        spills = [Spill(spill if at == worst else 0.0, one.low, one.high) for at, one in enumerate(others)]
        size = size_under_others(planned, effect, spills)
        more = max(size.total - sum(units), 0) if computable(size) else size
        power = power_under_others(planned, effect, own, spills)
        prices.append(SpillPrice(others[worst].behaviour if spill else "", spill, more, power))
    return tuple(prices)


def split_of(planned: arithmetic.Plan, units: int) -> tuple[int, ...]:
    """Units by arm."""
    whole = sum(planned.shares)
    return tuple(round(units * part / whole) for part in planned.shares)


def unplannable(inflow: Inflow) -> NotComputable | None:
    """Why the size of a plan with this outcome can't be computed; None if it can."""
    if not computable(inflow.base):
        return inflow.base
    flat = inflow.sd == 0 if inflow.sd is not None else not 0 < inflow.base < 1
    return NotComputable(Reason.NO_VARIANCE) if flat else None


# The calendar of a plan: units a day, end of enrolment, date of the last outcome. Pure.

LONGEST_DAYS = 365  # longest acceptable duration: beyond it the plan warns and offers what shortens it


@dataclass(frozen=True)
class PlanCalendar:
    """Duration of a plan if it started today.

    Attributes:
        per_day: eligible users a day, in the last four weeks whose outcome is known.
        enrolled: enrolled users a day, after audience, coverage, layer and holdout.
        units: of all variants.
        enrolment_days: until so many are enrolled; `days` until the last one's outcome is known, too.
        enrolment_ends, known: the dates of both; not computable beyond a hundred years.
    """

    per_day: float
    enrolled: float
    units: int
    enrolment_days: int
    days: int
    enrolment_ends: date | NotComputable
    known: date | NotComputable

    @property
    def too_long(self) -> bool:
        """True when it takes longer than a year."""
        return self.days > LONGEST_DAYS


def calendar_of(units: int, inflow: Inflow, share: float, today: date) -> PlanCalendar | NotComputable:
    """The calendar for a number of units.

    Args:
        units: of all variants.
        inflow: of units.
        share: of the inflow that is enrolled, 0 to 1.
        today: the day on which it would start.
    """
    if inflow.per_day <= 0 or share <= 0:
        return NotComputable(Reason.NO_DAILY_UNITS)
    enrolment = days_needed(units, inflow.per_day, coverage=share)
    days = days_needed(units, inflow.per_day, coverage=share, window_end=inflow.last_day)
    ends = [_date(today, count) for count in (enrolment, days)]
    return PlanCalendar(inflow.per_day, inflow.per_day * share, units, enrolment, days, ends[0], ends[1])


def units_within(days: int, inflow: Inflow, share: float) -> int:
    """Units whose outcome is known after so many days."""
    return max(int((days - inflow.last_day - 1) * inflow.per_day * share), 0)


def weeks(days: int) -> int:
    """Weeks, rounded up."""
    return ceil(days / 7)


def _date(today: date, days: int) -> date | NotComputable:
    return today + timedelta(days=days) if days < FARTHEST_DAYS else NotComputable(Reason.TOO_LATE)


# What each choice of a plan costs in days: compare with the same plan with that choice reversed. Pure.

LARGER = (1.5, 2.0)  # multiples of the planned effect to try
type Enrolled = Callable[[Plan], float]


@dataclass(frozen=True)
class ChoiceCost:
    """Days with one choice as planned and with it reversed.

    Attributes:
        code: of the choice; `experiments.report.planning` has its name.
        chosen: True where the plan has made this choice; False where it is tried.
        days: of the plan with the choice reversed, until the last outcome is known.
        now: of the unchanged plan.
        factor: multiple of the planned effect that is tried; 1 for all other choices.
    """

    code: str
    chosen: bool
    days: int | NotComputable
    now: int | NotComputable
    factor: float = 1.0


def costs(
    plan: Plan, inflow: Inflow, enrolled: Enrolled, worth: Explained | NotComputable | None = None
) -> tuple[ChoiceCost, ...]:
    """Cost of every choice that can be reversed, in the order of the steps; empty without an effect to size for.

    Args:
        plan: the current one.
        inflow: of units.
        enrolled: function from a plan to the share of the inflow that it enrols, 0 to 1.
        worth: R2 of the plan's covariates if it were adjusted for them; None where unknown.
    """
    if plan.planned_effect is None and plan.smallest_effect is None:
        return ()
    now = needed_days(plan, inflow, enrolled(plan))
    turned = tuple(
        ChoiceCost(code, chosen, needed_days(other, their, enrolled(other)), now)
        for code, chosen, other, their in _turned(plan, inflow, worth)
    )
    larger = tuple(
        ChoiceCost("effect", False, needed_days(_larger(plan, factor), inflow, enrolled(plan)), now, factor)
        for factor in LARGER
    )
    return turned + larger


def needed_days(plan: Plan, inflow: Inflow, share: float) -> int | NotComputable:
    """Days until the last outcome of the units needed is known; not computable without an inflow."""
    if inflow.per_day <= 0 or share <= 0:
        return NotComputable(Reason.NO_DAILY_UNITS)
    try:
        _effect, units = effect_and_units(
            plan, inflow.per_day * share, power_plan(plan, inflow), guardrails=inflow.guardrails
        )
    except ValueError:
        return NotComputable(Reason.NO_DETECTABLE_EFFECT)
    if not computable(units):
        return units
    return days_needed(sum(units), inflow.per_day, coverage=share, window_end=inflow.last_day)


def _turned(
    plan: Plan, inflow: Inflow, worth: Explained | NotComputable | None
) -> Iterator[tuple[str, bool, Plan, Inflow]]:
    """Code, whether the plan has made the choice, the plan with it reversed, and that plan's inflow."""
    yield from ((*choice, inflow) for choice in _arms(plan))
    yield from ((*choice, inflow) for choice in _audience(plan))
    if plan.cluster:
        yield "clusters", True, replace(plan, cluster="", saturations=()), replace(inflow, clusters=None)
    if inflow.guardrails:
        yield "guardrails", True, plan, replace(inflow, guardrails=())
    first = plan.primary[:1]
    yield (
        "second_primary",
        len(plan.primary) > 1,
        replace(plan, primary=first if len(plan.primary) > 1 else first * 2),
        inflow,
    )
    if plan.adjustment != UNADJUSTED:
        yield "adjusted", True, replace(plan, adjustment=UNADJUSTED), inflow
    elif isinstance(worth, Explained):
        yield "adjusted", False, replace(plan, adjustment=LIN), replace(inflow, explained=worth)
    looking = plan.method != "fixed"
    yield "looks", looking, replace(plan, method="fixed" if looking else "group_sequential"), inflow


def _arms(plan: Plan) -> Iterator[tuple[str, bool, Plan]]:
    control, arms = plan.variants[:1], plan.variants[1:]
    if plan.claim is not None:
        placebo = plan.placebo is not None
        without = tuple(arm for arm in arms if arm.role != "placebo")
        with_one = (*plan.variants, PlannedVariant("placebo", None, 0, "placebo"))
        yield "placebo", placebo, equally(plan, (*control, *without) if placebo else with_one)
        doses = tuple(arm for arm in arms if arm.role != "dose")
        if len(doses) < len(arms):
            yield "doses", True, equally(plan, (*control, *doses))
    yield "arm", False, equally(plan, (*plan.variants, PlannedVariant("another", None, 0)))


def _audience(plan: Plan) -> Iterator[tuple[str, bool, Plan]]:
    rows = plan.audience
    if any(row.segment is not None for row in rows):
        yield "segments", True, replace(plan, audience=())
    part = any(row.coverage < WHOLE for row in rows)
    if part:
        yield "coverage", True, replace(plan, audience=tuple(replace(row, coverage=WHOLE) for row in rows))
    else:
        half = tuple(replace(row, coverage=WHOLE // 2) for row in rows) or (PlannedRow(None, WHOLE // 2),)
        yield "half_coverage", False, replace(plan, audience=half)
    if plan.layer is not None:
        yield "layer", True, replace(plan, layer=None)
    if plan.holdout is not None:
        yield "holdout", True, replace(plan, holdout=None)


def equally(plan: Plan, variants: tuple[PlannedVariant, ...]) -> Plan:
    """The plan with these arms at equal weights; audience rows lose their own weights."""
    if not variants:
        return plan
    each, rest = divmod(WHOLE, len(variants))
    arms = tuple(replace(arm, weight=each + (at < rest)) for at, arm in enumerate(variants))
    return replace(plan, variants=arms, audience=tuple(replace(row, weights=None) for row in plan.audience))


def _larger(plan: Plan, factor: float) -> Plan:
    effect = plan.planned_effect if plan.planned_effect is not None else plan.smallest_effect
    return replace(plan, planned_effect=None if effect is None else effect * factor)


# Duration against detectable effect against power. Pure.

DAYS = (28, 56, 91, 182, 364)
POWERS = (0.7, 0.8, 0.9)


@dataclass(frozen=True)
class TradeOffRow:
    """One length of the experiment.

    Attributes:
        days: from the start until the last outcome is known.
        enrolment_days: of them, until enrolment ends.
        units: of all variants, enrolled by then.
        effects: the smallest detectable effect, for each of `POWERS`; absolute, of the behaviour with a take-up.
        chance: power for the plan's own effect, 0 to 1.
    """

    days: int
    enrolment_days: int
    units: int
    effects: tuple[float | NotComputable, ...]
    chance: float | NotComputable

    @property
    def found(self) -> float | NotComputable:
        """The smallest effect detectable at a power of 0.8."""
        return self.effects[POWERS.index(0.8)]


def trade_off(plan: Plan, inflow: Inflow, share: float) -> tuple[TradeOffRow, ...]:
    """One row for each duration in which enough units come; ignores guardrails.

    Args:
        plan: the current one.
        inflow: of units.
        share: of the inflow that is enrolled, 0 to 1.

    Raises:
        ValueError: for an invalid value of the plan.
    """
    planned = power_plan(plan, inflow)
    effect = plan.planned_effect if plan.planned_effect is not None else plan.smallest_effect
    rows = []
    for days in DAYS:
        units = units_within(days, inflow, share)
        split = split_of(planned, units)
        if min(split) < 2:
            continue
        effects = tuple(_smallest(planned, split, power) for power in POWERS)
        rows.append(TradeOffRow(days, days - inflow.last_day - 1, units, effects, _chance(planned, effect, split)))
    return tuple(rows)


def effect_within(plan: Plan, inflow: Inflow, share: float, days: int = LONGEST_DAYS) -> float | NotComputable:
    """The smallest effect that the plan detects with its own power in so many days.

    Raises:
        ValueError: as `trade_off`.
    """
    planned = power_plan(plan, inflow)
    split = split_of(planned, units_within(days, inflow, share))
    if min(split) < 2:
        return NotComputable(Reason.NO_DAILY_UNITS)
    return sample_size.smallest_effect(planned, split)


def _smallest(planned: PowerPlan, split: tuple[int, ...], power: float) -> float | NotComputable:
    return sample_size.smallest_effect(replace(planned, power=power), split)


def _chance(planned: PowerPlan, effect: float | None, split: tuple[int, ...]) -> float | NotComputable:
    if effect is None:
        return NotComputable(Reason.NO_MARGIN)
    try:
        return sample_size.power_at(planned, effect, split)
    except ValueError:
        return NotComputable(Reason.NO_DETECTABLE_EFFECT)
