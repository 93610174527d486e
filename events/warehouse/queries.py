"""Questions to the event log, as Ibis expressions: cohorts, days, counts, retention, values. Nothing runs here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from events.metrics import Asked, Behaviour, Capped, Expression, Funnel, Retention, Survival, outcome_window
from events.metrics.sql_gate import checked
from events.metrics.sql_statement import UNIT, VALUE
from events.schema import BY_CLIENT, BY_VISITOR, EXPOSURE_EVENTS
from events.warehouse.columns import TEXT, bounded, day_index, local_date, property_text, text_of, utc, wall_clock
from events.warehouse.unit_values import (
    EVER,
    Basis,
    active_events,
    aggregate,
    amount,
    either,
    finish,
    is_apart,
    matches,
    of_days,
    since_anchor,
    within_reach,
)
from events.windows import Clock, Window

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from events.metrics import Active, MinDays, MinEvents, Value

    type Bounded = Active | MinDays | MinEvents | Funnel | Value


# Funnels as an expression: how many steps each unit completed. Nothing runs here.


def came_through(events: ir.Table, users: ir.Table, funnel: Funnel, basis: Basis) -> ir.Table:
    """One row per unit with an event of a step in the window: ``user_id, value``, the steps completed in order.

    A step is completed at its first occurrence after the step before; events at the same moment have no order, so the
    later step needs a later moment. Taking the first occurrence never misses a completion: any later one leaves less
    room.
    """
    import ibis

    named = events.filter(events.event.isin(sorted({step.event for step in funnel.steps})))
    log = since_anchor(named, users, basis, window=funnel.window)
    steps = {f"step_{k}": matches(log, step, basis) for k, step in enumerate(funnel.steps)}
    log = log.select("user_id", "time", **steps)
    unit = ibis.window(group_by="user_id")
    for k in range(len(funnel.steps)):
        inside = log[f"step_{k}"] if k == 0 else log[f"step_{k}"] & (log.time > log[f"at_{k - 1}"]).fill_null(False)
        log = log.mutate(**{f"at_{k}": inside.ifelse(log.time, ibis.null(log.time.type())).min().over(unit)})
    done = [log[f"at_{k}"].notnull().ifelse(1, 0).max() for k in range(len(funnel.steps))]
    return log.group_by("user_id").aggregate(value=sum(done[1:], done[0]))


# An SQL metric as a subquery: its SELECT over the events that it may see. Nothing runs here.


def selected(events: ir.Table, users: ir.Table, expression: Expression, basis: Basis) -> ir.Table:
    """One row per unit that the SELECT returns: ``user_id, value``.

    It sees these units' events in the window before the end of the data, without exposures; `day` and `seconds` count
    from the unit's anchor. Properties are extracted here, so that the SELECT contains no engine-specific JSON.
    """
    query = checked(expression.sql)
    seen, name = _seen(events, users, expression, basis)
    sql = query.sql(dialect=basis.dialect, table=name, window=expression.window)
    return _asked(seen, name, sql, {VALUE: "float64"})


def comparing(events: ir.Table, users: ir.Table, expression: Expression, basis: Basis) -> tuple[ir.Table, int]:
    """The result of each comparison of an SQL metric: ``user_id, c_0, c_1, …``, 1 or 0, and the number of comparisons.

    It sees what `selected` sees; a unit without any such event has no row.
    """
    query = checked(expression.sql)
    seen, name = _seen(events, users, expression, basis)
    sql, number = query.comparisons(dialect=basis.dialect, table=name, window=expression.window)
    return _asked(seen, name, sql, {f"c_{at}": "int64" for at in range(number)}), number


def _seen(events: ir.Table, users: ir.Table, expression: Expression, basis: Basis) -> tuple[ir.Table, str]:
    """The events that the SELECT may see, and a name for them."""
    query = checked(expression.sql)
    log = since_anchor(events.filter(~events.event.isin(EXPOSURE_EVENTS)), users, basis, window=expression.window)
    seconds = log.time.epoch_seconds().cast("int64") - log.anchor.epoch_seconds().cast("int64")
    texts = {
        f"property_{at}": property_text(log.properties, name, basis.dialect) for at, name in enumerate(query.properties)
    }
    numbers = {f"number_{at}": amount(log, name, basis) for at, name in enumerate(query.numbers)}
    seen = log.select(UNIT, "event", day=log.day.cast("float64"), seconds=seconds.cast("float64"), **texts, **numbers)
    # The same table always gets the same name: two different tables must never share one.
    return seen, f"seen_{hash(seen.op()) & (2**64 - 1):x}"


def _asked(seen: ir.Table, name: str, sql: str, columns: Mapping[str, str]) -> ir.Table:
    import ibis
    import ibis.expr.operations as ops

    schema = ibis.schema({UNIT: seen[UNIT].type(), **columns})
    return ops.SQLStringView(parent=seen.alias(name).op(), query=sql, schema=schema).to_expr()


# Queries of the event log, as Ibis expressions: cohorts, days, counts, retention, values. Nothing runs here.
#
# Every function takes the normalised event table of `events.warehouse.engine` (``user_id, event, time, properties,
# …`` with naive UTC timestamps) and returns a table; the docstring names its columns. A table of *users* always has
# ``user_id, anchor, anchor_date, complete_days``, and any further columns (variant, segment) are kept.
#
# How every engine counts days alike: `events.warehouse.columns`.


def span(events: ir.Table, clock: Clock) -> ir.Table:
    """One row: ``events, users, oldest, newest, day_grain`` (True when every event falls on a local midnight)."""
    local = wall_clock(events.time, clock.time_zone)
    return events.aggregate(
        events=events.count(),
        users=events.user_id.nunique(),
        oldest=events.time.min(),
        newest=events.time.max(),
        day_grain=(local == local.truncate("D")).all(),
    )


def strangers(events: ir.Table, prefix: str) -> ir.Table:
    """One row ``events``: number of events of users whose id doesn't begin with the prefix."""
    other = events.filter(~text_of(events).startswith(prefix))
    return other.aggregate(events=other.count())


