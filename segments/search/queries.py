"""What units did in a window, in two questions: activity per unit, and counts per unit and random half of its days.

Both give one or two rows per unit, never events. The halves let profiles be tested on days that formed no cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from events.counting.queries import activity_days, activity_since_anchor, counts, mature
from events.counting.unit_values import Basis, in_window, since_anchor
from events.metrics import Behaviour
from events.windows import Window

if TYPE_CHECKING:
    import ibis.expr.types as ir

SESSION_GAP_MINUTES = 30
# The hash of (unit, day) below: primes, so that products of two of its numbers stay far inside 64 bits everywhere.
PRIME, STEP = 1_000_003, 7_919


def eligible(users: ir.Table, window: Window, outcome: Window | None = None) -> ir.Table:
    """The units whose window, and outcome window if there is one, is complete."""
    ready = mature(users, window)
    return users.filter(ready if outcome is None else ready & mature(users, outcome))


def activity(events: ir.Table, users: ir.Table, basis: Basis, window: Window) -> ir.Table:
    """One row per unit: ``user_id, active_days, sessions, tenure, recency``, quiet units included.

    Args:
        events: the event log.
        users: eligible units with their clocks.
        basis: clock, data's end, what counts as activity.
        window: with an end.

    A new session begins after more than 30 minutes without activity. `tenure` is complete days since the anchor at the
    data's end; `recency` is days from the last active day to the window's last day, the whole window for quiet units.
    """
    import ibis

    if window.end_day is None:
        raise ValueError("a play pattern needs a window with an end")
    log = activity_since_anchor(events, users, basis, window)
    before = log.time.lag().over(ibis.window(group_by="user_id", order_by="time"))
    log = log.mutate(starts=(before.isnull() | (log.time > before + ibis.interval(minutes=SESSION_GAP_MINUTES))))
    found = log.group_by("user_id").aggregate(
        active_days=log.day.nunique(), sessions=log.starts.sum(), last_day=log.day.max()
    )
    table = users.left_join(found, "user_id")
    return table.select(
        "user_id",
        active_days=table.active_days.fill_null(0).cast("int64"),
        sessions=table.sessions.fill_null(0).cast("int64"),
        tenure=table.complete_days.cast("int64"),
        recency=ibis.coalesce(window.end_day - table.last_day, len(window)).cast("int64"),
    )


def halves(events: ir.Table, users: ir.Table, basis: Basis, window: Window, *, seed: int = 1) -> ir.Table:
    """One row per unit and active day: ``user_id, day, half``; half 0 or 1 at random, sizes differ by at most one.

    Days are ordered by a hash of the unit's anchor, the day and the seed, in integers only, so that every engine splits
    alike (no engine's own hash does), and dealt out in turn. Nothing the unit does later enters the hash. Where a log
    has dates only, units that start on the same date share one order of days.
    """
    import ibis

    days = activity_days(events, users, basis, window)
    slim = users.select("user_id", "anchor")
    days = days.join(slim, "user_id")
    moment = days.anchor
    second = moment.second().cast("float64").floor()  # Spark's has a fraction, which Ibis takes for a whole number
    since = moment.day_of_year() * 86_400 + moment.hour() * 3_600 + moment.minute() * 60 + second
    unit = (since.cast("int64") * STEP + seed * STEP) % PRIME
    step = days.day.cast("int64") + 1
    key = (unit * step + (unit + STEP) % PRIME * step % PRIME * step) % PRIME
    days = days.mutate(unit=unit, key=key)
    place = ibis.row_number().over(ibis.window(group_by="user_id", order_by=["key", "day"]))
    return days.select("user_id", "day", half=((place + days.unit) % 2).cast("int64"))


def pattern(
    events: ir.Table, users: ir.Table, basis: Basis, window: Window, behaviours: Sequence[Behaviour], *, seed: int = 1
) -> ir.Table:
    """One row per unit and half of its active days: ``user_id, half, active_days, n_0, n_1, …`` in the given order.

    Both halves together are the whole window. Events on days that hold no activity (when the project names which events
    are) are not counted: they have no active day to be a rate of.
    """
    return _spread(
        events, users, basis, window, behaviours, halves(events, users, basis, window, seed=seed), ["user_id", "half"]
    )


def whole_pattern(
    events: ir.Table, users: ir.Table, basis: Basis, window: Window, behaviours: Sequence[Behaviour]
) -> ir.Table:
    """The same for both halves together, without parting them: one row per unit, ``user_id, active_days, n_0, …``."""
    days = activity_days(events, users, basis, window).select("user_id", "day")
    return _spread(events, users, basis, window, behaviours, days, ["user_id"])


def _spread(
    events: ir.Table,
    users: ir.Table,
    basis: Basis,
    window: Window,
    behaviours: Sequence[Behaviour],
    days: ir.Table,
    by: list[str],
) -> ir.Table:
    """Counts on these active days, a column for each behaviour."""
    if window.end_day is None:
        raise ValueError("a play pattern needs a window with an end")
    long = counts(events, users, basis, days=window.end_day + 1, first_day=window.start_day, behaviours=behaviours)
    long = long.join(days, ["user_id", "day"])
    # Small first: one row per unit, half and behaviour; only then is it spread over columns (a wide scan is slow).
    long = long.group_by(*by, "behaviour").aggregate(n=long.n.sum())
    wide = long.group_by(*by).aggregate(
        **{f"n_{index}": long.n.sum(where=long.behaviour == str(name)) for index, name in enumerate(behaviours)}
    )
    base = days.group_by(*by).aggregate(active_days=days.count())
    table = base.left_join(wide, by)
    numbers = {f"n_{index}": table[f"n_{index}"].fill_null(0).cast("int64") for index, _ in enumerate(behaviours)}
    return table.select(*by, active_days=table.active_days.cast("int64"), **numbers)


def life(events: ir.Table, users: ir.Table, basis: Basis) -> ir.Table:
    """One row per unit over its whole life so far: ``user_id, active_days, sessions, recency, tenure``.

    `recency` is complete days since the last activity, `tenure` complete days since the anchor.
    """
    import ibis

    log = activity_since_anchor(events, users, basis, Window(0, None))
    before = log.time.lag().over(ibis.window(group_by="user_id", order_by="time"))
    log = log.mutate(starts=(before.isnull() | (log.time > before + ibis.interval(minutes=SESSION_GAP_MINUTES))))
    found = log.group_by("user_id").aggregate(
        active_days=log.day.nunique(), sessions=log.starts.sum(), last_day=log.day.max()
    )
    table = users.left_join(found, "user_id")
    return table.select(
        "user_id",
        active_days=table.active_days.fill_null(0).cast("int64"),
        sessions=table.sessions.fill_null(0).cast("int64"),
        recency=(table.complete_days - table.last_day.fill_null(0)).cast("int64"),
        tenure=table.complete_days.cast("int64"),
    )


def counts_within(events: ir.Table, users: ir.Table, basis: Basis, wanted: Sequence[tuple[Behaviour, int]]) -> ir.Table:
    """One row per unit with something to count: ``user_id, c_0, c_1, …``, each within its number of days."""
    long = counts(events, users, basis, days=max(days for _, days in wanted), behaviours=[name for name, _ in wanted])
    return long.group_by("user_id").aggregate(
        **{
            f"c_{place}": long.n.sum(where=(long.behaviour == str(name)) & (long.day < days)).fill_null(0)
            for place, (name, days) in enumerate(wanted)
        }
    )


def one_in(events: ir.Table, users: int) -> ir.Table:
    """The events of one in so many users of a log whose users are numbers."""
    return events.filter(events.user_id % users == 0)


def named(users: ir.Table, names: ir.Table) -> ir.Table:
    """Users who are numbers with the ids that they have elsewhere: ``number, user_id``, by number."""
    numbers = users.select(number="user_id")
    return numbers.join(names, "number").select("number", "user_id").order_by("number")


def acts_within(acts: ir.Table, users: ir.Table, basis: Basis, days: int, *, distinct: bool) -> ir.Table:
    """One row per user who did it on the first days: ``user_id, n``, times or different values."""
    log = in_window(since_anchor(acts, users, basis), Window(0, days - 1))
    return log.group_by("user_id").aggregate(n=log.value.nunique() if distinct else log.count())


def names_among(events: ir.Table, names: Sequence[str]) -> ir.Table:
    """Those of the names that the log has: ``event``."""
    return events.filter(events.event.isin(names)).select("event").distinct()


def active_on(events: ir.Table, users: ir.Table, basis: Basis, window: Window, least: int) -> ir.Table:
    """One row ``n``: how many units were active on so many days of the window or more."""
    days = activity_days(events, users, basis, window)
    active = days.group_by("user_id").aggregate(days=days.count())
    return active.filter(active.days >= least).count().name("n").as_table()
