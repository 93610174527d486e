"""Ibis queries for quantile outcomes: each arm's quantile, and which units lie at or below. Nothing is run here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from events.counting.quantile_points import quantile_points

if TYPE_CHECKING:
    import ibis.expr.types as ir


def arm_sizes(values: ir.Table, place: int) -> ir.Table:
    """Units that are mature for an outcome: ``arm, units``."""
    table = values.filter(values[f"v_{place}"].notnull())
    return table.group_by("arm").aggregate(units=table.count())


def arm_quantiles(values: ir.Table, place: int, share: float, widths: Mapping[int, float]) -> ir.Table:
    """An outcome's quantile in each arm, those one bandwidth away, and the units on each.

    Columns: ``arm, units, at, low, high, at_units, low_units, high_units``.
    """
    import ibis

    def moved(sign: int) -> Callable[[ir.Table], ir.Value]:
        cases = [(arm, share + sign * width) for arm, width in widths.items()]
        return lambda table: ibis.cases(*((table.arm == arm, found) for arm, found in cases), else_=share)

    shares: dict[str, Callable[[ir.Table], ir.Value] | float] = {"at": share, "low": moved(-1), "high": moved(1)}
    return quantile_points(values, f"v_{place}", shares, by="arm")


def below_quantiles(values: ir.Table, quantiles: Mapping[int, Sequence[float]]) -> ir.Table:
    """The units with each quantile outcome, by its index, replaced: 1.0 at or below the arm's quantile, else 0.0."""
    import ibis

    for place, found in quantiles.items():
        value = values[f"v_{place}"]
        limit = ibis.cases(*((values.arm == arm, quantile) for arm, quantile in enumerate(found)), else_=0.0)
        inside = value.isnull().ifelse(ibis.null("float64"), (value <= limit).ifelse(1.0, 0.0))
        values = values.mutate(**{f"v_{place}": inside})
    return values
