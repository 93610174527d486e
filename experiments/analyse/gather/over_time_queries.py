"""Ibis queries about the days after exposure: activity, churn and time to churn. Nothing is run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.counting import queries
from events.counting.day_bits import active_on, churn
from events.counting.unit_values import Basis

if TYPE_CHECKING:
    import ibis.expr.types as ir


def exposures_by_day(values: ir.Table) -> ir.Table:
    """First exposures: ``exposed_on, arm, units``."""
    return values.group_by("exposed_on", "arm").aggregate(units=values.count())


def durations(values: ir.Table, gap: int, words: int) -> ir.Table:
    """Time to churn: ``arm, segment, churn_word, churn_bit, censored_on, units`` (`events.counting.day_bits.churn`).

    A unit without churn is censored on its last day on which churn could be seen
    (`events.counting.queries.survival_times`).
    """
    table = churn(values, gap, words)
    table = table.mutate(censored_on=table.churn_word.isnull().ifelse(table.complete_days - gap - 1, 0).cast("int64"))
    return table.group_by("arm", "segment", "churn_word", "churn_bit", "censored_on").aggregate(units=table.count())


def long_durations(events: ir.Table, units: ir.Table, basis: Basis, gap: int) -> ir.Table:
    """The same for a gap that doesn't fit into the bit words: ``arm, segment, duration, churned, units``."""
    table = queries.survival_times(events, units, basis, gap)
    return table.group_by("arm", "segment", "duration", "churned").aggregate(units=table.count())


def complete_days(values: ir.Table) -> ir.Table:
    """Follow-up: ``arm, complete_days, verified, units`` and ``seen``, units with any event but exposures."""
    return values.group_by("arm", "complete_days", "verified").aggregate(
        units=values.count(), seen=(values.seen > 0).ifelse(1, 0).sum()
    )


def curve(values: ir.Table, days: int) -> ir.Table:
    """Active units: ``arm, a_0, …, a_days``, counting on each day the units observed for all of that day."""
    active = {
        f"a_{day}": (active_on(values, day) & (values.complete_days > day)).ifelse(1, 0).sum()
        for day in range(days + 1)
    }
    return values.group_by("arm").aggregate(**active)
