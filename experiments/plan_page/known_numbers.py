"""Warehouse data for a plan: future users, the size it needs, and consequences of both."""

from dataclasses import dataclass, replace
from datetime import date

from django.utils import timezone

from events.catalogue.refresh import ready_catalogue
from experiments.models import Experiment
from experiments.plan.choices.cautions import Facts, SharedUnits
from experiments.plan.choices.plan_calendar import LONGEST_DAYS, calendar_of
from experiments.plan.choices.trade_off import effect_within, split_of
from experiments.plan.planned_power import Inflow, power_plan, unplannable
from experiments.plan.record import Plan
from experiments.plan.shared_audience import shared_with_running
from experiments.plan.size import Suggestion, enrolled_share, sized_plan
from experiments.plan.stored import plan_of
from experiments.plan_page import power_curve
from runs.refusals import Refused
from stats.power.sample_size import power_at
from stats.results import computable


@dataclass(frozen=True)
class Suggested:
    """Suggested values; None where not computable."""

    units: int | None = None
    end: date | None = None
    effect: float | None = None
    within_a_year: float | None = None


@dataclass(frozen=True)
class Known:
    """Warehouse data for a plan; None where it wasn't queried or has no answer."""

    inflow: Inflow | None
    facts: Facts
    suggested: Suggested
    size: Suggestion | None = None


def known_of(row: Experiment, *, ask: bool) -> Known:
    """Warehouse data on future users.

    Args:
        row: the draft.
        ask: query the warehouse, which may take seconds; False uses only results of the last ten minutes.
    """
    today = timezone.localdate()
    plan = plan_of(row)
    try:
        share = enrolled_share(plan)
    except Refused:  # `audience.troubles` reports unpublished segments
        return Known(None, Facts(today), Suggested())
    try:
        inflow = power_curve.recent_inflow(row) if ask else power_curve.remembered_inflow(row)
    except Refused:
        inflow = None
    nothing = Facts(today, share, no_length=ask, no_power=ask)  # it was queried, and has no answer
    events, shared = known_events() or None, shared_with_running(row)
    if inflow is None:
        return Known(None, replace(nothing, events=events, shared=shared), Suggested())
    return _with_inflow(plan, inflow, share, events, shared)


def _with_inflow(
    plan: Plan, inflow: Inflow, share: float, events: frozenset[str] | None, shared: tuple[SharedUnits, ...]
) -> Known:
    today = timezone.localdate()
    try:
        found = sized_plan(plan, inflow, share)
    except Refused:
        found = None
    units = plan.planned_units or (
        found.planned_units if found is not None and computable(found.planned_units) else None
    )
    calendar = None if units is None else calendar_of(units, inflow, share, today)
    facts = Facts(
        today,
        share,
        inflow.per_day,
        inflow.reach if inflow.reach is not None and computable(inflow.reach) else None,
        None if found is None else _power(plan, inflow, found),
        calendar if calendar is not None and computable(calendar) else None,
        events,
        shared,
        no_length=inflow.per_day <= 0,
        no_power=unplannable(inflow) is not None,
    )
    return Known(inflow, facts, _suggested(plan, inflow, share, found), found)


def _power(plan: Plan, inflow: Inflow, found: Suggestion) -> float | None:
    """Power of the planned units for the plan's effect."""
    effect = plan.planned_effect if plan.planned_effect is not None else plan.smallest_effect
    if plan.planned_units is None or effect is None or not computable(found.planned_units):
        return None
    planned = power_plan(plan, inflow)
    split = tuple(max(one, 2) for one in split_of(planned, plan.planned_units))
    try:
        return power_at(planned, effect, split)
    except ValueError:
        return None


def _suggested(plan: Plan, inflow: Inflow, share: float, found: Suggestion | None) -> Suggested:
    if found is None:
        return Suggested()
    try:
        within = effect_within(plan, inflow, share, LONGEST_DAYS)
    except ValueError:
        return Suggested()
    return Suggested(
        units=found.planned_units if computable(found.planned_units) else None,
        end=found.planned_end if computable(found.planned_end) else None,
        effect=found.smallest_effect if computable(found.smallest_effect) else None,
        within_a_year=_upwards(within) if computable(within) else None,
    )


def _upwards(effect: float) -> float:
    """Rounded up to three digits: rounded down, the effect would need one more day."""
    shown = float(f"{effect:.3g}")
    return shown if shown >= effect else float(f"{effect * 1.01:.3g}")


def known_events() -> frozenset[str]:
    """Event names in the log, from a worker's catalogue; empty while the catalogue is missing or incomplete."""
    try:
        found = ready_catalogue()
    except Refused:
        return frozenset()
    return frozenset() if found.unlisted else frozenset(entry.name for entry in found.events)
