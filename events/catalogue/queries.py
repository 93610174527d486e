"""Questions for the list of events and for a metric's past, as Ibis expressions. Nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from events.warehouse import queries
from events.warehouse.columns import READERS, bounded, reader, text_of, utc, wall_clock
from events.warehouse.unit_values import Basis, is_select

if TYPE_CHECKING:
    import ibis.expr.types as ir


# Query for a metric check: the metric's number for each unit of some weeks. Nothing runs here.


def past_units(
    events: ir.Table, basis: Basis, parts: Mapping[str, Any], *, signup_event: str, start: datetime, end: datetime
) -> ir.Table:
    """One row per unit that began in these weeks: ``user_id, anchor`` and one column per part.

    Beside an SQL metric, as ``NAME_row``, 1.0 where its SELECT has a row for the unit, else 0.0.

    Args:
        events: the event log.
        basis: clock, data's end, activity, engine.
        parts: values or retentions by the name of their column, with caps left off.
        signup_event: what starts a unit's clock; ``*`` for its first event in these weeks, even if it was active
            before.
        start, end: the weeks; all days that the parts need are complete after their end.
    """
    log, basis = bounded(events, start, None) if signup_event == "*" else events, basis.between(start, end)
    users = queries.cohort(log, signup_event, basis)
    users = users.filter(users.anchor >= utc(start), users.anchor < utc(end))
    selects = [name for name, part in parts.items() if is_select(part)]
    units = queries.outcomes(events, users, basis, dict(parts), has_row=selects)
    return units.select("user_id", "anchor", *parts, *[f"{name}_row" for name in selects])


# Queries of the event log for the catalogue, as Ibis expressions. Nothing runs here.
#
# A *pair* is a user and an event's name: most of the list comes from one table of pairs, computed in one scan.

# Engines that list the member names of a JSON object as an array; on others properties aren't listed.
KEYS = {
    "duckdb": "json_keys",
    "pyspark": "json_object_keys",
    "databricks": "json_object_keys",
    "clickhouse": "JSONExtractKeys",
}
SPARKS_NUMBER = r"[0-9.]\s*[dDfF]\s*$"  # Java reads "7d" as 7.0; no other engine does
UNREADABLE = "[\"'\\\\*\\x00-\\x1f]"  # engines disagree about how these are escaped in a path
VALUE_CHARS = 80


def names(events: ir.Table, most: int) -> ir.Table:
    """One row per event name, the most frequent first: ``event, events, first_time, last_time``."""
    rows = events.group_by("event").aggregate(
        events=events.count(), first_time=events.time.min(), last_time=events.time.max()
    )
    return rows.order_by([rows.events.desc(), rows.event]).limit(most)


def number_of_names(events: ir.Table) -> ir.Table:
    """One row: ``names, users``."""
    return events.aggregate(names=events.event.nunique(), users=events.user_id.nunique())


def weeks(events: ir.Table, since: Mapping[str, date], zone: str) -> ir.Table:
    """One row per name and week of a zone (from Monday) with events: ``event, week, events``; since its own Monday."""
    import ibis

    begins = {"event": list(since), "since": list(since.values())}
    log = events.join(ibis.memtable(begins, schema={"event": "string", "since": "date"}), "event")
    log = log.mutate(week=wall_clock(log.time, zone).truncate("W").date())
    log = log.filter(log.week >= log.since)
    return log.group_by("event", "week").aggregate(events=log.count())


def days(events: ir.Table, name: str, zone: str) -> ir.Table:
    """One row per day of a zone with this event: ``day, events, users``."""
    log = events.filter(events.event == name)
    log = log.mutate(day=wall_clock(log.time, zone).date())
    return log.group_by("day").aggregate(events=log.count(), users=log.user_id.nunique()).order_by("day")


def pairs(events: ir.Table, listed: Sequence[str], one_in: int) -> ir.Table:
    """One row per user and name: ``user_id, event, times, first_time, last_time``; for one in `one_in` users."""
    log = _only(events, listed)
    if one_in > 1:
        log = log.filter(text_of(log).hash() % one_in == 0)
    return log.group_by("user_id", "event").aggregate(
        times=log.count(), first_time=log.time.min(), last_time=log.time.max()
    )


def names_of_pairs(pairs: ir.Table) -> ir.Table:
    """One row per name: ``event, users, once, begins``.

    `once` are the users who did it exactly once; `begins` those with no earlier event.
    """
    starts = pairs.group_by("user_id").aggregate(start=pairs.first_time.min())
    both = pairs.join(starts, "user_id")
    return both.group_by("event").aggregate(
        users=both.count(), once=(both.times == 1).sum(), begins=(both.first_time == both.start).sum()
    )


def reach(pairs: ir.Table, signup: str) -> ir.Table:
    """One row per name: ``event, users``: how many users who did `signup` did this event then or later."""
    new = pairs.filter(pairs.event == signup).select("user_id", at=pairs.first_time)
    both = pairs.join(new, "user_id")
    both = both.filter(both.last_time >= both.at)
    return both.group_by("event").aggregate(users=both.count())


def members(sample: ir.Table, dialect: str) -> ir.Table:
    """One row per event of a sample and property that it carries: ``event, user_id, property, value``.

    Args:
        sample: what `sampled` gives.
        dialect: a key of `KEYS`.

    The value is text, null for JSON's null and for names that can't stand in a path.
    """
    import ibis

    sample = sample.mutate(properties=_valid(sample.properties, dialect))
    keys = ibis.udf.scalar.builtin(_text, name=KEYS[dialect], signature=(("string",), "array<string>"))
    objects = sample.properties.fill_null("") if dialect == "clickhouse" else sample.properties  # takes no null
    rows = sample.select("event", "user_id", "properties", property=keys(objects).unnest())
    before, after = READERS[dialect][1].split("{}")
    name = rows.property.re_search(UNREADABLE).ifelse(ibis.null("string"), rows.property)
    # Inside a function: sqlglot writes the reader as ->> and puts no brackets around operands joined by ||.
    value = reader(dialect)(rows.properties, (ibis.literal(before) + name + after).nullif(""))
    return rows.select("event", "user_id", "property", value=value)


def sampled(events: ir.Table, one_in: Mapping[str, int]) -> ir.Table:
    """``event, user_id, properties`` of the sampled users' events; `one_in` gives the sampling rate by event."""
    import ibis

    listed = ibis.memtable({"event": list(one_in), "one_in": list(one_in.values())})
    log = events.select("event", "user_id", "properties", sampled_by=text_of(events)).join(listed, "event")
    return log.filter(log.sampled_by.hash() % log.one_in == 0).drop("one_in", "sampled_by")


