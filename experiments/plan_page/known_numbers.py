"""What the warehouse says of a plan: users to come, the size it needs, its power curve, what adjustment saves."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

from django.core.cache import cache
from django.utils.translation import gettext

from events.catalogue.refresh import ready_catalogue
from experiments.models import Experiment
from experiments.plan.audience import shared_with_running
from experiments.plan.cupac import proposes_adjusted, worth_of
from experiments.plan.fields import Part, in_parts
from experiments.plan.lab import behaviours_of
from experiments.plan.lab_power import power_of_lab, unknown_rates
from experiments.plan.planned_power import (
    LONGEST_DAYS,
    Inflow,
    calendar_of,
    effect_within,
    power_plan,
    split_of,
    units_within,
    unplannable,
)
from experiments.plan.record import FIELDS, LIN, Explained, Plan
from experiments.plan.size import Suggestion, as_expected, enrolled_share, measured_inflow, sized_plan
from experiments.plan.stored import plan_of
from experiments.plan.warnings import Facts, SharedUnits
from experiments.plan_page.other_words import aim_words
from reporting.numbers import between, count, decimal, effect_text, percent, significant
from reporting.words import reason_words
from runs.refusals import Refused
from runs.site_zone import site_date
from stats.power import sample_size
from stats.power.family_and_looks import Plan as PowerPlan
from stats.power.sample_size import ClusterLaw, power_at
from stats.results import NotComputable, computable

# Power curve of a plan: what it detects, and how that changes with its size. One warehouse query for all of it.

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
        behaviours: of a lab, each behaviour with its times and (units, power); `points` and `reached` are then those
            of the behaviour with the least power.
    """

    points: tuple[tuple[int, float], ...]
    units: int
    reached: float
    wanted: float
    effect: float
    share: bool
    behaviours: tuple[tuple[str, int, tuple[tuple[int, float], ...]], ...] = ()


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
    if (cached := cache.get(key)) is None:
        try:
            cached = (worth_of(plan),)
        except Refused:
            cached = (None,)
        cache.set(key, cached, INFLOW_SECONDS)
    worth: Explained | NotComputable | None = cached[0]
    return worth


def adjustment_proposed(experiment: Experiment) -> str:
    """Why the adjusted comparison is proposed, with the users that it saves; "" where it isn't.

    From the cache only: the pages before have asked the warehouse, and a page doesn't wait for it.
    """
    plan = plan_of(experiment)
    worth = cache.get(f"{_inflow_key(experiment)}:worth", (None,))[0]
    try:
        if not proposes_adjusted(plan, worth):
            return ""
    except Refused:  # an outcome that can't be read: its own step says so
        return ""
    told = gettext(
        "What is known of users before the start ({names}) explains {share} of the outcome among earlier users, so the "
        "adjusted comparison is proposed: {saves}. It is as safe from false alarms as the plain one."
    )
    names = list(plan.covariates)
    if plan.active_days_before:
        names.append(gettext("active days before"))
    return told.format(names=", ".join(names), share=percent(worth.r_squared, 0), saves=_saves(experiment, plan, worth))


def _saves(experiment: Experiment, plan: Plan, worth: Explained) -> str:
    """Users that the plan saves, or where its size isn't known, which share of them."""
    inflow = remembered_inflow(experiment)
    if inflow is not None and unplannable(inflow) is None:
        try:
            adjusted = replace(plan, adjustment=LIN, planned_units=None)
            found = sized_plan(adjusted, replace(inflow, explained=worth), enrolled_share(plan))
        except Refused:
            found = None
        if found is not None and computable(found.planned_units) and isinstance(found.units_saved, int):
            return gettext("it needs {users} users instead of {without}").format(
                users=count(found.planned_units), without=count(found.planned_units + found.units_saved)
            )
    return gettext("it needs about {share} fewer users").format(share=percent(worth.r_squared, 0))


def _inflow_key(experiment: Experiment) -> str:
    names = [*in_parts(FIELDS, Part.DATA), "primary_metrics", "guardrail_rules", "cluster"]
    aimed = [(nudge["behaviour"], nudge["times"]) for nudge in experiment.nudges]
    text = json.dumps([*(getattr(experiment, name) for name in names), *aimed], sort_keys=True)
    return f"inflow:{experiment.enrolment}:{experiment.moment_id}:{hashlib.sha256(text.encode()).hexdigest()}"


def curve_of(experiment_plan: Plan, suggestion: Suggestion) -> PowerCurve | NotComputable:
    """The power curve of a plan, or the reason why there is none.

    Raises:
        Refused: a plan that can't be sized.
    """
    if not computable(suggestion.planned_units):
        return suggestion.planned_units
    if not computable(suggestion.planned_effect):
        return suggestion.planned_effect
    units, effect = experiment_plan.planned_units or suggestion.planned_units, suggestion.planned_effect
    if experiment_plan.is_lab:
        return _lab_curve(experiment_plan, suggestion.inflow, units, effect)
    try:
        plan = power_plan(experiment_plan, suggestion.inflow)
        sizes = sorted(
            {max(round(units * WIDEST * step / STEPS), 4 * len(plan.shares)) for step in range(1, STEPS + 1)}
        )
        points = tuple((size, sample_size.power_at(plan, effect, _split(plan, size))) for size in sizes)
        reached = sample_size.power_at(plan, effect, _split(plan, units))
    except ValueError as error:
        raise Refused("This plan can't be sized: {why}.", why=error) from None
    return PowerCurve(points, units, reached, experiment_plan.power, effect, suggestion.inflow.sd is None)


