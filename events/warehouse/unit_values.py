"""Parts of questions: which events count for a unit, one number a unit, what was known before. Nothing runs here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from events.metrics import (
    Active,
    ActiveDays,
    Asked,
    Behaviour,
    Capped,
    Count,
    Expression,
    Funnel,
    MinDays,
    MinEvents,
    Plain,
    Survival,
    Total,
)
from events.schema import EXPOSURE_EVENTS
from events.warehouse.columns import OWN, bounded, day_index, property_text
from events.windows import Clock, DayMode, Window

if TYPE_CHECKING:
    import ibis.expr.types as ir


# Building blocks for queries of the event log: which events count for a unit, and one number per unit and definition.
#
# `events.warehouse.queries` builds its questions from them. Nothing runs here.

# A larger property value is no plausible amount; its square would overflow when units are summed.
LARGEST = 1e30
# With so few digits no engine overflows.
A_NUMBER = r"^\s*[+-]?([0-9]{1,200}\.?[0-9]{0,200}|\.[0-9]{1,200})([eE][+-]?[0-9]{1,2})?\s*$"


@dataclass(frozen=True)
class Basis:
    """Parameters of every query, stored with each result.

    Attributes:
        clock: how days are counted.
        data_end: the moment up to which the data are complete (`events.windows.data_end`); later events don't count.
        activity: names of the events that make a unit "active", or None for all but exposures.
        dialect: the engine's name, which decides how JSON is read.
        first, last: local dates between which the anchors of all units lie, both inclusive; None where a cohort has no
            such bound. Constants, so that an engine reads only the days of the log that a question needs.
    """

    clock: Clock
    data_end: datetime
    activity: tuple[str, ...] | None = None
    dialect: str = "duckdb"
    first: date | None = None
    last: date | None = None

    def between(self, since: datetime, until: datetime) -> Basis:
        """The same for units whose anchors lie between these UTC moments, or somewhat earlier or later."""
        return replace(self, first=self.clock.local_date(since), last=self.clock.local_date(until))

    def start(self, day: int) -> datetime | None:
        """The UTC moment before which no unit's day with this index begins; None where units have no first date."""
        return None if self.first is None else self.clock.midnight(self.first + timedelta(days=day))

    def end(self, day: int | None) -> datetime:
        """The UTC moment at which the day with this index is over for all units, or the data end before it."""
        if self.last is None or day is None:
            return self.data_end
        # A rolling day of a unit that began late on its date ends late on a later date.
        later = 2 if self.clock.mode is DayMode.ROLLING else 1
        return min(self.data_end, self.clock.midnight(self.last + timedelta(days=day + later)))


def is_apart(definition: Asked) -> bool:
    """Whether a definition needs a query of its own: no single pass over a unit's events counts it."""
    return isinstance(getattr(definition, "of", definition), Funnel | Expression)


def is_select(definition: Asked) -> bool:
    """Whether a definition is an SQL metric, capped or not: units without a row then count as 0."""
    return isinstance(getattr(definition, "of", definition), Expression)


def aggregate(log: ir.Table, definition: Asked, basis: Basis) -> ir.Value:
    """One number per unit over the events of the definition's window."""
    import ibis

    if isinstance(definition, Survival | Funnel | Expression):
        raise ValueError(f"{definition} is asked through a question of its own")
    if isinstance(definition, Capped):
        return aggregate(log, definition.of, basis)  # the cap applies to a unit's whole sum, in `finish`
    inside = between(log.day, definition.window)
    match definition:
        case Active():
            return how_many(inside & is_activity(log, basis))
        case MinDays() | ActiveDays():
            return log.day.nunique(where=inside & is_activity(log, basis))
        case MinEvents():
            return how_many(inside & (log.event == definition.event))
        case Count():
            these = inside & matches(log, definition.behaviour, basis)
            if definition.behaviour.distinct is None:
                return how_many(these)
            text = property_text(log.properties, definition.behaviour.distinct, basis.dialect)
            return these.ifelse(text, ibis.null("string")).nunique()
        case Total():
            # A CASE, not a filtered sum: engines then parse the JSON of these events only, not of the whole log.
            number = amount(log, definition.property, basis)
            return (inside & (log.event == definition.event)).ifelse(number, ibis.null("float64")).sum()


