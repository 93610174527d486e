"""Warnings about valid but unwise plans, shown before the start. Pure.

`validation.problems` prevents a start; after a warning a person may start all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING

from events.metrics import events_needed, parse_behaviour, parse_metric
from experiments.plan.record import Plan
from experiments.plan.validation import Problem
from runs.refusals import Refused

if TYPE_CHECKING:
    from experiments.plan.planned_power import (
        PlanCalendar,  # its arithmetic loads scipy, and the admin reads this module
    )

NEVER_DAYS = 3_650  # planned units that take more than ten years to come are a typing error
MISSED = 0.005  # the power may be below the wanted one by this much: rounding
NO_EVENT = "*"


@dataclass(frozen=True)
class SharedUnits:
    """A running experiment that would share units with the plan, since no layer separates them.

    Attributes:
        key: of the experiment; `name` is its display name.
        units: of its units, those in the plan's audience.
        open: True while it still enrols, so that new users can be in both.
    """

    key: str
    name: str
    units: int
    open: bool


@dataclass(frozen=True)
class Facts:
    """Data for the warnings beside the plan; None where the warehouse wasn't queried.

    Attributes:
        today: the day on which it would start.
        share: of new users that the plan enrols, 0 to 1.
        per_day: eligible users a day.
        reach: share of them who reach the moment without a nudge, 0 to 1.
        power: of the planned units for the planned effect, 0 to 1.
        calendar: for the planned, else for the needed units.
        events: event names in the log.
        shared: running experiments that would share units with it.
        no_length: True when its duration is unknown: no users come, and the plan expects none.
        no_power: True when its power is unknown: the outcome has no base rate.
    """

    today: date
    share: float | None = None
    per_day: float | None = None
    reach: float | None = None
    power: float | None = None
    calendar: "PlanCalendar | None" = None
    events: frozenset[str] | None = None
    shared: tuple[SharedUnits, ...] = ()
    no_length: bool = False
    no_power: bool = False


def cautions(plan: Plan, facts: Facts) -> tuple[Problem, ...]:
    """All warnings to show before the start, in the order of the steps."""
    return tuple(
        problem
        for check in (_nudge, _others, _same_values, _audience, _sharing, _events, _margins, _take_up, _units, _end)
        for problem in check(plan, facts)
    )


def event_names_of(text: str) -> frozenset[str]:
    """Names of the events that an outcome counts; none for one that can't be read."""
    try:
        return frozenset(events_needed(parse_metric(text)))
    except Refused:
        return frozenset()


def _nudge(plan: Plan, _: Facts) -> Iterator[Problem]:
    if plan.is_lab:
        silent = [nudge.key for nudge in plan.nudges if not nudge.words.strip()]
        if silent:
            yield Problem("nudge_without_words", {"keys": ", ".join(silent)}, at="nudges")
    elif not plan.nudge.strip():
        yield Problem("no_nudge", at="nudge")


def _same_values(plan: Plan, _: Facts) -> Iterator[Problem]:
    """Warn when all arms have the same value: a service that reads it would show everybody the same."""
    values = [repr(arm.value) for arm in plan.variants]
    if len(values) > 1 and len(set(values)) == 1:
        yield Problem("same_values", step="variants")


def _audience(_plan: Plan, facts: Facts) -> Iterator[Problem]:
    if facts.share is not None and facts.share <= 0:
        yield Problem("nobody_enrolled", at="everyone_coverage", step="audience")


def _sharing(_plan: Plan, facts: Facts) -> Iterator[Problem]:
    """Warn about shared units: each effect depends on the other experiment's arms, and effects may not add up."""
    for other in facts.shared:
        details: dict[str, str | int] = {"name": other.name, "units": f"{other.units:,}"}
        yield Problem("shares_units" if other.units else "may_share_units", details, at="layer")


def _events(plan: Plan, facts: Facts) -> Iterator[Problem]:
    if facts.events is None:
        return
    for text in plan.outcomes:
        for name in sorted(event_names_of(text) - facts.events - {NO_EVENT}):
            close = get_close_matches(name, sorted(facts.events), 1, 0.6)
            yield Problem(
                "unknown_event", {"metric": text, "event": name, "close": close[0] if close else ""}, step="outcomes"
            )


def _others(plan: Plan, facts: Facts) -> Iterator[Problem]:
    """Warn about other behaviours that nobody ever did."""
    if facts.events is None:
        return
    nudged = [nudge.behaviour for nudge in plan.nudges]
    for name in dict.fromkeys((*nudged, *(other.behaviour for other in plan.others))):
        try:
            event = parse_behaviour(name).event
        except Refused:
            continue  # a problem of its own
        if event not in facts.events:
            close = get_close_matches(event, sorted(facts.events), 1, 0.6)
            details: dict[str, str | int] = {"event": event, "close": close[0] if close else ""}
            yield Problem("unknown_other", details, at="other_behaviours")


def _margins(plan: Plan, _: Facts) -> Iterator[Problem]:
    for text in plan.guardrails:
        if text not in plan.guardrail_rules:
            yield Problem("no_margin", {"metric": text}, at="guardrail_rules")


def _take_up(plan: Plan, facts: Facts) -> Iterator[Problem]:
    if plan.claim is None or facts.reach is None:
        return
    if plan.is_lab:
        own = (plan.claim.behaviour, plan.claim.times)
        if any(nudge.take_up > 1 - facts.reach for nudge in plan.nudges if (nudge.behaviour, nudge.times) == own):
            yield Problem(
                "take_up_beyond",
                {"reach": f"{100 * facts.reach:.1f}", "room": f"{100 * (1 - facts.reach):.1f}"},
                at="nudges",
            )
        return
    if plan.expected_take_up is not None and plan.expected_take_up > 1 - facts.reach:
        yield Problem(
            "take_up_beyond",
            {"reach": f"{100 * facts.reach:.1f}", "room": f"{100 * (1 - facts.reach):.1f}"},
            at="expected_take_up",
        )


def _units(plan: Plan, facts: Facts) -> Iterator[Problem]:
    if plan.planned_units is None:
        return
    daily = (facts.per_day or 0.0) * (facts.share or 0.0)
    if facts.no_power:
        yield Problem("unknown_power", at="expected_base")
    if daily and plan.planned_units > daily * NEVER_DAYS:
        yield Problem(
            "never_so_many", {"units": f"{plan.planned_units:,}", "per_day": f"{daily:,.0f}"}, at="planned_units"
        )
    elif facts.power is not None and facts.power < plan.power - MISSED:
        yield Problem(
            "too_few_units",
            {"chance": f"{100 * facts.power:.0f}", "wanted": f"{100 * plan.power:.0f}"},
            at="planned_units",
        )


def _end(plan: Plan, facts: Facts) -> Iterator[Problem]:
    calendar = facts.calendar
    if calendar is None:
        if facts.no_length and plan.planned_units is not None:
            yield Problem("unknown_length", at="expected_daily_units")
        return
    if calendar.too_long:
        yield Problem(
            "too_long",
            {"per_day": f"{calendar.enrolled:,.0f}", "years": f"{calendar.days / 365.25:,.1f}"},
            at="planned_effect",
        )
    elif plan.planned_end is not None and plan.planned_end > facts.today:
        days = (plan.planned_end - facts.today).days
        if days < calendar.enrolment_days:
            more = calendar.enrolment_days - days
            yield Problem("end_too_soon", {"days": more, "ends": str(calendar.enrolment_ends)}, at="planned_end")