def _lab_curve(plan: Plan, inflow: Inflow, units: int, effect: float) -> PowerCurve:
    try:
        power = power_of_lab(plan, inflow)
    except ValueError as error:
        raise Refused("This plan can't be sized: {why}.", why=error) from None
    sizes = sorted({max(round(units * WIDEST * step / STEPS), 2) for step in range(1, STEPS + 1)})
    chances = [power.chances(effect, size) for size in sizes]
    points = tuple((size, min(each)) for size, each in zip(sizes, chances, strict=True))
    behaviours = tuple(
        (name, times, tuple((size, each[place]) for size, each in zip(sizes, chances, strict=True)))
        for place, (name, times) in enumerate(power.names)
    )
    reached = min(power.chances(effect, units))
    return PowerCurve(points, units, reached, plan.power, effect, power.share, behaviours)


def _split(plan: PowerPlan, units: int) -> tuple[int, ...]:
    whole = sum(plan.shares)
    return tuple(max(round(units * share / whole), 2) for share in plan.shares)


# Lines for pages that size a plan: shares of a lab's behaviours without a nudge, and what its adjustment saves.


def lab_rows(plan: Plan, inflow: Inflow) -> list[tuple[str, str]]:
    """Share of users who do each behaviour of a lab without a nudge; empty for a test."""
    if not plan.is_lab:
        return []
    unknown = unknown_rates(plan, inflow)
    rates = {(name, times): rate for name, times, rate in inflow.rates}
    own = inflow.reach if inflow.reach is not None and computable(inflow.reach) else 0.0
    return [
        (
            gettext("Do “{behaviour}” without a nudge").format(behaviour=aim_words(*pair)),
            gettext("not known, so half is taken") if pair in unknown else percent(rates.get(pair, own)),
        )
        for pair in behaviours_of(plan)
    ]


def lab_notes() -> list[str]:
    """What the size of a lab takes for granted, and what its users are too few for."""
    return [
        gettext(
            "The behaviours share one error rate: the chance that any of them is called a cause by mistake is at most "
            "alpha, whichever of them do something (Holm's method). So each further behaviour costs users."
        ),
        gettext(
            "Each behaviour is to be decided if it has this effect. The outcome and the behaviours are taken to be "
            "independent among users who see the same nudges."
        ),
        gettext(
            "Whether two nudges strengthen or weaken each other is read with little power: these users show only large "
            "interactions."
        ),
    ]


# What its adjustment saves.


def saved_rows(suggestion: Suggestion) -> list[tuple[str, str]]:
    """R2 with its interval and users, units and days saved; empty for a plan without an adjustment."""
    worth = suggestion.inflow.explained
    if worth is None:
        return []
    if not computable(worth):
        return [(gettext("R² of the adjustment among earlier users"), reason_words(worth))]
    text = gettext("{r} ({interval}), judged by {judged} users after {learned} had taught it").format(
        r=decimal(worth.r_squared, 3),
        interval=between(decimal(worth.low, 3), decimal(worth.high, 3)),
        judged=count(worth.judged),
        learned=count(worth.learned),
    )
    return [
        (gettext("R² of the adjustment among earlier users"), text),
        (gettext("Users that it saves"), _say(suggestion.units_saved)),
        (gettext("Days of enrolment that it saves"), _say(suggestion.days_saved)),
    ]


def _say(value: Any) -> str:
    if value is None:
        return ""
    return reason_words(value) if isinstance(value, NotComputable) else count(value)


# Warehouse data for a plan: future users, the size it needs, and consequences of both.


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
    today = site_date()
    plan = plan_of(row)
    try:
        share = enrolled_share(plan)
    except Refused:  # `audience.troubles` reports unpublished segments
        return Known(None, Facts(today), Suggested())
    try:
        inflow = recent_inflow(row) if ask else remembered_inflow(row)
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
    today = site_date()
    try:
        suggestion = sized_plan(plan, inflow, share)
    except Refused:
        suggestion = None
    units = plan.planned_units or (
        suggestion.planned_units if suggestion is not None and computable(suggestion.planned_units) else None
    )
    calendar = None if units is None else calendar_of(units, inflow, share, today)
    facts = Facts(
        today,
        share,
        inflow.per_day,
        inflow.reach if inflow.reach is not None and computable(inflow.reach) else None,
        None if suggestion is None else _power(plan, inflow, suggestion),
        calendar if calendar is not None and computable(calendar) else None,
        events,
        shared,
        no_length=inflow.per_day <= 0,
        no_power=unplannable(inflow) is not None,
    )
    return Known(inflow, facts, _suggested(plan, inflow, share, suggestion), suggestion)