def event_names(events: ir.Table) -> ir.Table:
    """One row per event name: ``event, events, users, first_time, last_time``."""
    return events.group_by("event").aggregate(
        events=events.count(), users=events.user_id.nunique(), first_time=events.time.min(), last_time=events.time.max()
    )


def day_counts(events: ir.Table, since: datetime, until: datetime, clock: Clock) -> ir.Table:
    """What each user did on each local date between two moments: ``user_id, event, day, n, first, last``.

    Args:
        events: the event log.
        since, until: UTC moments, the second exclusive.
        clock: whose dates.
    """
    log = bounded(events, since, until)
    log = log.select("user_id", "event", "time", day=local_date(log.time, clock, (since.year, until.year)))
    return log.group_by("user_id", "event", "day").aggregate(n=log.count(), first=log.time.min(), last=log.time.max())


def first_days(counted: ir.Table, before: ir.Table | None, any_event: str) -> ir.Table:
    """Who did what for the first time on dates that lie side by side: ``user_id, event, day, first``.

    Args:
        counted: `day_counts` of these dates.
        before: what this function gave for all dates before them; None if there are none.
        any_event: the name that stands for a user's first event of any kind.
    """
    import ibis

    rows = counted.select("user_id", "event", "day", "first")
    rows = ibis.union(rows, rows.mutate(event=ibis.literal(any_event)))
    rows = rows.group_by("user_id", "event").aggregate(day=rows.day.min(), first=rows["first"].min())
    return rows if before is None else rows.anti_join(before, ["user_id", "event"])


def events_by_date(events: ir.Table, clock: Clock) -> ir.Table:
    """One row per local date with events: ``day, events``."""
    dated = events.select(day=local_date(events.time, clock))
    return dated.group_by("day").aggregate(events=dated.count())


def lateness(events: ir.Table, since: datetime, until: datetime, days: Sequence[int]) -> ir.Table:
    """One row about the events received between two moments: ``received``, and ``late_2, late_3, …`` for these days.

    Each of them is the number of events that arrived so many days after their time, or later. Events that came more
    than the largest number of days before `since` aren't looked at.
    """
    import ibis

    log = bounded(events, since - timedelta(days=max(days)), until)
    log = log.filter(log.received_at >= utc(since))
    late = {
        f"late_{day}": (log.received_at >= log.time + ibis.interval(days=day)).ifelse(1, 0).sum().fill_null(0)
        for day in days
    }
    return log.aggregate(received=log.count(), **late)


