"""What users did on each day, for the balance of an event, as Ibis expressions. Nothing runs here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from events.metrics import Behaviour
from events.warehouse.columns import bounded, text_of, wall_clock
from events.warehouse.unit_values import Basis, active_events, how_many, matches

if TYPE_CHECKING:
    import ibis.expr.types as ir

GROUP = "event_group"  # the place of a user's group


def active_users(events: ir.Table, basis: Basis, *, start: datetime, end: datetime) -> ir.Table:
    """One row: how many ``users`` were active between two moments."""
    log = active_events(bounded(events, start, end), basis)
    return log.aggregate(users=log.user_id.nunique())


def user_days(
    events: ir.Table,
    basis: Basis,
    behaviours: Sequence[Behaviour],
    *,
    start: datetime,
    end: datetime,
    one_in: int = 1,
    groups: ir.Table | None = None,
) -> ir.Table:
    """One row per user and date of the site with activity: ``user_id, day, event_group`` and ``b_0, b_1, …``.

    Args:
        events: the event log.
        basis: clock, activity, engine.
        behaviours: ``b_K`` counts how often the K-th was done on that date.
        start, end: of the dates.
        one_in: of so many users one is taken, by the engine's hash of the id.
        groups: ``user_id, event_group`` of those who take part; None for everybody, in group 0.
    """
    import ibis

    log = active_events(bounded(events, start, end), basis)
    if one_in > 1:
        log = log.filter(text_of(log).hash() % one_in == 0)
    log = log.mutate(**{GROUP: ibis.literal(0, "int64")}) if groups is None else log.join(groups, "user_id")
    log = log.mutate(day=wall_clock(log.time, basis.clock.time_zone).date())
    counts = {f"b_{place}": how_many(matches(log, behaviour, basis)) for place, behaviour in enumerate(behaviours)}
    return log.group_by("user_id", "day", GROUP).aggregate(**counts)