def _power(plan: Plan, inflow: Inflow, suggestion: Suggestion) -> float | None:
    """Power of the planned units for the plan's effect."""
    effect = plan.planned_effect if plan.planned_effect is not None else plan.smallest_effect
    if plan.planned_units is None or effect is None or not computable(suggestion.planned_units):
        return None
    if plan.is_lab:
        try:
            return min(power_of_lab(plan, inflow).chances(effect, plan.planned_units))
        except ValueError:
            return None
    planned = power_plan(plan, inflow)
    split = tuple(max(n, 2) for n in split_of(planned, plan.planned_units))
    try:
        return power_at(planned, effect, split)
    except ValueError:
        return None


def _suggested(plan: Plan, inflow: Inflow, share: float, suggestion: Suggestion | None) -> Suggested:
    if suggestion is None:
        return Suggested()
    try:
        if plan.is_lab:
            within = power_of_lab(plan, inflow).smallest_effect(max(units_within(LONGEST_DAYS, inflow, share), 2))
        else:
            within = effect_within(plan, inflow, share, LONGEST_DAYS)
    except ValueError:
        return Suggested()
    return Suggested(
        units=suggestion.planned_units if computable(suggestion.planned_units) else None,
        end=suggestion.planned_end if computable(suggestion.planned_end) else None,
        effect=suggestion.smallest_effect if computable(suggestion.smallest_effect) else None,
        within_a_year=_upwards(within) if computable(within) else None,
    )


def _upwards(effect: float) -> float:
    """Rounded up to three digits: rounded down, the effect would need one more day."""
    rounded = float(f"{effect:.3g}")
    return rounded if rounded >= effect else float(f"{effect * 1.01:.3g}")


def known_events() -> frozenset[str]:
    """Event names in the log, from a worker's catalogue; empty while the catalogue is missing or incomplete."""
    try:
        catalogue = ready_catalogue()
    except Refused:
        return frozenset()
    return frozenset() if catalogue.unlisted else frozenset(entry.name for entry in catalogue.events)


# The suggested size of a plan, as lines of the admin's page.


def size_rows(suggestion: Suggestion) -> list[tuple[Any, Any]]:
    """Lines of the page; a number that can't be computed is replaced by its reason."""
    inflow = suggestion.inflow

    def say(value: Any, write: Callable[[Any], str] = str) -> str:
        return reason_words(value) if isinstance(value, NotComputable) else write(value)

    outcome = percent if inflow.sd is None else significant
    effect = partial(effect_text, share=inflow.sd is None, plus=True)
    rows: list[tuple[Any, Any]] = [
        (gettext("Users who arrived"), f"{count(inflow.units)} ({between(str(inflow.first), str(inflow.last))})"),
        (gettext("Users a day"), decimal(inflow.per_day, 1)),
        (gettext("Outcome without the nudge"), say(inflow.base, outcome)),
        (gettext("Share of them that is enrolled"), say(suggestion.coverage, percent)),
        (gettext("Expected take-up"), say(suggestion.take_up, percent)),
        (gettext("Smallest effect of interest"), say(suggestion.smallest_effect, effect)),
        (gettext("Effect it is sized for"), say(suggestion.planned_effect, effect)),
        (gettext("Planned users"), say(suggestion.planned_units, count)),
        (gettext("Days until the last outcome is known"), say(suggestion.days, count)),
        (gettext("End of enrolment if it started today"), say(suggestion.planned_end)),
        (gettext("Result on"), say(suggestion.result_on)),
        (gettext("Level of one comparison"), say(suggestion.level, partial(percent, digits=2))),
        (gettext("Users, compared with a single analysis"), say(suggestion.inflation, partial(decimal, digits=3))),
        (
            gettext("Chance to conclude no effect that matters, if there is none"),
            say(suggestion.power_no_material_effect, partial(percent, digits=0)),
        ),
    ]
    if suggestion.power_to_ship is not None:
        chance = say(suggestion.power_to_ship, partial(percent, digits=0))
        rows.append((gettext("Chance to ship a true success, at least"), chance))
    if inflow.clusters is not None:
        rows.append((gettext("Clusters in these weeks"), say(inflow.clusters, _law)))
    if inflow.reach is not None:
        rows.insert(3, (gettext("Do it without the nudge"), say(inflow.reach, percent)))
    return [*rows, *saved_rows(suggestion)]


def _law(law: ClusterLaw) -> str:
    """Number, sizes, intraclass correlation and design effect of clusters."""
    text = gettext(
        "{clusters} of {size} users on average (coefficient of variation {variation}); intraclass correlation "
        "{correlation} ({low} to {high}), which makes users cost {effect} times as many"
    )
    return text.format(
        clusters=count(law.clusters),
        size=decimal(law.mean_size, 1),
        variation=decimal(law.variation, 2),
        correlation=decimal(law.correlation, 3),
        low=decimal(law.low, 3),
        high=decimal(law.high, 3),
        effect=decimal(law.design_effect, 2),
    )