def cohort(events: ir.Table, anchor: str, basis: Basis) -> ir.Table:
    """Units with their time zero: ``user_id, anchor, anchor_date, complete_days``.

    Args:
        events: the event log.
        anchor: the event whose first occurrence starts a unit's clock; ``*`` takes the first event of any kind.
        basis: clock, data's end, and the local dates on which the anchors lie.

    Units that are too young are included: maturity excludes them later, and their number is reported. Earlier dates are
    read too, since only they tell who is new; later ones aren't.
    """
    log = events if anchor == "*" else events.filter(events.event == anchor)
    if basis.last is not None:
        log = bounded(log, None, basis.clock.midnight(basis.last + timedelta(days=1)))
    users = log.group_by("user_id").aggregate(anchor=log.time.min())
    return in_dates(with_clock(users, basis), basis.first, basis.last)


def exposure_log(events: ir.Table, experiment: str, basis: Basis) -> ir.Table:
    """One row per exposure event of the experiment: the event's columns, ``variant, source, by_client``.

    `variant` is what the event names. `source` is the number, as text, of the source whose client key sent the event,
    and "" otherwise; `by_client` is 1 for these, and for exposures that our API logged for a client key, else 0. The
    caller decides whether such an exposure counts. A log without message ids has no senders.
    """
    import ibis

    log = events.filter(events.event.isin(EXPOSURE_EVENTS))
    log = log.mutate(
        experiment=either(log, ("experiment_id", "experimentId"), basis),
        variant=either(log, ("variation_id", "variationId"), basis),
    )
    log = log.filter(log.experiment == experiment, log.variant.notnull())
    if "message_id" not in log.columns:
        return log.mutate(source=ibis.literal(""), by_client=ibis.literal(0))
    by_client = log.message_id.re_search(BY_CLIENT).fill_null(False)
    at_door = log.message_id.re_search(BY_VISITOR).fill_null(False)
    source = by_client.ifelse(log.message_id.split(":")[0], "")
    return log.mutate(source=source, by_client=(by_client | at_door).ifelse(1, 0))


def first_and_last(log: ir.Table, since: datetime) -> ir.Table:
    """One row about the events at or after a moment: ``first, last, events``; null times if there are none."""
    log = bounded(log, since, None)
    return log.aggregate(first=log.time.min(), last=log.time.max(), events=log.count())


def with_clock(users: ir.Table, basis: Basis) -> ir.Table:
    """Add ``anchor_date, complete_days`` to a table that has ``user_id, anchor``."""
    users = users.mutate(anchor_date=local_date(users.anchor, basis.clock))
    end = utc(basis.data_end)
    return users.mutate(complete_days=day_index(end, users.anchor, users.anchor_date, basis.clock, basis.dialect))


def mature(users: ir.Table, window: Window) -> ir.BooleanValue:
    """Whether each unit's whole window lies before the end of the data."""
    return users.complete_days >= window.days_needed


def activity_days(events: ir.Table, users: ir.Table, basis: Basis, window: Window) -> ir.Table:
    """One row per unit and active day of the window: ``user_id, day, events``."""
    log = activity_since_anchor(events, users, basis, window)
    return log.group_by("user_id", "day").aggregate(events=log.count())


def activity_since_anchor(events: ir.Table, users: ir.Table, basis: Basis, window: Window) -> ir.Table:
    """One row per activity event of these units in the window: the event's columns, ``anchor, anchor_date, day``."""
    return since_anchor(active_events(events, basis), users, basis, window=window)


def counts(
    events: ir.Table,
    users: ir.Table,
    basis: Basis,
    *,
    days: int,
    first_day: int = 0,
    behaviours: Sequence[Behaviour] | None = None,
) -> ir.Table:
    """One row per unit, behaviour and day `first_day` to `days` - 1 with something to count.

    Columns: ``user_id, behaviour, day, n``.

    The arguments are those of `occurrences`, whose rows are counted here.
    """
    log = occurrences(events, users, basis, days=days, first_day=first_day, behaviours=behaviours)
    return log.group_by("user_id", "behaviour", "day").aggregate(n=log.count())