def sample_sizes(sample: ir.Table) -> ir.Table:
    """One row per name: ``event, events, users`` of the sample."""
    return sample.group_by("event").aggregate(events=sample.count(), users=sample.user_id.nunique())


def properties(members: ir.Table, most: int) -> ir.Table:
    """One row per event and property, the most frequent of each event first.

    Columns: ``event, property, events, users, known, numbers, truths, nested, different, least, greatest, place``.
    """
    import ibis

    number = members.value.re_search(SPARKS_NUMBER).ifelse(ibis.null("string"), members.value).try_cast("float64")
    rows = members.group_by("event", "property").aggregate(
        events=members.count(),
        users=members.user_id.nunique(),
        known=members.value.count(),
        numbers=number.count(),
        truths=members.value.isin(["true", "false"]).sum(),
        nested=members.value.re_search(r"^\s*[{\[]").sum(),
        different=members.value.nunique(),
        least=number.min(),
        greatest=number.max(),
    )
    order = ibis.window(group_by="event", order_by=[rows.events.desc(), rows.property])
    rows = rows.mutate(place=ibis.row_number().over(order))
    return rows.filter(rows.place < most).order_by(["event", "place"])


def values(members: ir.Table, most: int) -> ir.Table:
    """One row per event, property and frequent value: ``event, property, value, events, place``."""
    import ibis

    log = members.filter(members.value.notnull(), ~members.value.re_search(r"^\s*[{\[]"))
    log = log.mutate(value=log.value.substr(0, VALUE_CHARS))
    rows = log.group_by("event", "property", "value").aggregate(events=log.count())
    order = ibis.window(group_by=["event", "property"], order_by=[rows.events.desc(), rows.value])
    rows = rows.mutate(place=ibis.row_number().over(order))
    return rows.filter(rows.place < most).order_by(["event", "property", "place"])


def _only(events: ir.Table, listed: Sequence[str]) -> ir.Table:
    """The events with these names; all events for None."""
    import ibis

    if not listed:
        return events
    return events.semi_join(ibis.memtable({"event": list(listed)}), "event")


def _valid(properties: ir.StringValue, dialect: str) -> ir.StringValue:
    """Null instead of text that is no JSON, which would make DuckDB fail the whole query."""
    import ibis

    if dialect != "duckdb":
        return properties
    check = ibis.udf.scalar.builtin(_text, name="json_valid", signature=(("string",), "boolean"))
    return check(properties).fill_null(False).ifelse(properties, ibis.null("string"))


def _text(text: str) -> str:  # the body of a builtin is never called
    raise NotImplementedError