def amount(log: ir.Table, name: str, basis: Basis) -> ir.FloatingValue:
    """A property as a number; null if it is none.

    PostgreSQL fails a query at the first text that is no number, and Spark reads "7d" as one: on engines other than
    DuckDB, which has a safe cast, only text that looks like a number is cast.
    """
    import ibis

    text = property_text(log.properties, name, basis.dialect)
    if basis.dialect != "duckdb":
        text = text.re_search(A_NUMBER).ifelse(text, ibis.null("string"))
    return within_reach(text.try_cast("float64"))


def within_reach(number: ir.FloatingValue) -> ir.FloatingValue:
    """The number, or null if it is too large: "Infinity" casts too, and one such event would ruin the variance."""
    import ibis

    return number.between(-LARGEST, LARGEST).ifelse(number, ibis.null("float64"))


def how_many(condition: ir.BooleanValue) -> ir.IntegerScalar:
    """Number of rows for which the condition is true: counted, since DuckDB sums in 128 bits."""
    import ibis

    return condition.ifelse(ibis.literal(1, "int32"), ibis.null("int32")).count()


def finish(number: ir.NumericValue, definition: Asked) -> ir.Value:
    """The definition's value from its aggregate: 1.0 or 0.0 for retention and funnels, else a number; never null."""
    import ibis

    if is_select(definition):
        number = within_reach(number)
    number = number.fill_null(0)
    if isinstance(definition, Capped):
        if definition.cap is None:
            raise ValueError(f"{definition} has no cap yet: it becomes a number at the start")
        return ibis.least(number.cast("float64"), definition.cap)
    if isinstance(definition, Plain):
        return number.cast("float64")
    least = 1
    if isinstance(definition, MinDays):
        least = definition.days
    elif isinstance(definition, MinEvents):
        least = definition.times
    elif isinstance(definition, Funnel):
        least = len(definition.steps)
    return (number >= least).ifelse(1.0, 0.0)  # PostgreSQL can't cast a boolean to a number


EVER = Window(0, None)
SUM, MOST, BITS = "sum", "max", "bits"  # how a number of two parts of the log becomes that of both


def of_days(events: ir.Table, basis: Basis, window: Window) -> ir.Table:
    """The events that can lie in the window of some unit: a bound by constants, before any join."""
    return bounded(events, basis.start(window.start_day), basis.end(window.end_day))


def since_anchor(events: ir.Table, users: ir.Table, basis: Basis, *keep: str, window: Window = EVER) -> ir.Table:
    """Events of these units in the window, with `day`; none before the anchor or after the end of the data.

    Args:
        events: the event log.
        users: the units, with their clocks; their anchors lie in the dates of the basis.
        basis: clock, data's end, dates of the anchors.
        keep: further columns of `users` to keep.
        window: the days that count.
    """
    slim = users.select("user_id", "anchor", "anchor_date", *keep)
    log = of_days(events, basis, window).join(slim, "user_id")
    log = log.filter(log.time >= log.anchor)
    log = log.mutate(day=day_index(log.time, log.anchor, log.anchor_date, basis.clock, basis.dialect))
    return log if window == EVER else log.filter(between(log.day, window))


def between(day: ir.IntegerValue, window: Window) -> ir.BooleanValue:
    """Whether a day lies in the window."""
    if window.end_day is None:
        return day >= window.start_day
    return day.between(window.start_day, window.end_day)


def matches(log: ir.Table, behaviour: Behaviour, basis: Basis) -> ir.BooleanValue:
    """Whether an event matches the behaviour."""
    same = log.event == behaviour.event
    if behaviour.where is None:
        return same
    name, value = behaviour.where
    holds = (property_text(log.properties, name, basis.dialect) == value).fill_null(False)
    return same.ifelse(holds, False)  # a CASE: the JSON of other events isn't parsed


def active_events(events: ir.Table, basis: Basis) -> ir.Table:
    """The events that make a unit active."""
    return events.filter(is_activity(events, basis))


def is_activity(events: ir.Table, basis: Basis) -> ir.BooleanValue:
    """Whether an event makes its unit active."""
    if basis.activity is None:
        return ~events.event.isin(EXPOSURE_EVENTS)
    return events.event.isin(basis.activity)


