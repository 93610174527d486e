"""Power curve of a plan: what it detects, and how that changes with its size. One warehouse query for all of it."""

import hashlib
import json
from dataclasses import dataclass, replace

from django.core.cache import cache

from experiments.models import Experiment
from experiments.plan.earlier.earlier_users import worth_of
from experiments.plan.earlier.predictor import LIN, Explained
from experiments.plan.planned_power import Inflow, power_plan
from experiments.plan.record import Plan
from experiments.plan.size import Suggestion, as_expected, measured_inflow
from experiments.plan.stored import plan_of
from runs.refusals import Refused
from stats.power import sample_size
from stats.power.family_and_looks import Plan as PowerPlan
from stats.results import NotComputable, computable

INFLOW_SECONDS = 600  # cache lifetime: typing must not repeat the query, and four weeks of users hardly change
STEPS = 24
WIDEST = 2.0  # the curve extends to twice the planned size


@dataclass(frozen=True)
class PowerCurve:
    """Power for the planned effect by the number of units.

    Attributes:
        points: (units of all variants, power 0 to 1).
        units: planned units of all variants.
        reached: power with them, 0 to 1.
        wanted: the plan's power.
        effect: the planned effect; of the behaviour when take-up is below 1.
        share: True when the outcome is a share, and the effect a difference of shares.
    """

    points: tuple[tuple[int, float], ...]
    units: int
    reached: float
    wanted: float
    effect: float
    share: bool


def recent_inflow(experiment: Experiment) -> Inflow:
    """`size.inflow_of` with the measured part cached for ten minutes.

    Raises:
        Refused: as `size.inflow_of`.
    """
    key = _inflow_key(experiment)
    measured: Inflow | None = cache.get(key)
    if measured is None:
        try:
            measured = measured_inflow(experiment)
        except Refused:
            if (expected := as_expected(experiment, None)) is None:
                raise
            return expected
        cache.set(key, measured, INFLOW_SECONDS)
    return as_expected(experiment, measured) or measured


def remembered_inflow(experiment: Experiment) -> Inflow | None:
    """`recent_inflow` from the cache only, without querying the warehouse."""
    measured: Inflow | None = cache.get(_inflow_key(experiment))
    return None if measured is None else as_expected(experiment, measured)


def adjustment_worth(experiment: Experiment) -> Explained | NotComputable | None:
    """R2 of covariates that a plan names but isn't adjusted for; cached for ten minutes.

    None where it names none, or they are unusable.
    """
    plan = replace(plan_of(experiment), adjustment=LIN)
    if not (plan.primary and (plan.covariates or plan.active_days_before)):
        return None
    key = f"{_inflow_key(experiment)}:worth"
    if (found := cache.get(key)) is None:
        try:
            found = (worth_of(plan),)
        except Refused:
            found = (None,)
        cache.set(key, found, INFLOW_SECONDS)
    worth: Explained | NotComputable | None = found[0]
    return worth


def _inflow_key(experiment: Experiment) -> str:
    known = [experiment.primary, experiment.active_days_before, experiment.clock, experiment.covariates]
    asked = [experiment.primary_metrics, experiment.signup_event, known, experiment.guardrail_rules, experiment.cluster]
    what = json.dumps(asked, sort_keys=True)
    return f"inflow:{experiment.enrolment}:{experiment.moment_id}:{hashlib.sha256(what.encode()).hexdigest()}"


def curve_of(wanted: Plan, found: Suggestion) -> PowerCurve | NotComputable:
    """The power curve of a plan, or the reason why there is none.

    Raises:
        Refused: a plan that can't be sized.
    """
    if not computable(found.planned_units):
        return found.planned_units
    if not computable(found.planned_effect):
        return found.planned_effect
    units, effect = wanted.planned_units or found.planned_units, found.planned_effect
    try:
        plan = power_plan(wanted, found.inflow)
        sizes = sorted(
            {max(round(units * WIDEST * step / STEPS), 4 * len(plan.shares)) for step in range(1, STEPS + 1)}
        )
        points = tuple((one, sample_size.power_at(plan, effect, _split(plan, one))) for one in sizes)
        reached = sample_size.power_at(plan, effect, _split(plan, units))
    except ValueError as error:
        raise Refused("This plan can't be sized: {why}.", why=error) from None
    return PowerCurve(points, units, reached, wanted.power, effect, found.inflow.sd is None)


def _split(plan: PowerPlan, units: int) -> tuple[int, ...]:
    whole = sum(plan.shares)
    return tuple(max(round(units * share / whole), 2) for share in plan.shares)