def occurrences(
    events: ir.Table,
    users: ir.Table,
    basis: Basis,
    *,
    days: int,
    first_day: int = 0,
    behaviours: Sequence[Behaviour] | None = None,
    keep: Sequence[str] = (),
) -> ir.Table:
    """One row for each thing to count on day `first_day` to `days` - 1: ``user_id, behaviour, day`` and `keep`.

    Listed behaviours also have their ``place`` in the list, each once: grouping numbers is faster than grouping texts.

    These rows are events: a query must aggregate them before anything leaves the warehouse.

    Args:
        events: the event log.
        users: the units, with their clocks.
        basis: clock, data's end, engine.
        days: the landmark, the largest "within Y days" needed.
        first_day: the first day that counts, usually the anchor's.
        behaviours: what to count, at least one; None takes every event name but exposures.
        keep: further columns of `users` to keep.

    For ``EVENT#prop`` a value counts on the day it is first seen, so that sums over days give the number of different
    values, exactly as they give the number of events for the others.
    """
    import ibis

    window = Window(first_day, days - 1)
    columns = ["user_id", "behaviour", "day", *keep]
    if behaviours is None:
        log = events.filter(~events.event.isin(EXPOSURE_EVENTS))
        log = log.mutate(behaviour=log.event)
        return since_anchor(log, users, basis, *keep, window=window).select(columns)
    if not behaviours:
        raise ValueError("at least one behaviour is needed")
    log = matching(of_days(events, basis, window), behaviours, basis)
    log = since_anchor(log, users, basis, *keep, window=window)
    columns = [*columns, "place"]
    if not any(behaviour.distinct for behaviour in behaviours):
        return log.select(columns)
    distinct = [str(behaviour) for behaviour in behaviours if behaviour.distinct]
    seen = log.filter(log.behaviour.isin(distinct), log.value.notnull())
    first_seen = seen.group_by("user_id", "behaviour", "place", "value", *keep).aggregate(day=seen.day.min())
    return ibis.union(log.filter(~log.behaviour.isin(distinct)).select(columns), first_seen.select(columns))


def matching(events: ir.Table, behaviours: Sequence[Behaviour], basis: Basis) -> ir.Table:
    """One row per event and matching behaviour: the event's columns and ``behaviour, place, value``, in a single scan.

    `place` is the index of the behaviour in the list without repeats.
    """
    import ibis

    unique = list(dict.fromkeys(behaviours))
    listed = ibis.memtable(
        {"event": [b.event for b in unique], "behaviour": [str(b) for b in unique], "place": list(range(len(unique)))},
        schema={"event": "string", "behaviour": "string", "place": "int32"},
    )
    log = events.join(listed, "event")
    conditions = [
        (log.behaviour != str(b)) | (property_text(log.properties, b.where[0], basis.dialect) == b.where[1])
        for b in unique
        if b.where is not None
    ]
    log = log.filter(*conditions) if conditions else log
    values = [
        (log.behaviour == str(b), property_text(log.properties, b.distinct, basis.dialect))
        for b in unique
        if b.distinct is not None
    ]
    return log.mutate(value=ibis.cases(*values, else_=ibis.null("string")) if values else ibis.null("string"))


