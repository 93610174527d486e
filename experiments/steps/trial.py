"""The plan with the unsaved values of a form; nothing is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from experiments.metric_choice.taking_over import take_over
from experiments.models import Experiment
from experiments.plan.record import Plan, PlannedRow, PlannedVariant
from experiments.plan.size import enrolled_share
from experiments.plan.stored import plan_of
from experiments.steps import panels
from experiments.steps.judging_forms import OutcomesForm, PlanForm
from experiments.steps.step_forms import AudienceStepForm, VariantsForm
from runs.refusals import Refused

FOLLOWED = ("variants", "audience", "outcomes", "plan")  # steps with forms that change numbers


@dataclass(frozen=True)
class TriedPlan:
    """A plan with unsaved values.

    Attributes:
        row: the draft with the form's columns, unsaved.
        plan: with the form's arms and audience, too.
        share: of new users that it enrols, 0 to 1.
    """

    row: Experiment
    plan: Plan
    share: float


def tried(row: Experiment, step: str, data: Mapping[str, Any] | None) -> TriedPlan:
    """The plan with a form's values; the stored plan without data.

    Raises:
        Refused: an invalid form, or a segment that isn't published.
    """
    plan = plan_of(row)
    if data is not None and step in FOLLOWED:
        plan = {"variants": _arms, "audience": _audience, "outcomes": _columns, "plan": _columns}[step](row, step, data)
    return TriedPlan(row, plan, enrolled_share(plan))


def _arms(row: Experiment, _step: str, data: Any) -> Plan:
    form, arms = VariantsForm(data, experiment=row), panels.arms(row, data, more=False)
    if not (form.is_valid() and arms.is_valid()):
        raise _unreadable()
    made = tuple(
        PlannedVariant(one["key"], one["value"], one["weight"], one["role"], one["dose"], one["name"])
        for one in arms.values()
    )
    if not made or min(one.weight for one in made) <= 0:
        raise _unreadable()
    return replace(plan_of(row), variants=made)


def _audience(row: Experiment, _step: str, data: Any) -> Plan:
    form, segments = AudienceStepForm(data, experiment=row), panels.segments(row, data)
    if not (form.is_valid() and segments.is_valid()):
        raise _unreadable()
    _set(row, form.values())
    rows = tuple(PlannedRow(one["segment_key"], one["coverage"], None) for one in panels.audience(row, form, segments))
    return replace(plan_of(row), audience=rows)


def _columns(row: Experiment, step: str, data: Any) -> Plan:
    form = {"outcomes": OutcomesForm, "plan": PlanForm}[step](data, experiment=row)
    if not form.is_valid():
        raise _unreadable()
    _set(row, take_over(form.values(), row).fields)
    return plan_of(row)


def _set(row: Experiment, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def _unreadable() -> Refused:
    return Refused("Correct the form to see what the plan leads to.")
