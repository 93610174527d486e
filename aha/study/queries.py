"""Queries of a study, as Ibis expressions: signups and counts of behaviours. Nothing runs here.

The full grid of cells costs one grouped scan (`histogram`); the matrix of a sample costs another (`unit_counts`). Both
read the same rows in the same way, so that their counts agree exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from aha.study.level_before import LevelBefore
from events.metrics import ActiveDays, Behaviour, Retention, Survival
from events.warehouse import queries
from events.warehouse.unit_values import Basis, how_many, of_days
from events.windows import Window

if TYPE_CHECKING:
    import ibis.expr.types as ir

SESSION_GAP = timedelta(minutes=30)


def units(
    events: ir.Table, users: ir.Table, basis: Basis, definition: Retention, level: LevelBefore | None = None
) -> ir.Table:
    """One row per signup of the cohort: ``user_id, anchor, anchor_date, complete_days, mature, retained``.

    With a level also ``at_level``: whether the unit was at it, null where it is too young to tell.

    `retained` is null where the unit is too young: such units are counted as excluded, never as churned. The result is
    fetched once; with a number per unit it is passed as `users` to the other queries.

    Args:
        events: the event log.
        users: the cohort.
        basis: clock, data's end, dates of the cohort.
        definition: of retention.
        level: of activity, on days before retention.
    """
    if level is None or isinstance(definition, Survival):
        return queries.retention(events, users, basis, definition)
    asked = {"retained": definition, "at_level": ActiveDays(level.window)}
    table = queries.outcomes(events, users, basis, asked)
    at_level = table.at_level.between(level.least, level.most)
    return table.mutate(at_level=at_level, mature=queries.mature(table, definition.window))


def unit_counts(
    events: ir.Table,
    users: ir.Table,
    basis: Basis,
    *,
    days: Sequence[int],
    behaviours: Sequence[Behaviour] | None = None,
) -> ir.Table:
    """One row per unit and behaviour that it did: ``unit, retained, behaviour`` and one ``n_Y`` for every Y of `days`.

    Args:
        events: the event log.
        users: eligible units: ``user_id, anchor, anchor_date, unit, retained``; `unit` is a number, since grouping by
            numbers is cheaper than by names.
        basis: clock, data's end, engine.
        days: the Y values, ascending; ``n_Y`` counts days 0 to Y - 1.
        behaviours: what to count; None takes every event name but exposures.
    """
    keep = ("unit", "retained")
    log = queries.occurrences(events, users, basis, days=max(days), behaviours=behaviours, keep=keep)
    if behaviours is None:
        return log.group_by(*keep, "behaviour").aggregate(**_within(log, days))
    counts = log.group_by(*keep, "place").aggregate(**_within(log, days))
    return counts.join(_listed(behaviours), "place").select(*keep, "behaviour", *map(_name, days))


def histogram(
    events: ir.Table,
    users: ir.Table,
    basis: Basis,
    *,
    days: Sequence[int],
    cap: int,
    behaviours: Sequence[Behaviour] | None = None,
) -> ir.Table:
    """Number of units by behaviour and number of times: ``behaviour, retained, units`` and ``n_Y`` capped at `cap`.

    Sums of it give every cell of the grid with times up to `cap`. Units that never did a behaviour have no row.
    """
    if behaviours is None:
        counts = unit_counts(events, users, basis, days=days)
        return _heights(counts, ("behaviour", "retained"), days, cap)
    # Unit, whether it was retained, and behaviour as one number, since this grouping takes nearly all of the time.
    listed = len(behaviours)
    offset = (users.retained > 0).ifelse(listed, 0)
    users = users.mutate(slot=users.unit.cast("int64") * (2 * listed) + offset)
    log = queries.occurrences(events, users, basis, days=max(days), behaviours=behaviours, keep=("slot",))
    log = log.mutate(slot=log.slot + log.place)
    counts = log.group_by("slot").aggregate(**_within(log, days))
    bars = _heights(counts.mutate(place=counts.slot % (2 * listed)), ("place",), days, cap)
    bars = bars.mutate(retained=(bars.place >= listed).ifelse(1.0, 0.0), place=(bars.place % listed).cast("int32"))
    return bars.join(_listed(behaviours), "place").select("behaviour", "retained", *map(_name, days), "units")


def _within(log: ir.Table, days: Sequence[int]) -> dict[str, ir.Value]:
    """``n_Y``: number of rows of the log on days 0 to Y - 1."""
    numbers = {y: log.count() if y == max(days) else how_many(log.day < y) for y in days}
    return {_name(y): number.cast("int32") for y, number in numbers.items()}


def _heights(counts: ir.Table, keys: Sequence[str], days: Sequence[int], cap: int) -> ir.Table:
    """The keys, ``n_Y`` capped at `cap`, and ``units``, the number of rows with these values."""
    import ibis

    counts = counts.mutate(**{_name(y): ibis.least(counts[_name(y)], cap) for y in days})
    return counts.group_by(*keys, *map(_name, days)).aggregate(units=counts.count())


def _listed(behaviours: Sequence[Behaviour]) -> ir.Table:
    """``place, behaviour``, with the indices that `queries.matching` gives."""
    import ibis

    names = [str(behaviour) for behaviour in dict.fromkeys(behaviours)]
    rows = {"place": list(range(len(names))), "behaviour": names}
    return ibis.memtable(rows, schema={"place": "int32", "behaviour": "string"})


def active_days(events: ir.Table, users: ir.Table, basis: Basis, *, days: Sequence[int]) -> ir.Table:
    """One row per unit: ``user_id`` and for every Y of `days` ``active_Y``, its active days among days 0 to Y - 1."""
    active = queries.activity_days(events, users, basis, Window(0, max(days) - 1))
    numbers = {f"active_{y}": (active.day < y).ifelse(1, 0).sum().cast("int32") for y in days}
    return active.group_by("user_id").aggregate(**numbers)


def daily_counts(
    events: ir.Table, users: ir.Table, basis: Basis, *, days: int, behaviours: Sequence[Behaviour]
) -> ir.Table:
    """One row per unit, behaviour and day 0 to `days` - 1 on which it was done: ``unit, behaviour, day, n``.

    `users` is a sample, small enough to fetch the result.
    """
    log = queries.occurrences(events, users, basis, days=days, behaviours=behaviours, keep=("unit",))
    return log.group_by("unit", "behaviour", "day").aggregate(n=log.count().cast("int32"))


def days_active(events: ir.Table, users: ir.Table, basis: Basis, *, days: int) -> ir.Table:
    """One row per unit and active day among days 0 to `days` - 1: ``unit, day``. `users` is a sample."""
    active = queries.activity_days(events, users, basis, Window(0, days - 1))
    return active.join(users.select("user_id", "unit"), "user_id").select("unit", "day")


def first_times(events: ir.Table, basis: Basis, behaviours: Sequence[Behaviour]) -> ir.Table:
    """When each behaviour first appears in the whole log: ``behaviour, first_time``; no row for one that never does."""
    log = queries.matching(events, behaviours, basis)
    return log.group_by("behaviour").aggregate(first_time=log.time.min())


def first_sessions(
    events: ir.Table, users: ir.Table, basis: Basis, behaviours: Sequence[Behaviour], *, days: int
) -> ir.Table:
    """Number of doers, and of those who first did it in their first session: ``behaviour, doers, in_first_session``.

    The first session begins at the anchor and ends with the first pause of 30 minutes, or after one day. Only acts
    within `days` days of the anchor count. `users` is a sample: only the share is used.
    """
    import ibis

    slim, events = users.select("user_id", "anchor"), of_days(events, basis, Window(0, max(days - 1, 0)))
    log = events.join(slim, "user_id")
    log = log.filter(log.time >= log.anchor, log.time < log.anchor + ibis.interval(days=1))
    order = ibis.window(group_by="user_id", order_by="time")
    log = log.select("user_id", "time", before=log.time.lag().over(order))
    pauses = log.filter(log.time >= log.before + ibis.interval(seconds=int(SESSION_GAP.total_seconds())))
    ends = pauses.group_by("user_id").aggregate(session_end=pauses.time.min())

    done = queries.matching(events, behaviours, basis).join(slim, "user_id")
    done = done.filter(done.time >= done.anchor, done.time < done.anchor + ibis.interval(days=days))
    firsts = done.group_by("user_id", "behaviour").aggregate(first=done.time.min(), anchor=done.anchor.min())
    firsts = firsts.left_join(ends, "user_id")
    end = ibis.coalesce(firsts.session_end, firsts.anchor + ibis.interval(days=1))
    inside = (firsts.first < end).ifelse(1, 0)
    return firsts.group_by("behaviour").aggregate(doers=firsts.count(), in_first_session=inside.sum())


def signup_properties(events: ir.Table, users: ir.Table, basis: Basis, signup: str) -> ir.Table:
    """One row per unit: ``user_id, properties``, the JSON text of the event that started its clock.

    They were known before any behaviour. `users` is a sample.
    """
    log = of_days(events, basis, Window(0, 0))
    log = log if signup == "*" else log.filter(log.event == signup)
    log = log.join(users.select("user_id", "anchor"), "user_id")
    log = log.filter(log.time == log.anchor)
    return log.group_by("user_id").aggregate(properties=log.properties.min())


def reached_by_week(
    events: ir.Table, users: ir.Table, basis: Basis, behaviour: Behaviour, *, days: int, times: int
) -> ir.Table:
    """One row per signup week: ``week, signups, eligible, reached``; `week` is its Monday.

    Only units whose `days` days are complete are eligible, and only they are counted in `reached`.
    """
    ready = users.mutate(ready=queries.mature(users, Window(0, days - 1)), week=users.anchor_date.truncate("W"))
    log = queries.occurrences(events, ready, basis, days=days, behaviours=[behaviour])
    counted = log.group_by("user_id").aggregate(n=log.count())
    table = ready.left_join(counted, "user_id")
    did = table.ready & (table.n.fill_null(0) >= times)
    weeks = table.group_by("week").aggregate(
        signups=table.count(), eligible=table.ready.ifelse(1, 0).sum(), reached=did.ifelse(1, 0).sum()
    )
    return weeks.order_by("week")


def standing_of_units(
    events: ir.Table, users: ir.Table, basis: Basis, behaviour: Behaviour, *, days: int, times: int
) -> ir.Table:
    """One row per unit: ``user_id, standing``, which is "reached", "not_yet" (days are left) or "missed"."""
    ready = users.mutate(ready=queries.mature(users, Window(0, days - 1)))
    log = queries.occurrences(events, ready, basis, days=days, behaviours=[behaviour])
    counted = log.group_by("user_id").aggregate(n=log.count())
    table = ready.left_join(counted, "user_id")
    open_or_over = table.ready.ifelse("missed", "not_yet")
    return table.select("user_id", standing=(table.n.fill_null(0) >= times).ifelse("reached", open_or_over))


def _name(days: int) -> str:
    return f"n_{days}"
