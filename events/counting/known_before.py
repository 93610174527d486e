"""Covariates known before a moment of each unit, as Ibis expressions: signup properties and active days.

Every covariate of an experiment comes from here and is bound to its moment: a later signup, and events from day 0 on,
were not known at assignment (docs/methods/comparison.md, "Only what was known before"). Nothing runs here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from events.counting.day_index import day_index, local_date, utc
from events.counting.properties import property_text
from events.counting.unit_values import Basis, active_events

if TYPE_CHECKING:
    import ibis.expr.types as ir

OTHER = "other"

MOST_LEVELS = 10  # of a covariate: rarer ones are pooled as "other"


def with_signup(
    events: ir.Table, table: ir.Table, event: str, names: Mapping[str, str], moment: str, basis: Basis
) -> ir.Table:
    """Add ``signed_up``, the unit's first signup if it is no later than its moment, and that signup's properties.

    Args:
        events: the event log.
        table: has ``user_id`` and the column `moment`.
        event: name of the signup event.
        names: property by the name of its text column; "" if the signup is later or lacks the property.
        moment: column of the moment before which it must be known.
        basis: engine.
    """
    import ibis

    log = events.filter(events.event == event)
    first = log.group_by("user_id").aggregate(
        signed_up=log.time.min(), said=log.properties.fill_null("{}").argmin(log.time)
    )
    joined = table.left_join(first, "user_id").drop("user_id_right")
    before = joined.signed_up <= joined[moment]
    said = {
        column: before.ifelse(property_text(joined.said, name, basis.dialect), ibis.null("string")).fill_null("")
        for column, name in names.items()
    }
    return joined.mutate(signed_up=before.ifelse(joined.signed_up, ibis.null("timestamp")), **said).drop("said")


def with_active_days(events: ir.Table, table: ir.Table, days: int, column: str, moment: str, basis: Basis) -> ir.Table:
    """Add, as text, the number of different active days among the `days` days before the moment.

    Args:
        events: the event log.
        table: has ``user_id`` and the column `moment`.
        days: at least 1.
        column: of the number.
        moment: column of the moment that begins day 0.
        basis: clock, data's end, activity.
    """
    import ibis

    slim = table.select("user_id", _at=table[moment], _date=local_date(table[moment], basis.clock))
    log = active_events(events.filter(events.time < utc(basis.data_end)), basis).join(slim, "user_id")
    # A day and an hour more than the longest possible stretch: a cheap filter; the day index decides.
    log = log.filter(log.time < log["_at"], log.time >= log["_at"] - ibis.interval(days=days + 2))
    log = log.mutate(day=day_index(log.time, log["_at"], log["_date"], basis.clock, basis.dialect))
    log = log.filter(ibis._.day.between(-days, -1))
    found = log.group_by("user_id").aggregate(_days=log.day.nunique())
    joined = table.left_join(found, "user_id").drop("user_id_right")
    return joined.mutate(**{column: joined["_days"].fill_null(0).cast("string")}).drop("_days")


def level_counts(values: ir.Table, column: str, most: int) -> ir.Table:
    """The most frequent levels of a covariate: ``level, units``, without the missing level ""."""
    import ibis

    table = values.mutate(level=values[column])
    table = table.filter(table.level != "").group_by("level").aggregate(units=ibis._.count())
    return table.order_by([ibis.desc("units"), "level"]).limit(most)


def pooled(level: ir.StringValue, kept: Sequence[str]) -> ir.StringValue:
    """The level, or "other" if it isn't among those kept."""
    return level.isin(["", *kept]).ifelse(level, OTHER)
