"""Columns as Ibis expressions that every engine computes alike: day index, properties, users. Nothing runs here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from events.windows import Clock, DayMode, offsets

if TYPE_CHECKING:
    import ibis.expr.types as ir


# The columns of the event log on every engine.
COLUMNS = {
    "user_id": "string",
    "event": "string",
    "time": "timestamp",
    "properties": "string",
    "message_id": "string",
    "received_at": "timestamp",
}


# The day index as an Ibis expression that every engine counts alike.
#
# Engines disagree about truncated epochs and about time-zone data. So days are counted with dates and comparisons of
# timestamps only, and a zone's offsets enter as one CASE built from `events.windows.offsets`. On DuckDB, where adding
# an interval costs more than the rest of a query, rolling days are the same number from a difference in microseconds.

type Years = tuple[int, int]
ALL_YEARS: Years = (1990, 2049)
DAY = 86_400_000_000  # microseconds


def day_index(
    moment: ir.TimestampValue, anchor: ir.TimestampValue, anchor_date: ir.DateValue, clock: Clock, dialect: str = ""
) -> ir.Value:
    """The day index of a moment: 0 on the anchor's day, negative before it.

    Args:
        moment, anchor, anchor_date: of the same row.
        clock: how days are counted.
        dialect: the engine's name; DuckDB has microseconds as integers, which saves most of the time of a scan.
    """
    if dialect == "duckdb" and clock.mode is DayMode.ROLLING:
        # Integers, but divided as float64: exact for 285 years to either side of the anchor.
        return moment.delta(anchor, unit="microsecond") // DAY
    dates = local_date(moment, clock).delta(anchor_date, unit="day").cast("int64")
    if clock.mode is DayMode.CALENDAR:
        return dates
    # A rolling day ends at the anchor's time of day: earlier moments still belong to the day of the previous date. The
    # number comes from a CASE, not a cast: PostgreSQL can't cast a boolean to it.
    return dates - (moment < anchor + dates.as_interval("D")).ifelse(1, 0)


def local_date(moment: ir.TimestampValue, clock: Clock, years: Years = ALL_YEARS) -> ir.DateValue:
    """The date that numbers the days of this clock; for moments in these years (UTC)."""
    return wall_clock(moment, clock.zone, years).date()


def wall_clock(moment: ir.TimestampValue, zone: str, years: Years = ALL_YEARS) -> ir.TimestampValue:
    """Local wall-clock time of a UTC moment, by the zone's offsets as a CASE, the newest change first.

    Args:
        moment: in UTC.
        zone: its name.
        years: the first and the last year of the moments: few years make a short CASE.
    """
    import ibis

    *changes, (_, oldest) = offsets(zone, first_year=years[0], last_year=years[1] + 1)
    if not changes:
        return moment if oldest == 0 else moment + ibis.interval(seconds=oldest)
    branches = [(moment >= utc(since), moment + ibis.interval(seconds=shift)) for since, shift in changes]
    return ibis.cases(*branches, else_=moment + ibis.interval(seconds=oldest))


def utc(moment: datetime) -> ir.TimestampScalar:
    """A UTC moment as a naive literal: the event table's times are naive UTC."""
    import ibis

    return ibis.literal(moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment, "timestamp")


# Which parts of a log a question reads: constant bounds on the very column by which the log is parted.
#
# Engines skip files and partitions only for a comparison of that column itself with a constant: a cast around it, or a
# bound that comes from a join, makes them read everything. So the events carry the column beside `time`.

PART_TIME = "part_time"  # a warehouse's own column of times, where `time` is a cast of it
PART_DATE = "part_date"  # a warehouse's column of dates; its zone isn't known, so that a day more to each side is read
PART_DAY = "event_date"  # the store's partition: the UTC date, or the first of its month for a late event

CLOSE = timedelta(microseconds=1)  # between a moment and the one before


def bounded(events: ir.Table, since: datetime | None, until: datetime | None) -> ir.Table:
    """The events at or after `since` and before `until`; None for no bound.

    A log of several tables is bounded in each of them by its own column, since not every engine looks through a union.

    Args:
        events: the event log.
        since, until: UTC moments.
    """
    events = _with_bounded_members(events, since, until)
    if since is not None:
        events = events.filter(events.time >= utc(since), *_parts_from(events, since))
    if until is not None:
        events = events.filter(events.time < utc(until), *_parts_to(events, until))
    return events


def on_dates(events: ir.Table, days: Collection[date], clock: Clock) -> ir.Table:
    """The events of these local dates, which needn't lie side by side."""
    found = events.filter(local_date(events.time, clock).isin(sorted(days)))
    if PART_DAY not in events.columns:
        return found
    ends = [(clock.midnight(day), clock.midnight(day + timedelta(days=1)) - CLOSE) for day in days]
    parts = {_utc_date(end) for both in ends for end in both}
    parts |= {day.replace(day=1) for day in parts}
    return found.filter(found[PART_DAY].isin([_constant(found[PART_DAY], day) for day in sorted(parts)]))


