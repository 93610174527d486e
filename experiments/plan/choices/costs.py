"""What each choice of a plan costs in days: compare with the same plan with that choice reversed. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from experiments.plan.earlier.predictor import LIN, UNADJUSTED, Explained
from experiments.plan.planned_power import Inflow, effect_and_units, power_plan
from experiments.plan.record import WHOLE, Plan, PlannedRow, PlannedVariant
from stats.power.sample_size import days_needed
from stats.results import NotComputable, Reason, computable

LARGER = (1.5, 2.0)  # multiples of the planned effect to try
type Enrolled = Callable[[Plan], float]


@dataclass(frozen=True)
class ChoiceCost:
    """Days with one choice as planned and with it reversed.

    Attributes:
        code: of the choice; `experiments.report.planning.choice_words` has its name.
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
    yield from ((*one, inflow) for one in _arms(plan))
    yield from ((*one, inflow) for one in _audience(plan))
    if plan.cluster:
        yield "clusters", True, replace(plan, cluster="", saturations=()), replace(inflow, clusters=None)
    if inflow.guardrails:
        yield "guardrails", True, plan, replace(inflow, guardrails=())
    one = plan.primary[:1]
    yield (
        "second_primary",
        len(plan.primary) > 1,
        replace(plan, primary=one if len(plan.primary) > 1 else one * 2),
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
