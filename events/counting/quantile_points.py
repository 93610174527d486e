"""Quantiles of a number per unit, computed in the warehouse without sorting units. Nothing runs here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

ROUNDING = 1e-9  # of a share: .1 x 10 units is one unit, despite rounding of floats


def quantile_points(
    table: ir.Table, column: str, shares: Mapping[str, Callable[[ir.Table], ir.Value] | float], *, by: str
) -> ir.Table:
    """One row per group: ``by, units``, and for each share the smallest value that at least this share doesn't exceed.

    Each value also has ``NAME_units``, the number of units with exactly this value.

    Equal values are counted before they are ordered, so that a count with few distinct values stays a small query.

    Args:
        table: one row per unit; nulls are left out.
        column: the number per unit.
        shares: by name 0 to 1, or an expression of the group's column.
        by: the column of the groups.
    """
    import ibis

    known = table.filter(table[column].notnull())
    counted = known.group_by(by, column).aggregate(units=known.count())
    upwards = ibis.window(group_by=by, order_by=column, preceding=None, following=0)
    counted = counted.mutate(
        until=counted.units.sum().over(upwards), everybody=counted.units.sum().over(ibis.window(group_by=by))
    )
    found = {}
    for name, share in shares.items():
        reached = counted.until >= ((share(counted) if callable(share) else share) - ROUNDING) * counted.everybody
        found[name] = counted[column].min(where=reached)
        found[f"{name}_units"] = counted.until.min(where=reached) - counted.until.max(where=~reached).fill_null(0)
    return counted.group_by(by).aggregate(units=counted.units.sum(), **found)
