"""An SQL metric as a subquery: its SELECT over the events that it may see. Nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from events.counting.properties import property_text
from events.counting.unit_values import Basis, amount, in_window, since_anchor
from events.expressions.gate import checked
from events.expressions.statement import UNIT, VALUE
from events.schema import EXPOSURE_EVENTS

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from events.metrics import Expression


def selected(events: ir.Table, users: ir.Table, expression: Expression, basis: Basis) -> ir.Table:
    """One row per unit that the SELECT returns: ``user_id, value``.

    It sees these units' events in the window before the end of the data, without exposures; `day` and `seconds` count
    from the unit's anchor. Properties are extracted here, so that the SELECT contains no engine-specific JSON.
    """
    found = checked(expression.sql)
    seen, name = _seen(events, users, expression, basis)
    sql = found.sql(dialect=basis.dialect, table=name, window=expression.window)
    return _asked(seen, name, sql, {VALUE: "float64"})


def comparing(events: ir.Table, users: ir.Table, expression: Expression, basis: Basis) -> tuple[ir.Table, int]:
    """The result of each comparison of an SQL metric: ``user_id, c_0, c_1, …``, 1 or 0, and the number of comparisons.

    It sees what `selected` sees; a unit without any such event has no row.
    """
    found = checked(expression.sql)
    seen, name = _seen(events, users, expression, basis)
    sql, number = found.comparisons(dialect=basis.dialect, table=name, window=expression.window)
    return _asked(seen, name, sql, {f"c_{at}": "int64" for at in range(number)}), number


def _seen(events: ir.Table, users: ir.Table, expression: Expression, basis: Basis) -> tuple[ir.Table, str]:
    """The events that the SELECT may see, and a name for them."""
    found = checked(expression.sql)
    log = in_window(since_anchor(events.filter(~events.event.isin(EXPOSURE_EVENTS)), users, basis), expression.window)
    seconds = log.time.epoch_seconds().cast("int64") - log.anchor.epoch_seconds().cast("int64")
    texts = {
        f"property_{at}": property_text(log.properties, name, basis.dialect) for at, name in enumerate(found.properties)
    }
    numbers = {f"number_{at}": amount(log, name, basis) for at, name in enumerate(found.numbers)}
    seen = log.select(UNIT, "event", day=log.day.cast("float64"), seconds=seconds.cast("float64"), **texts, **numbers)
    # The same table always gets the same name: two different tables must never share one.
    return seen, f"seen_{hash(seen.op()) & (2**64 - 1):x}"


def _asked(seen: ir.Table, name: str, sql: str, columns: Mapping[str, str]) -> ir.Table:
    import ibis
    import ibis.expr.operations as ops

    schema = ibis.schema({UNIT: seen[UNIT].type(), **columns})
    return ops.SQLStringView(parent=seen.alias(name).op(), query=sql, schema=schema).to_expr()
