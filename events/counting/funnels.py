"""Funnels as an expression: how many steps each unit completed. Nothing runs here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.counting.unit_values import Basis, in_window, matches, since_anchor

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from events.metrics import Funnel


def came_through(events: ir.Table, users: ir.Table, funnel: Funnel, basis: Basis) -> ir.Table:
    """One row per unit with an event of a step in the window: ``user_id, value``, the steps completed in order.

    A step is completed at its first occurrence after the step before; events at the same moment have no order, so the
    later step needs a later moment. Taking the first occurrence never misses a completion: any later one leaves less
    room.
    """
    import ibis

    named = events.filter(events.event.isin(sorted({step.event for step in funnel.steps})))
    log = in_window(since_anchor(named, users, basis), funnel.window)
    steps = {f"step_{k}": matches(log, step, basis) for k, step in enumerate(funnel.steps)}
    log = log.select("user_id", "time", **steps)
    unit = ibis.window(group_by="user_id")
    for k in range(len(funnel.steps)):
        inside = log[f"step_{k}"] if k == 0 else log[f"step_{k}"] & (log.time > log[f"at_{k - 1}"]).fill_null(False)
        log = log.mutate(**{f"at_{k}": inside.ifelse(log.time, ibis.null(log.time.type())).min().over(unit)})
    done = [log[f"at_{k}"].notnull().ifelse(1, 0).max() for k in range(len(funnel.steps))]
    return log.group_by("user_id").aggregate(value=sum(done[1:], done[0]))
