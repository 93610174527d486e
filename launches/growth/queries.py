"""Weeks in which users were active, for the growth model, as Ibis expressions. Nothing runs here."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from events.warehouse.columns import bounded, wall_clock
from events.warehouse.unit_values import Basis, active_events

if TYPE_CHECKING:
    import ibis.expr.types as ir

WEEK = 7


def visited_days(events: ir.Table, basis: Basis, *, start: datetime, end: datetime) -> ir.Table:
    """One row per user and date of the site with activity: ``user_id, day``.

    Args:
        events: the event log.
        basis: clock, activity.
        start, end: of the dates.
    """
    log = active_events(bounded(events, start, end), basis)
    return log.select("user_id", day=wall_clock(log.time, basis.clock.time_zone).date()).distinct()


def active_weeks(days: ir.Table, first: date) -> ir.Table:
    """One row per kind of active week: ``week, silent, gap, users``.

    `week` is counted from the first date; `silent` are the user's silent weeks before it, -1 where it is the first one;
    `gap` is how many weeks later the next active one is, 0 where there is none.

    Args:
        days: ``user_id, day``, none before the first date; a pair may stand there twice.
        first: the first date of the first week.
    """
    import ibis

    since = days.day.delta(ibis.date(first.year, first.month, first.day), unit="day").cast("int64")
    weeks = days.select("user_id", week=(since - since % WEEK) / WEEK)
    weeks = weeks.mutate(week=weeks.week.cast("int64")).distinct()
    of_user = ibis.window(group_by=weeks.user_id, order_by=weeks.week)
    rows = weeks.mutate(
        silent=(weeks.week - weeks.week.lag().over(of_user) - 1).fill_null(-1).cast("int64"),
        gap=(weeks.week.lead().over(of_user) - weeks.week).fill_null(0).cast("int64"),
    )
    return rows.group_by("week", "silent", "gap").aggregate(users=rows.count().cast("int64"))