def _with_bounded_members(events: ir.Table, since: datetime | None, until: datetime | None) -> ir.Table:
    """The same log, with the bounds inside each table of the union that it is made of; without a union unchanged."""
    import ibis.expr.operations as ops

    node: Any = events.op()
    while isinstance(node, ops.Filter | ops.Project) and _same_field(node, "time"):
        node = node.parent
    # Above a window function or a sub-query fewer rows would be other answers.
    if not isinstance(node, ops.Union) or events.op().find((ops.WindowFunction, ops.Subquery)):
        return events
    found: ir.Table = events.op().replace({node: _bounded_member(node, since, until)}).to_expr()
    return found


def _bounded_member(node: Any, since: datetime | None, until: datetime | None) -> Any:
    import ibis.expr.operations as ops

    if isinstance(node, ops.Union) and not node.distinct:
        return node.copy(left=_bounded_member(node.left, since, until), right=_bounded_member(node.right, since, until))
    if isinstance(node, ops.Project) and _same_field(node, "time"):
        return node.replace({node.parent: bounded(node.parent.to_expr(), since, until).op()})
    return node


def _same_field(node: Any, name: str) -> bool:
    """Whether a filter or projection passes this column on as it is."""
    import ibis.expr.operations as ops

    value = node.values.get(name)
    return isinstance(value, ops.Field) and value.rel == node.parent and value.name == name


def _parts_from(events: ir.Table, since: datetime) -> list[ir.BooleanValue]:
    first, conditions = _utc_date(since), []
    if PART_TIME in events.columns:
        conditions.append(events[PART_TIME] >= _constant(events[PART_TIME], since))
    if PART_DATE in events.columns:
        conditions.append(events[PART_DATE] >= _constant(events[PART_DATE], first - timedelta(days=1)))
    if PART_DAY in events.columns:
        day = events[PART_DAY]
        conditions.append((day >= _constant(day, first)) | (day == _constant(day, first.replace(day=1))))
    return conditions


def _parts_to(events: ir.Table, until: datetime) -> list[ir.BooleanValue]:
    last, conditions = _utc_date(until - CLOSE), []
    if PART_TIME in events.columns:
        at = events[PART_TIME]
        conditions.append(at <= _constant(at, last) if at.type().is_date() else at < _constant(at, until))
    if PART_DATE in events.columns:
        conditions.append(events[PART_DATE] <= _constant(events[PART_DATE], last + timedelta(days=1)))
    if PART_DAY in events.columns:
        conditions.append(events[PART_DAY] <= _constant(events[PART_DAY], last))
    return conditions


def _utc_date(moment: datetime) -> date:
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date()


def _constant(column: ir.Value, at: date) -> ir.Scalar:
    """A moment or a date as a constant of the column's own type, so that nothing is cast."""
    import ibis

    kind: Any = column.type()
    if not isinstance(at, datetime):
        return ibis.literal(at.isoformat() if kind.is_string() else at, kind)
    if kind.is_date():
        return ibis.literal(_utc_date(at), kind)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return ibis.literal(at if kind.timezone else at.replace(tzinfo=None), kind)


# Read one property from the JSON text of an event, as text, on each engine.


# engine: (function of text and path, how the path is written). All give scalars as text, and null if absent.
READERS = {
    "duckdb": ("json_extract_string", '$."{}"'),
    "pyspark": ("get_json_object", "$['{}']"),
    "databricks": ("get_json_object", "$['{}']"),
    "clickhouse": ("JSONExtract", "{}"),  # not JSON_VALUE, which gives a JSON null as the text "null"
    "bigquery": ("JSON_VALUE", '$."{}"'),
    "snowflake": ("JSON_EXTRACT_PATH_TEXT", '"{}"'),
    "trino": ("json_extract_scalar", '$["{}"]'),
    "postgres": ("json_extract_path_text", "{}"),
}


def property_text(properties: ir.StringValue, name: str, dialect: str) -> ir.StringValue:
    """The property `name` as text; null when the event doesn't carry it or has no properties.

    Raises:
        ValueError: for an unknown engine, or a name with a quote, backslash or control character: engines
            disagree about how those are written inside a path.
    """
    if dialect not in READERS:
        raise ValueError(f"no way is known to read JSON in {dialect}")
    if any(character in "\"'\\" or ord(character) < 32 for character in name):
        raise ValueError(f"a property name may not contain quotes or backslashes: {name!r}")
    text = properties.cast("json") if dialect == "postgres" else properties
    return reader(dialect)(text, READERS[dialect][1].format(name))


