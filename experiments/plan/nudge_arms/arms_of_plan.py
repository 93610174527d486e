"""Power of a stored experiment's placebo and dose arms, from the users of the last four weeks."""

from experiments.models import Experiment
from experiments.plan.caps import ANY_EVENT
from experiments.plan.nudge_arms.acts_before import Before, Subject, acts_before
from experiments.plan.nudge_arms.arms_power import ArmsPower, arms_power
from experiments.plan.record import WHOLE
from experiments.plan.size import Suggestion
from experiments.plan.stored import plan_of
from stats.results import NotComputable, computable


def arms_of(
    experiment: Experiment, found: Suggestion, *, signup_event: str | None = None, before: Before | None = None
) -> ArmsPower | None:
    """Power of its placebo and dose arms with its planned or suggested units; None without a moment.

    Args:
        experiment: with a primary outcome.
        found: its suggested size.
        signup_event: what starts a unit's clock; None for that of its moment.
        before: acts of users without a nudge; None queries the warehouse.

    Raises:
        Refused: as `acts_before`.
    """
    if experiment.moment is None:
        return None
    plan = plan_of(experiment)
    units: int | NotComputable = plan.planned_units or found.planned_units
    if not computable(units):
        return arms_power(plan, units, units, units)
    asked = before or acts_before(subject_of(experiment, signup_event))[""]
    per_variant = tuple(max(round(units * weight / WHOLE), 2) for weight in plan.weights)
    return arms_power(plan, asked.acts, per_variant, found.planned_effect)


def subject_of(experiment: Experiment, signup_event: str | None = None) -> Subject:
    """Behaviour and outcome to query for an experiment that tests a moment."""
    moment = experiment.moment
    if moment is None:
        raise ValueError("an experiment without a moment has no behaviour")
    return Subject(
        behaviour=moment.behaviour,
        times=moment.times,
        days=moment.days,
        outcome=experiment.primary_metrics[0] if experiment.primary_metrics else moment.retention,
        signup_event=signup_event or moment.signup_event or ANY_EVENT,
        new_only=experiment.enrolment == Experiment.Enrolment.NEW_UNITS,
    )
