"""Daily curves for launches, as Ibis expressions. Nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from events.metrics import Behaviour, Count, Metric, Ratio
from events.warehouse import queries
from events.warehouse.columns import bounded, utc, wall_clock
from events.warehouse.unit_values import Basis, active_events, how_many, matches

if TYPE_CHECKING:
    import ibis.expr.types as ir

GROUP = "launch_group"  # the value of a trait; "" where there are no groups
TOOK_PART = "took_part"


def new_users(
    events: ir.Table,
    people: ir.Table,
    basis: Basis,
    outcomes: Mapping[str, Metric],
    *,
    start: datetime,
    end: datetime,
    groups: ir.Table | None = None,
    took_part: Count | None = None,
) -> ir.Table:
    """One row per signup date of the site and group: ``day, launch_group, took_part, users`` and sums.

    Per outcome: ``NAME_above``, the sum of its values (of a ratio its numerators), and ``NAME_below``, the number of
    users (of a ratio the sum of its denominators). Users whose days aren't over are left out.

    Args:
        events: the event log.
        people: who is new on these days, or somewhat earlier or later, with their clocks.
        basis: clock, data's end, activity, engine, and the dates of these people.
        outcomes: what is measured, by name.
        start, end: of the signups.
        groups: ``user_id, launch_group`` of those who count; None for everybody, in one group.
        took_part: tells who took part: 1, else 0; without it everybody is 0.
    """
    import ibis

    people = people.filter(people.anchor >= utc(start), people.anchor < utc(end))
    people = people.mutate(**{GROUP: ibis.literal("")}) if groups is None else people.join(groups, "user_id")
    parts: dict[str, Any] = {} if took_part is None else {TOOK_PART: took_part}
    for name, outcome in outcomes.items():
        parts[f"{name}_over"] = outcome.numerator if isinstance(outcome, Ratio) else outcome
        if isinstance(outcome, Ratio):
            parts[f"{name}_under"] = outcome.denominator
    units = queries.outcomes(events, people, basis, parts)
    units = units.filter(*(units[name].notnull() for name in parts))
    did = ibis.literal(0, "int32") if took_part is None else (units[TOOK_PART] > 0).ifelse(1, 0).cast("int32")
    units = units.mutate(**{TOOK_PART: did, "day": wall_clock(units.anchor, basis.clock.time_zone).date()})
    sums = {}
    for name, outcome in outcomes.items():
        sums[f"{name}_above"] = units[f"{name}_over"].sum()
        sums[f"{name}_below"] = (
            units[f"{name}_under"].sum() if isinstance(outcome, Ratio) else units.count().cast("float64")
        )
    return units.group_by("day", GROUP, TOOK_PART).aggregate(users=units.count(), **sums)


def calendar_days(
    events: ir.Table,
    basis: Basis,
    behaviour: Behaviour | None,
    *,
    start: datetime,
    end: datetime,
    groups: ir.Table | None = None,
) -> ir.Table:
    """One row per date of the site and group: ``day, launch_group, users, acts``: active users, and what they did.

    Args:
        events: the event log.
        basis: clock, activity, engine.
        behaviour: what is counted; None counts nothing.
        start, end: of the dates.
        groups: as for `new_users`.
    """
    import ibis

    log = active_events(bounded(events, start, end), basis)
    log = log.mutate(**{GROUP: ibis.literal("")}) if groups is None else log.join(groups, "user_id")
    log = log.mutate(day=wall_clock(log.time, basis.clock.time_zone).date())
    acts = ibis.literal(0) if behaviour is None else how_many(matches(log, behaviour, basis))
    return log.group_by("day", GROUP).aggregate(users=log.user_id.nunique(), acts=acts)
