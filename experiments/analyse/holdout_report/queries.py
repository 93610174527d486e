"""Ibis queries of a holdout report: which units count, and their outcomes. Nothing is run here.

Exposures are removed from the log first: only the rest has them, so an exposure that starts a unit's days, or counts as
activity, would make the sides incomparable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from events.counting import queries
from events.counting.day_index import utc
from events.counting.unit_values import Basis
from events.schema import EXPOSURE_EVENTS
from experiments.analyse.holdout_report.holdout_question import HoldoutQuestion, Population, definitions

if TYPE_CHECKING:
    import ibis.expr.types as ir


def without_exposures(events: ir.Table, basis: Basis) -> ir.Table:
    """The log up to the data's end, without exposure events."""
    return events.filter(~events.event.isin(EXPOSURE_EVENTS), events.time < utc(basis.data_end))


def population(log: ir.Table, asked: HoldoutQuestion, basis: Basis) -> ir.Table:
    """The units that count, with their clocks: ``user_id, anchor, anchor_date, complete_days``.

    Args:
        log: the result of `without_exposures`.
        asked: the plan.
        basis: clock and data's end.
    """
    since = utc(basis.clock.midnight(asked.since))
    own = log.filter(log.event == asked.signup_event) if asked.population is Population.SIGNUP else log
    users = own.group_by("user_id").aggregate(anchor=own.time.min())
    if asked.population is Population.KNOWN_BEFORE:
        users = users.filter(users.anchor < since)
        return queries.with_clock(users.mutate(anchor=since), basis)
    return queries.with_clock(users.filter(users.anchor >= since), basis)


def outcome_by_unit(log: ir.Table, users: ir.Table, asked: HoldoutQuestion, basis: Basis) -> ir.Table:
    """One row per unit: ``user_id, v`` (and ``w``, the denominator of a ratio), null where it isn't mature."""
    since = utc(basis.clock.midnight(asked.since))
    columns: Any = definitions(asked.outcome)
    table = queries.outcomes(log.filter(log.time >= since), users, basis, columns)
    return table.select("user_id", *(table[name].cast("float64").name(name) for name in columns))
