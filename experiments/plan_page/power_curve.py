"""The plan's page: what a plan would find, and how that changes with its size. The warehouse is asked once for all."""

import hashlib
import json
from dataclasses import dataclass

from django.core.cache import cache

from experiments.models import Experiment
from experiments.plan.planned_power import Inflow, power_plan
from experiments.plan.size import Suggestion, inflow_of, sized
from experiments.plan.stored import plan_of
from runs.refusals import Refused
from stats.power import sample_size
from stats.power.family_and_looks import Plan
from stats.results import NotComputable, computable

INFLOW_SECONDS = 600  # typing must not ask the warehouse again; four weeks of users don't change in ten minutes
STEPS = 24
WIDEST = 2.0  # the curve reaches twice the planned size


@dataclass(frozen=True)
class PowerCurve:
    """Chance to find the planned effect by the number of units.

    Attributes:
        points: (units of all variants, power 0 to 1).
        units: planned units of all variants.
        reached: power with them, 0 to 1.
        wanted: the power that the plan asks for.
        effect: the effect that is planned for; of the behaviour when take-up is below 1.
        share: True when the outcome is a share, and the effect a difference of shares.
    """

    points: tuple[tuple[int, float], ...]
    units: int
    reached: float
    wanted: float
    effect: float
    share: bool


@dataclass(frozen=True)
class Sizing:
    """What the page shows; a curve that can't be drawn is its reason."""

    suggestion: Suggestion
    curve: PowerCurve | NotComputable


def size(experiment: Experiment) -> Sizing:
    """Size and power of a plan as it stands in the given row, saved or not.

    Raises:
        Refused: when nothing can be said: no outcome, no events, a value that can't be.
    """
    inflow = recent_inflow(experiment)
    found = sized(experiment, inflow)
    return Sizing(found, _curve(experiment, found))


def recent_inflow(experiment: Experiment) -> Inflow:
    """`inflow_of`, at most ten minutes old.

    Raises:
        Refused: as `inflow_of`.
    """
    outcome = experiment.primary_metrics[0] if experiment.primary_metrics else ""
    known = [experiment.primary, experiment.active_days_before, experiment.clock, experiment.covariates]
    what = json.dumps([outcome, experiment.signup_event, known, experiment.guardrail_rules], sort_keys=True)
    key = f"inflow:{experiment.enrolment}:{experiment.moment_id}:{hashlib.sha256(what.encode()).hexdigest()}"
    found: Inflow | None = cache.get(key)
    if found is None:
        found = inflow_of(experiment)
        cache.set(key, found, INFLOW_SECONDS)
    return found


def _curve(experiment: Experiment, found: Suggestion) -> PowerCurve | NotComputable:
    if not computable(found.planned_units):
        return found.planned_units
    if not computable(found.planned_effect):
        return found.planned_effect
    units, effect = experiment.planned_units or found.planned_units, found.planned_effect
    try:
        plan = power_plan(plan_of(experiment), found.inflow)
        sizes = sorted(
            {max(round(units * WIDEST * step / STEPS), 4 * len(plan.shares)) for step in range(1, STEPS + 1)}
        )
        points = tuple((one, sample_size.power_at(plan, effect, _split(plan, one))) for one in sizes)
        reached = sample_size.power_at(plan, effect, _split(plan, units))
    except ValueError as error:
        raise Refused(str(error)) from None
    return PowerCurve(points, units, reached, experiment.power, effect, found.inflow.sd is None)


def _split(plan: Plan, units: int) -> tuple[int, ...]:
    whole = sum(plan.shares)
    return tuple(max(round(units * share / whole), 2) for share in plan.shares)
