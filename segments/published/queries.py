"""Queries of what units did on the last days of the data, for rules: all windows in one pass. Nothing runs here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from events.warehouse.activity_bits import since_1970
from events.warehouse.columns import bounded, local_date, property_text, utc
from events.warehouse.unit_values import Basis, how_many, is_activity, matches, since_anchor
from events.windows import Clock, DayMode
from segments.rules import RecentCount

if TYPE_CHECKING:
    import ibis.expr.types as ir


def recent_counts(events: ir.Table, users: ir.Table, basis: Basis, wanted: Sequence[RecentCount]) -> ir.Table:
    """One row per unit with an event in any of the windows: ``user_id, c_0, c_1, …``, in the order of `wanted`.

    Args:
        events: the event log; of it only the days from the first window's begin to the last one's end are read.
        users: the units, with their clocks: events before the anchor don't count.
        basis: the site's time zone, data's end, activity, engine.
        wanted: what to count, at least one.
    """
    import ibis

    spans = [count.days.span(basis.clock.time_zone, basis.data_end) for count in wanted]
    since, until = min(begin for begin, _ in spans), max(end for _, end in spans)
    names = {count.behaviour.event for count in wanted if count.behaviour is not None}
    some = bounded(events, since, until)
    if all(count.behaviour is not None for count in wanted):
        some = some.filter(some.event.isin(sorted(names)))
    log = since_anchor(some, users, basis)
    dates = Clock(DayMode.CALENDAR, basis.clock.time_zone)
    log = log.mutate(date=local_date(log.time, dates, (since.year, until.year)))

    def number(count: RecentCount, begin: ir.Value, end: ir.Value) -> ir.Value:
        inside = (log.time >= begin) & (log.time < end)
        if count.behaviour is None:
            return log.date.nunique(where=inside & is_activity(log, basis))
        these = inside & matches(log, count.behaviour, basis)
        if count.behaviour.distinct is None:
            return how_many(these)
        text = property_text(log.properties, count.behaviour.distinct, basis.dialect)
        return these.ifelse(text, ibis.null("string")).nunique()

    numbers = {
        f"c_{place}": number(count, utc(begin), utc(end)).cast("int64")
        for place, (count, (begin, end)) in enumerate(zip(wanted, spans, strict=True))
    }
    return log.group_by("user_id").aggregate(**numbers)


def recent_active_days(active: ir.Table, users: ir.Table, basis: Basis, wanted: Sequence[RecentCount]) -> ir.Table:
    """The same for active days alone, from `Prepared.active` in place of the log; DuckDB only."""
    rows = active.join(users.select("user_id", "anchor"), "user_id")
    rows = rows.filter(rows["last"] >= since_1970(rows.anchor))
    numbers = {}
    for place, count in enumerate(wanted):
        first, after = (
            (day - date(1970, 1, 1)).days for day in count.days.dates(basis.clock.time_zone, basis.data_end)
        )
        numbers[f"c_{place}"] = rows.local.nunique(where=(rows.local >= first) & (rows.local < after))
    return rows.group_by("user_id").aggregate(**numbers)