def either(log: ir.Table, names: Sequence[str], basis: Basis) -> ir.StringValue:
    """The first of these properties that the event has, as text; null if it has none."""
    import ibis

    return ibis.coalesce(*[property_text(log.properties, name, basis.dialect) for name in names])


# Covariates known before a moment of each unit, as Ibis expressions: signup properties. Active days: `activity_bits`.
#
# Every covariate of an experiment comes from here and is bound to its moment: a later signup, and events from day 0
# on, were not known at assignment (docs/methods/comparison.md, "Only what was known before"). Nothing runs here.

OTHER = "other"

MOST_LEVELS = 10  # of a covariate: rarer ones are pooled as "other"


def signups(events: ir.Table, event: str, names: Mapping[str, str], basis: Basis) -> ir.Table:
    """Each signup with its properties as texts: ``user_id, time, NAME, …``; where ids are joined, also `own_user`.

    Args:
        events: the event log.
        event: name of the signup event.
        names: property by the name of its text column; "" if the signup lacks the property.
        basis: engine.
    """
    log = events.filter(events.event == event)
    texts = {column: property_text(log.properties, name, basis.dialect).fill_null("") for column, name in names.items()}
    return log.select("user_id", "time", *([OWN] if OWN in log.columns else []), **texts)


def with_signup(table: ir.Table, signups: ir.Table, names: Iterable[str], moment: str) -> ir.Table:
    """Add ``signed_up``, the unit's first signup if it is no later than its moment, and that signup's properties.

    Args:
        table: has ``user_id`` and the column `moment`.
        signups: as of `signups`.
        names: its text columns; "" if the signup is later.
        moment: column of the moment before which it must be known.
    """
    import ibis

    texts = {name: signups[name].argmin(signups.time) for name in names}
    first = signups.group_by("user_id").aggregate(signed_up=signups.time.min(), **texts)
    joined = table.left_join(first, "user_id").drop("user_id_right")
    before = joined.signed_up <= joined[moment]
    known = {name: before.ifelse(joined[name], ibis.null("string")).fill_null("") for name in texts}
    return joined.mutate(signed_up=before.ifelse(joined.signed_up, ibis.null("timestamp")), **known)


def level_counts(values: ir.Table, column: str, most: int) -> ir.Table:
    """The most frequent levels of a covariate: ``level, units``, without the missing level ""."""
    import ibis

    table = values.mutate(level=values[column])
    table = table.filter(table.level != "").group_by("level").aggregate(units=ibis._.count())
    return table.order_by([ibis.desc("units"), "level"]).limit(most)


def pooled(level: ir.StringValue, levels: Sequence[str]) -> ir.StringValue:
    """The level, or "other" if it isn't among those kept."""
    return level.isin(["", *levels]).ifelse(level, OTHER)


# Quantiles of a number per unit, computed in the warehouse without sorting units. Nothing runs here.

ROUNDING = 1e-9  # of a share: .1 x 10 units is one unit, despite rounding of floats


def quantile_points(
    table: ir.Table, column: str, shares: Mapping[str, Callable[[ir.Table], ir.Value] | float], *, by: str
) -> ir.Table:
    """One row per group: ``by, units``, and for each share the smallest value that at least this share doesn't exceed.

    Each value also has ``NAME_units``, the number of units with exactly this value.

    Equal values are counted before they are ordered, so that a count with few distinct values stays a small query.

    Args:
        table: one row per unit; nulls are left out.
        column: the number per unit.
        shares: by name 0 to 1, or an expression of the group's column.
        by: the column of the groups.
    """
    import ibis

    known = table.filter(table[column].notnull())
    counted = known.group_by(by, column).aggregate(units=known.count())
    upwards = ibis.window(group_by=by, order_by=column, preceding=None, following=0)
    counted = counted.mutate(
        until=counted.units.sum().over(upwards), everybody=counted.units.sum().over(ibis.window(group_by=by))
    )
    points = {}
    for name, share in shares.items():
        reached = counted.until >= ((share(counted) if callable(share) else share) - ROUNDING) * counted.everybody
        points[name] = counted[column].min(where=reached)
        points[f"{name}_units"] = counted.until.min(where=reached) - counted.until.max(where=~reached).fill_null(0)
    return counted.group_by(by).aggregate(units=counted.units.sum(), **points)
