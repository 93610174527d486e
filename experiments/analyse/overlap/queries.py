"""Ibis queries about units exposed to two experiments. Nothing is run here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from events.counting.day_index import utc
from events.counting.unit_values import Basis
from experiments.analyse.gather import queries
from experiments.plan.question import Question

if TYPE_CHECKING:
    import ibis.expr.types as ir


def before(exposures: ir.Table, until: datetime) -> ir.Table:
    """Exposures before a moment."""
    return exposures.filter(exposures.time < utc(until))


def of_planned_arms(met: ir.Table, arms: Sequence[str]) -> ir.Table:
    """Rows of `gather.queries.met` whose first arm is planned."""
    return met.filter(met.variant.isin(list(arms)))


def both(first: ir.Table, second: ir.Table) -> ir.Table:
    """The first's units that were exposed to the second too; `segment` holds their arm in the second.

    `segment` is used because every later query passes this column on, and none of them needs real segments here.
    """
    other = second.select("user_id", other=second.variant)
    joined = first.join(other, "user_id")
    return joined.mutate(segment=joined.other).select(first.columns)


def counts(shared: ir.Table) -> ir.Table:
    """One row for each pair of arms: ``variant, segment, units``."""
    return shared.group_by("variant", "segment").aggregate(units=shared.count())


def sizes(met: ir.Table) -> ir.Table:
    """One row for each arm: ``variant, units``."""
    return met.group_by("variant").aggregate(units=met.count())


def cells(
    events: ir.Table, shared: ir.Table, asked: Question, basis: Basis, *, first_anchor: datetime, most_days: int
) -> ir.Table:
    """Moments of the outcome by arm and by arm of the other experiment, as `gather.queries.cells`."""
    import ibis

    units = queries.units(events, shared, asked, basis)
    values = queries.unit_values(events, units, asked, basis, first_anchor=first_anchor, most_days=most_days)
    # One row for each pair of arms: weeks aren't needed here.
    return queries.cells(values.mutate(week=ibis.literal(0)), asked, ())
