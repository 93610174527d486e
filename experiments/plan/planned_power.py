"""A plan, or a variation of it, as input of the power calculation. Pure.

Source: docs/methods/power.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import ceil

from experiments.plan.earlier.predictor import UNADJUSTED, Explained
from experiments.plan.record import WHOLE, Plan
from stats.power import family_and_looks as arithmetic
from stats.power import sample_size
from stats.power.cluster_sizes import ClusterLaw
from stats.power.with_guardrails import Watched, guarded_size, power_to_ship
from stats.results import NotComputable, Reason, computable
from stats.sequential.boundaries import Spending

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


@dataclass(frozen=True)
class WhatIf:
    """Values to try instead of a plan's own; None uses the plan's.

    Attributes:
        planned_effect: the effect to size for, absolute; with a take-up that of the behaviour.
        margin: the smallest effect of interest, in the same unit. It isn't the planned effect.
        primaries: number of primary outcomes, at least 1.
        variants: number of arms, control included, of equal size and without a placebo.
        method: `fixed`, `group_sequential`, `always_valid`.
        looks: a number of equally spaced looks, or ascending shares of the planned units, the last 1.
        spending: `obrien_fleming` or `pocock`.
        cluster_size: mean units of a cluster, `cluster_variation` sd of the sizes over it, `cluster_correlation`
            intraclass correlation; None for values from past data; unused by a plan that draws units.
    """

    planned_effect: float | None = None
    margin: float | None = None
    primaries: int | None = None
    variants: int | None = None
    method: str | None = None
    looks: int | tuple[float, ...] | None = None
    spending: str | None = None
    cluster_size: float | None = None
    cluster_variation: float | None = None
    cluster_correlation: float | None = None


AS_PLANNED = WhatIf()


def power_plan(plan: Plan, inflow: Inflow, what_if: WhatIf = AS_PLANNED) -> arithmetic.Plan:
    """Input of the power calculation: the plan with its family, looks and spending.

    Raises:
        ValueError: for an invalid value.
    """
    method = arithmetic.Method(what_if.method or plan.method)
    planned_looks = plan.looks if method is arithmetic.Method.GROUP_SEQUENTIAL else ()
    found = arithmetic.Plan(
        baseline=inflow.base if computable(inflow.base) else 0.0,
        sd=inflow.sd,
        alpha=plan.alpha,
        power=plan.power,
        shares=tuple(weight / WHOLE for weight in plan.weights),
        take_up=plan.expected_take_up or 1.0,
        method=method,
        looks=what_if.looks if what_if.looks is not None else planned_looks or arithmetic.USUAL_LOOKS,
        primaries=what_if.primaries or max(len(plan.primary), 1),
        spending=Spending(what_if.spending or plan.spending),
        placebo=plan.placebo,
        r_squared=_r_squared(plan, inflow),
        **(_clusters(inflow, what_if) if plan.cluster else {}),
    )
    if what_if.variants is None:
        return found
    return replace(found, shares=(1 / what_if.variants,) * what_if.variants, placebo=None)


def _r_squared(plan: Plan, inflow: Inflow) -> float:
    """Share of the variance that the adjustment removes; 0 while it isn't known."""
    found = inflow.explained
    return found.r_squared if plan.adjustment != UNADJUSTED and isinstance(found, Explained) else 0.0


def units_saved(
    plan: Plan, daily: float, planned: arithmetic.Plan, units: tuple[int, ...], what_if: WhatIf = AS_PLANNED
) -> int | NotComputable | None:
    """Units that the plan saves by its adjustment; None without one.

    Raises:
        ValueError: as `effect_and_units`.
    """
    if plan.adjustment == UNADJUSTED:
        return None
    effect, _units = effect_and_units(plan, daily, planned, what_if)
    if not computable(effect):
        return effect
    without = sample_size.sample_size(replace(planned, r_squared=0.0), effect)
    return sum(without.units) - sum(units) if computable(without) else without


def _clusters(inflow: Inflow, what_if: WhatIf) -> dict[str, float]:
    """Cluster parameters: tried, else measured; a negative correlation counts as 0."""
    law = inflow.clusters
    measured = (1.0, 0.0, 0.0)
    if law is not None and computable(law):
        measured = (max(law.mean_size, 1.0), law.variation, max(law.correlation, 0.0))
    tried = (what_if.cluster_size, what_if.cluster_variation, what_if.cluster_correlation)
    names = ("cluster_size", "cluster_variation", "cluster_correlation")
    return {name: one if given is None else given for name, one, given in zip(names, measured, tried, strict=True)}


def effect_and_units(
    plan: Plan, daily: float, planned: arithmetic.Plan, what_if: WhatIf = AS_PLANNED, guardrails: Sequence[Watched] = ()
) -> tuple[float | NotComputable, tuple[int, ...] | NotComputable]:
    """The planned effect and the units it needs, or the effect that the planned units, or those of four weeks, detect.

    With guardrails, the units with which a true success is shipped with the plan's power.

    Raises:
        ValueError: for an invalid effect.
    """
    wanted = (what_if.planned_effect, plan.planned_effect, plan.smallest_effect)
    effect = next((one for one in wanted if one is not None), None)
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
    plan: Plan, planned: arithmetic.Plan, units: tuple[int, ...] | NotComputable, what_if: WhatIf = AS_PLANNED
) -> tuple[float, float, float | NotComputable]:
    """Level of one comparison, inflation by looks, and the power to conclude NO_MATERIAL_EFFECT if there is no effect.

    The margin of a stored plan is its smallest effect of interest, which its verdict uses.

    Raises:
        ValueError: for an invalid margin.
    """
    margin = what_if.margin if what_if.margin is not None else plan.smallest_effect
    immaterial: float | NotComputable = NotComputable(Reason.NO_MARGIN)
    if margin is not None:
        immaterial = sample_size.power_no_material_effect(planned, margin, units) if computable(units) else units
    return planned.level, arithmetic.inflation(planned), immaterial


def unplannable(inflow: Inflow) -> NotComputable | None:
    """Why the size of a plan with this outcome can't be computed; None if it can."""
    if not computable(inflow.base):
        return inflow.base
    flat = inflow.sd == 0 if inflow.sd is not None else not 0 < inflow.base < 1
    return NotComputable(Reason.NO_VARIANCE) if flat else None
