"""Query for a metric check: the metric's number for each unit of some weeks. Nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from events.counting import queries
from events.counting.day_index import utc
from events.counting.unit_values import Basis, is_select

if TYPE_CHECKING:
    import ibis.expr.types as ir


def past_units(
    events: ir.Table, basis: Basis, parts: Mapping[str, Any], *, signup_event: str, start: datetime, end: datetime
) -> ir.Table:
    """One row per unit that began in these weeks: ``user_id, anchor`` and one column per part.

    Beside an SQL metric, as ``NAME_row``, 1.0 where its SELECT has a row for the unit, else 0.0.

    Args:
        events: the event log.
        basis: clock, data's end, activity, engine.
        parts: values or retentions by the name of their column, with caps left off.
        signup_event: what starts a unit's clock; ``*`` for its first event in these weeks, even if it was active
            before.
        start, end: the weeks; all days that the parts need are complete after their end.
    """
    log = events.filter(events.time >= utc(start)) if signup_event == "*" else events
    users = queries.cohort(log, signup_event, basis)
    users = users.filter(users.anchor >= utc(start), users.anchor < utc(end))
    selects = [name for name, part in parts.items() if is_select(part)]
    found = queries.outcomes(events, users, basis, dict(parts), has_row=selects)
    return found.select("user_id", "anchor", *parts, *[f"{name}_row" for name in selects])