def outcomes(
    events: ir.Table,
    users: ir.Table,
    basis: Basis,
    definitions: Mapping[str, Asked],
    *,
    keep: Sequence[str] = (),
    also: Callable[[ir.Table], Mapping[str, ir.Value]] | None = None,
    has_row: Sequence[str] = (),
    counted: ir.Table | None = None,
) -> ir.Table:
    """The users' columns and one column per definition: a number, or null for a unit that is too young.

    One pass over the log for all, except that each funnel and SQL metric has its own.

    Retention and funnels give 1.0 or 0.0, values give the number per unit (0.0 for a unit that did nothing).
    `survival` has two columns and its own population: see `survival_times`.

    Args:
        events: the event log.
        users: the units, with their clocks.
        basis: clock, data's end, activity, engine.
        definitions: by the name of their column.
        keep: columns of `users` that `also` reads.
        also: further numbers per unit from the same pass, given all events since the anchor with their ``day``; null
            for a unit without any event.
        has_row: SQL metrics that also get ``NAME_row``: whether their SELECT has a number for the unit:
            1.0, 0.0, or null for a unit that is too young.
        counted: the numbers of that one pass, as `numbers` gives them, where they are known.
    """
    import ibis

    if not definitions:
        raise ValueError("outcomes needs at least one definition")
    if any(isinstance(definition, Survival) for definition in definitions.values()):
        raise ValueError("survival is asked through survival_times")
    apart = {name: definition for name, definition in definitions.items() if is_apart(definition)}
    together = {name: definition for name, definition in definitions.items() if name not in apart}
    joined = users
    if together or also is not None:
        if counted is None:
            counted = numbers(events, users, basis, together, keep, also)
        joined = joined.left_join(counted, "user_id").drop("user_id_right")
    for name, definition in apart.items():
        column = _apart(events, users, definition, basis).rename({f"_{name}": "value"})
        joined = joined.left_join(column, "user_id").drop("user_id_right")
    values = {
        name: ibis.cases(
            (mature(joined, definition.window), finish(joined[f"_{name}"], definition)), else_=ibis.null("float64")
        )
        for name, definition in definitions.items()
        if not isinstance(definition, Survival)
    }
    for name in has_row:
        here = within_reach(joined[f"_{name}"]).notnull().ifelse(1.0, 0.0)
        over = mature(joined, outcome_window(definitions[name]))
        values[f"{name}_row"] = ibis.cases((over, here), else_=ibis.null("float64"))
    return joined.mutate(**values).drop(*[f"_{name}" for name in definitions])


def numbers(
    events: ir.Table,
    users: ir.Table,
    basis: Basis,
    definitions: Mapping[str, Asked],
    keep: Sequence[str] = (),
    also: Callable[[ir.Table], Mapping[str, ir.Value]] | None = None,
) -> ir.Table:
    """What `outcomes` counts in its one pass, before it becomes values: ``user_id, _NAME``, and what `also` adds.

    A row for each unit with an event. The arguments are those of `outcomes`; no definition may need its own question.
    """
    window = EVER if also is not None else _reach(_bounded(definitions))
    log = since_anchor(events, users, basis, *keep, window=window)
    more = {} if also is None else dict(also(log))
    return log.group_by("user_id").aggregate(
        **{f"_{name}": aggregate(log, definition, basis) for name, definition in definitions.items()}, **more
    )


def _apart(events: ir.Table, users: ir.Table, definition: Asked, basis: Basis) -> ir.Table:
    definition = definition.of if isinstance(definition, Capped) else definition
    if isinstance(definition, Funnel):
        return came_through(events, users, definition, basis)
    if isinstance(definition, Expression):
        return selected(events, users, definition, basis)
    raise ValueError(f"{definition} has no question of its own")


def retention(events: ir.Table, users: ir.Table, basis: Basis, definition: Retention) -> ir.Table:
    """The users' columns and ``mature, retained`` (1.0, 0.0, or null if not mature) for one definition."""
    import ibis

    if isinstance(definition, Survival):
        times = survival_times(events, users, basis, definition.gap)
        return times.mutate(mature=ibis.literal(True), retained=times.churned.ifelse(0.0, 1.0))
    table = outcomes(events, users, basis, {"retained": definition})
    return table.mutate(mature=mature(table, definition.window))


def survival_times(events: ir.Table, users: ir.Table, basis: Basis, gap: int) -> ir.Table:
    """The users' columns and ``duration, churned``: day of the last activity before the first silence of `gap` days.

    Churn on day d can be observed when d + gap <= K - 1, where K is the unit's complete days. So follow-up ends on day
    K - gap - 1 for everybody: a unit without such a silence is censored there, not at its last activity, and units with
    K <= gap, for which nothing can be observed, are left out. With one more day, a unit would be at risk of churn that
    can't be observed. Source: docs/methods/retention.md, "Time to churn".
    """
    import ibis

    users = users.filter(users.complete_days > gap)
    log = since_anchor(active_events(events, basis), users, basis, "complete_days")
    log = log.filter(log.day >= 0, log.day < log.complete_days)
    active = log.select("user_id", "day", "complete_days").distinct()
    start = users.select("user_id", day=ibis.literal(0, "int64"), complete_days=users.complete_days)
    active = ibis.union(active.cast({"day": "int64"}), start, distinct=True)  # the anchor itself is activity on day 0
    following = active.day.lead().over(ibis.window(group_by="user_id", order_by="day"))
    active = active.mutate(silence=ibis.coalesce(following, active.complete_days) - active.day - 1)
    churn = active.filter(active.silence >= gap).group_by("user_id").aggregate(_last=ibis._.day.min())
    joined = users.left_join(churn, "user_id").drop("user_id_right")
    return joined.mutate(
        churned=joined._last.notnull(), duration=ibis.coalesce(joined._last, joined.complete_days - gap - 1)
    ).drop("_last")