def reader(dialect: str) -> Callable[[ir.Value, ir.StringValue | str], ir.StringValue]:
    """The engine's function of a JSON text and a path, as `READERS` writes paths, to the text of what lies there."""
    import ibis

    name = READERS[dialect][0]
    kind = "json" if dialect == "postgres" else "string"
    if dialect != "clickhouse":
        read_text: Callable[[ir.Value, ir.StringValue | str], ir.StringValue]
        read_text = ibis.udf.scalar.builtin(_signature, name=name, signature=((kind, "string"), "string"))
        return read_text
    extract = ibis.udf.scalar.builtin(_typed_signature, name=name, signature=(("string",) * 3, "string"))
    type_of = ibis.udf.scalar.builtin(_signature, name="JSONType", signature=(("string",) * 2, "string"))

    def read(text: ir.Value, path: ir.StringValue | str) -> ir.StringValue:
        found = extract(text, path, "Nullable(String)")
        # 5.0 comes out as 5, unlike on every other engine: values would merge that are two elsewhere.
        whole = (type_of(text, path) == "Double") & ~found.re_search("[.e]")
        return whole.ifelse(found + ".0", found)

    return read


def _signature(text: str, path: str) -> str:  # the body of a builtin is never called
    raise NotImplementedError


def _typed_signature(text: str, path: str, kind: str) -> str:  # alike
    raise NotImplementedError


# The other way round: a value as JSON text, on each engine.

# engine: its function that makes JSON of a text. Those of Spark take lists only, so that the brackets are cut off.
WRITERS = {
    "duckdb": "to_json",
    "pyspark": "to_json",
    "databricks": "to_json",
    "clickhouse": "toJSONString",
    "bigquery": "TO_JSON_STRING",
    "snowflake": "TO_JSON",
    "trino": "json_format",
    "postgres": "to_json",
}


def quoted_json(value: ir.Value, dialect: str) -> ir.StringValue:
    """A column's value as JSON text: numbers and booleans as such, everything else as a text, a missing one as null.

    Raises:
        ValueError: for an unknown engine.
    """
    import ibis

    if dialect not in WRITERS:
        raise ValueError(f"no way is known to write JSON in {dialect}")
    kind: Any = value.type()
    if kind.is_boolean():
        text = ibis.cases((value, "true"), (~value, "false"), else_="null")
    elif kind.is_numeric():
        number: Any = value
        finite = number if not kind.is_floating() else (number.isnan() | number.isinf()).ifelse(ibis.null(kind), number)
        text = finite.cast("string")
    else:
        text = _json_text(value if kind.is_string() else value.cast("string"), dialect)
    found: ir.StringValue = ibis.coalesce(text, ibis.literal("null"))
    return found


def _json_text(text: Any, dialect: str) -> Any:
    import ibis

    kind = {"pyspark": "array<string>", "databricks": "array<string>", "trino": "json", "snowflake": "json"}.get(
        dialect, "string"
    )
    gives = "json" if dialect == "postgres" else "string"
    write = ibis.udf.scalar.builtin(_one_signature, name=WRITERS[dialect], signature=((kind,), gives))
    if kind.startswith("array"):
        listed = write(ibis.array([text]))
        return listed.substr(1, listed.length() - 2)
    return write(text if kind == "string" else text.cast(kind)).cast("string")


def _one_signature(text: str) -> str:  # as above
    raise NotImplementedError


# Map user ids to user numbers and back, in expressions: numbers inside the warehouse, ids outside.

TEXT = "user_text"  # the column with the id in the events of a numbered store
OWN = "own_user"  # and the number of the id as sent, if some ids count as one person


@dataclass(frozen=True)
class Users:
    """The dictionary in an open warehouse.

    Attributes:
        known: ``known_id, known_number, known_own``: each user's id and the number that it counts as: its own, or that
            of the user it was joined to.
        pairs: ``number, stays``: the number of each id that was joined, and that of the user it was joined to; None if
            none was.
    """

    known: ir.Table
    pairs: ir.Table | None = None

    @property
    def joined(self) -> bool:
        """Whether any ids were joined."""
        return self.pairs is not None

    def named(self, units: ir.Table) -> ir.Table:
        """Replace numbers in ``user_id`` by ids."""
        names = self.known.filter(self.known.known_own) if self.joined else self.known
        table = units.join(names, units.user_id == names.known_number)
        return table.select(**{name: table.known_id if name == "user_id" else table[name] for name in units.columns})

    def keyed(self, units: ir.Table) -> ir.Table:
        """Replace ids in ``user_id`` by numbers; users that the store doesn't know are dropped.

        If several rows now count as one user, having been several when the table was made, that user's own row is kept.
        """
        import ibis

        table = units.join(self.known, units.user_id == self.known.known_id)
        if self.joined:
            order = ibis.window(group_by="known_number", order_by=[ibis.desc("known_own"), "known_id"])
            table = table.filter(ibis.row_number().over(order) == 0)
        return table.select(**{n: table.known_number if n == "user_id" else table[n] for n in units.columns})


def text_of(events: ir.Table) -> ir.Column:
    """The users' ids as sent: for sampling and random draws by id, so that numbering changes none of them."""
    return events[TEXT] if TEXT in events.columns else events.user_id
