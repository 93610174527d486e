"""Queries of units' behaviour in a window: activity per unit, and counts per unit, behaviour and half of its days.

Both use the units' numbers and never return events; `segments.search.gather` turns the results into arrays.
With the halves, profiles are tested on days that formed no cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from events.metrics import Behaviour
from events.schema import EXPOSURE_EVENTS
from events.warehouse.queries import activity_days, activity_since_anchor, counts, mature, occurrences
from events.warehouse.unit_values import Basis, active_events, since_anchor
from events.windows import Window

if TYPE_CHECKING:
    import ibis.expr.types as ir

SESSION_GAP_MINUTES = 30
# Primes of the hash of (unit, day) below, small enough that products of two of its numbers fit in 64 bits everywhere.
PRIME, STEP = 1_000_003, 7_919


def eligible(users: ir.Table, window: Window, outcome: Window | None = None) -> ir.Table:
    """The units whose window, and outcome window if there is one, is complete."""
    ready = mature(users, window)
    return users.filter(ready if outcome is None else ready & mature(users, outcome))


def numbered(users: ir.Table) -> ir.Table:
    """The users with a number in ``unit``, from 0: grouping a million users by numbers is cheaper than by ids."""
    import ibis

    return users.mutate(unit=ibis.row_number().over(ibis.window(order_by="user_id")).cast("int32"))


def days(events: ir.Table, users: ir.Table, basis: Basis, window: Window) -> ir.Table:
    """One row per unit and active day: ``unit, day, starts``; `starts` is the number of sessions that began on it.

    Args:
        events: the event log.
        users: eligible units with their clocks, `numbered`.
        basis: clock, data's end, what counts as activity.
        window: with an end.

    A new session begins after more than 30 minutes without activity.
    """
    import ibis

    log = since_anchor(active_events(events, basis), users, basis, "unit", window=window)
    before = log.time.lag().over(ibis.window(group_by="unit", order_by="time"))
    pause = log.time > before + ibis.interval(minutes=SESSION_GAP_MINUTES)
    log = log.select("unit", "day", starts=(before.isnull() | pause).ifelse(1, 0))
    rows = log.group_by("unit", "day").aggregate(starts=log.starts.sum())
    return rows.select("unit", day=rows.day.cast("int32"), starts=rows.starts.cast("int32"))


def halves(days: ir.Table, users: ir.Table, *, seed: int = 1) -> ir.Table:
    """The days with their random ``half``, 0 or 1; the halves' sizes differ by at most one.

    Days are ordered by a hash of the unit's anchor, the day and the seed, in integers only, so that every engine splits
    equally (engines' own hashes differ), and assigned alternately. The hash doesn't depend on later behaviour. Where a
    log has dates only, units that start on the same date share one order of days.
    """
    import ibis

    dealt = days.join(users.select("unit", "anchor"), "unit")
    moment = dealt.anchor
    second = moment.second().cast("float64").floor()  # Spark's has a fraction, which Ibis takes for a whole number
    since = moment.day_of_year() * 86_400 + moment.hour() * 3_600 + moment.minute() * 60 + second
    own = (since.cast("int64") * STEP + seed * STEP) % PRIME
    step = dealt.day.cast("int64") + 1
    key = (own * step + (own + STEP) % PRIME * step % PRIME * step) % PRIME
    dealt = dealt.mutate(own=own, key=key)
    place = ibis.row_number().over(ibis.window(group_by="unit", order_by=["key", "day"]))
    return dealt.select("unit", "day", "starts", half=((place + dealt.own) % 2).cast("int32"))


def activity(days: ir.Table) -> ir.Table:
    """One row per unit with an active day: ``unit, active_days, sessions, last_day``; of `halves` also ``second``.

    `second` is the number of its active days in the second half.
    """
    numbers = {"active_days": days.count(), "sessions": days.starts.sum(), "last_day": days.day.max()}
    if "half" in days.columns:
        numbers["second"] = days.half.sum()
    totals = days.group_by("unit").aggregate(**numbers)
    return totals.cast(dict.fromkeys(numbers, "int32"))


def pattern(
    events: ir.Table,
    users: ir.Table,
    basis: Basis,
    window: Window,
    behaviours: Sequence[Behaviour],
    *,
    halves: ir.Table | None = None,
) -> ir.Table:
    """One row per unit and behaviour that it did: ``unit, place, n``; `place` is the behaviour's in the given order.

    Args:
        events: the event log.
        users: eligible units with their clocks, `numbered`.
        basis: clock, data's end, what counts as activity.
        window: with an end.
        behaviours: what to count, at least one.
        halves: the days of these units by halves: ``second`` is then the part of `n` in the second half.

    Events on days without activity (where the project defines which events are activity) are not counted, since rates
    are per active day. The result is in long form: sixty columns for each of a million units would take gigabytes.
    """
    import ibis

    if window.end_day is None:
        raise ValueError("a play pattern needs a window with an end")
    first, end, keep = window.start_day, window.end_day + 1, ("unit",)
    log = occurrences(events, users, basis, days=end, first_day=first, behaviours=behaviours, keep=keep)
    if halves is not None:
        log = log.cast({"day": "int32"}).join(halves.select("unit", "day", "half"), ["unit", "day"])
    elif basis.activity is not None or any(behaviour.event in EXPOSURE_EVENTS for behaviour in behaviours):
        # Otherwise every counted event is activity, so that its day is active.
        log = log.semi_join(activity_days(events, users, basis, window), ["user_id", "day"])
    names = [str(behaviour) for behaviour in behaviours]
    places = ibis.memtable(
        {"behaviour": names, "place": list(range(len(names)))}, schema={"behaviour": "string", "place": "int32"}
    )
    log = log.join(places, "behaviour")
    numbers = {"n": log.count()} | ({} if halves is None else {"second": log.count(where=log.half == 1)})
    return log.group_by("unit", "place").aggregate(**numbers).cast(dict.fromkeys(numbers, "int32"))


def life(events: ir.Table, users: ir.Table, basis: Basis) -> ir.Table:
    """One row per unit over all days since its anchor: ``user_id, active_days, sessions, recency, tenure``.

    `recency` is complete days since the last activity, `tenure` complete days since the anchor.
    """
    import ibis

    log = activity_since_anchor(events, users, basis, Window(0, None))
    before = log.time.lag().over(ibis.window(group_by="user_id", order_by="time"))
    log = log.mutate(starts=(before.isnull() | (log.time > before + ibis.interval(minutes=SESSION_GAP_MINUTES))))
    totals = log.group_by("user_id").aggregate(
        active_days=log.day.nunique(), sessions=log.starts.sum(), last_day=log.day.max()
    )
    table = users.left_join(totals, "user_id")
    return table.select(
        "user_id",
        active_days=table.active_days.fill_null(0).cast("int64"),
        sessions=table.sessions.fill_null(0).cast("int64"),
        recency=(table.complete_days - table.last_day.fill_null(0)).cast("int64"),
        tenure=table.complete_days.cast("int64"),
    )


def counts_within(events: ir.Table, users: ir.Table, basis: Basis, wanted: Sequence[tuple[Behaviour, int]]) -> ir.Table:
    """One row per unit with any of the events: ``user_id, c_0, c_1, …``, each within its number of days."""
    long = counts(events, users, basis, days=max(days for _, days in wanted), behaviours=[name for name, _ in wanted])
    return long.group_by("user_id").aggregate(
        **{
            f"c_{place}": long.n.sum(where=(long.behaviour == str(name)) & (long.day < days)).fill_null(0)
            for place, (name, days) in enumerate(wanted)
        }
    )


def one_in(events: ir.Table, users: int) -> ir.Table:
    """The events of a sample of one in so many users, drawn by their numbers where they have some."""
    number = events.user_id.hash().abs() if events.user_id.type().is_string() else events.user_id
    return events.filter(number % users == 0)


def acts_within(acts: ir.Table, users: ir.Table, basis: Basis, days: int, *, distinct: bool) -> ir.Table:
    """One row per user who did it on the first days: ``user_id, n``, the number of times or of different values."""
    log = since_anchor(acts, users, basis, window=Window(0, days - 1))
    return log.group_by("user_id").aggregate(n=log.value.nunique() if distinct else log.count())


def names_among(events: ir.Table, names: Sequence[str]) -> ir.Table:
    """The names that the log has: ``event``."""
    return events.filter(events.event.isin(names)).select("event").distinct()


def active_on(events: ir.Table, users: ir.Table, basis: Basis, window: Window, least: int) -> ir.Table:
    """One row ``n``: number of units that were active on at least `least` days of the window."""
    days = activity_days(events, users, basis, window)
    active = days.group_by("user_id").aggregate(days=days.count())
    return active.filter(active.days >= least).count().name("n").as_table()