def retention_curve(
    events: ir.Table, users: ir.Table, basis: Basis, days: Sequence[int], *, by: Sequence[str] = ()
) -> ir.Table:
    """One row per day (and group): ``day, eligible, active``; both count only units with that whole day observed."""
    import ibis

    if not days:
        raise ValueError("retention_curve needs at least one day")
    wanted = ibis.memtable({"day": sorted(set(days))}, schema={"day": "int64"})
    groups = list(by)
    ages = users.group_by(*groups, "complete_days").aggregate(units=users.count())
    pairs = ages.cross_join(wanted)
    pairs = pairs.filter(pairs.complete_days > pairs.day)
    eligible = pairs.group_by(*groups, "day").aggregate(eligible=pairs.units.sum())
    window = Window(min(days), max(days))
    log = since_anchor(active_events(events, basis), users, basis, "complete_days", *groups, window=window)
    log = log.filter(log.day.isin(sorted(set(days))), log.day < log.complete_days)
    active = log.group_by(*groups, "day").aggregate(active=log.user_id.nunique())
    active = active.cast({"day": "int64"})
    table = eligible.left_join(active, [*groups, "day"]).drop("day_right", *[f"{name}_right" for name in groups])
    return table.mutate(active=table.active.fill_null(0)).order_by([*groups, "day"])


def _bounded(definitions: Mapping[str, Asked]) -> list[Bounded]:
    return [definition for definition in definitions.values() if not isinstance(definition, Survival)]


def _reach(definitions: Sequence[Bounded]) -> Window:
    """The smallest window that covers all of them."""
    last_days = [definition.window.end_day for definition in definitions]
    bounded = [day for day in last_days if day is not None]
    first = min(definition.window.start_day for definition in definitions)
    return Window(first, max(bounded) if len(bounded) == len(last_days) else None)


def in_dates(users: ir.Table, first: date | None, last: date | None) -> ir.Table:
    """Only users whose anchor falls on these local dates, both inclusive; None for no bound."""
    import ibis

    if first is not None:
        users = users.filter(users.anchor_date >= ibis.literal(first))
    if last is not None:
        users = users.filter(users.anchor_date <= ibis.literal(last))
    return users


# Queries for the data digest. Columns out: ``digest`` of one person's rows, and ``rows``, their number.

COLUMNS = ("event", "time", "properties", "message_id", "received_at")


def person_digests(log: ir.Table, people: ir.Table) -> ir.Table:
    """For each person the SHA-256 of all their events in the log, ordered by digest.

    The rows of a person are sorted as texts, and people by their digests, so that neither the order of files nor that
    of rows in them matters.

    Args:
        log: the event log of the embedded engine.
        people: ``user_id`` of the people, each once.
    """
    who = TEXT if TEXT in log.columns else "user_id"
    texts: Any = ""
    for name in (who, *COLUMNS):
        texts = texts + _said(log[name])
    rows = log.mutate(said=texts).semi_join(people, "user_id").select("user_id", "said")
    digests = rows.group_by("user_id").agg(
        digest=rows.said.collect().sort().join("").hexdigest("sha256"), rows=rows.count()
    )
    return digests.select("digest", "rows").order_by("digest")


def _said(column: Any) -> Any:
    """A value prefixed by its length, so that different rows never give the same text; a missing one is a dash."""
    import ibis

    text = column.cast("string")
    return ibis.coalesce(text.length().cast("string") + ":" + text, ibis.literal("-"))
