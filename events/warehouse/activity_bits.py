"""Active days as bits of a few whole numbers, one row per user, for all questions on activity. Nothing runs here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from events.schema import EXPOSURE_EVENTS
from events.warehouse.columns import DAY, bounded, day_index, local_date, utc
from events.warehouse.unit_values import Basis, active_events, is_activity
from events.windows import Clock, DayMode

if TYPE_CHECKING:
    import ibis.expr.types as ir


# Active days of a unit as bits of a few integers, so that retention curve and churn need one pass over the log.
#
# A word holds 31 days: words and sums of two words fit into signed 64-bit integers on every engine. Bits are combined
# with one operation at a time, since engines disagree about the precedence of two.

WORD_DAYS = 31
MOST_GAP = WORD_DAYS  # a longer silence would span more than two words


def words_for(days: int) -> int:
    """How many words hold the days 0 to `days`."""
    return max(days, 0) // WORD_DAYS + 1


def day_bits(log: ir.Table, basis: Basis, words: int) -> dict[str, ir.Value]:
    """Aggregates ``days_0, days_1, …`` per unit: bit k of word w is set when day 31 w + k was active."""
    import ibis

    active = is_activity(log, basis)
    aggregates = {}
    for word in range(words):
        first = word * WORD_DAYS
        inside = active & log.day.between(first, first + WORD_DAYS - 1)
        bit = ibis.literal(1, "int64") << (log.day - first).cast("int32")
        aggregates[name_of(word)] = _bit_or(inside.ifelse(bit, ibis.literal(0, "int64")), basis.dialect)
    return aggregates


def days_before(events: ir.Table, table: ir.Table, days: int, moment: str, basis: Basis) -> ir.Table:
    """``user_id, days_0, …`` of units that were active before their moment: bit k stands for day -k-1.

    Args:
        events: the event log.
        table: has ``user_id`` and the column `moment`, which begins day 0.
        days: how many days, at least 1.
        moment: name of the column.
        basis: clock, data's end, activity.
    """
    import ibis

    slim = table.select("user_id", _at=table[moment], _date=local_date(table[moment], basis.clock))
    # A day more: these days end where each unit's day 0 begins, wherever in its date that is.
    log = active_events(bounded(events, basis.start(-days - 1), basis.end(0)), basis).join(slim, "user_id")
    # A day and an hour more than the longest possible stretch: a cheap filter; the day index decides.
    log = log.filter(log.time < log["_at"], log.time >= log["_at"] - ibis.interval(days=days + 2))
    log = log.mutate(day=-1 - day_index(log.time, log["_at"], log["_date"], basis.clock, basis.dialect))
    log = log.filter(log.day.between(0, days - 1))
    return log.group_by("user_id").aggregate(**day_bits(log, basis, words_for(days - 1)))


def with_days_before(table: ir.Table, before: ir.Table, days: int, column: str) -> ir.Table:
    """Add, as text, on how many of these days before its moment a unit was active.

    Args:
        table: has ``user_id``.
        before: as of `days_before`.
        days: the same number.
        column: name of the new column.
    """
    joined = table.left_join(before, "user_id").drop("user_id_right")
    words = [name_of(word) for word in range(words_for(days - 1))]
    return joined.mutate(**{column: number_active(joined, 0, days - 1).cast("string")}).drop(*words)


def name_of(word: int) -> str:
    """The column of a word."""
    return f"days_{word}"


def active_on(units: ir.Table, day: int) -> ir.BooleanValue:
    """Whether a unit was active on the day; false for days beyond the stored words."""
    import ibis

    word, bit = divmod(day, WORD_DAYS)
    if name_of(word) not in units.columns:
        return ibis.literal(False)
    column = units[name_of(word)].cast("int64")
    return (column & (1 << bit)) > 0


def number_active(units: ir.Table, first: int, last: int) -> ir.IntegerValue:
    """On how many of these days, both inclusive, a unit was active."""
    return reduce(add, [active_on(units, day).ifelse(1, 0) for day in range(first, last + 1)])


def churn(units: ir.Table, gap: int, words: int) -> ir.Table:
    """The units' columns and ``churn_word, churn_bit``: the word and the bit of the day of churn, null when censored.

    The day of churn is the last active day before the first silence of `gap` whole days, day 0 being active by
    definition: `events.warehouse.queries.survival_times` computes the same from the log itself. Units with `gap`
    complete days or fewer are left out: churn can't be observed for them.

    Args:
        units: with ``complete_days`` and all words, none of them null.
        gap: 1 to 31 days.
        words: how many words there are.

    Raises:
        ValueError: for another gap.
    """
    import ibis

    if not 1 <= gap <= MOST_GAP:
        raise ValueError(f"a silence of {gap} days does not fit into the words")
    units = units.filter(units.complete_days > gap)
    columns = [units[name_of(word)].cast("int64") for word in range(words)]
    columns[0] = columns[0] | 1
    lasts = {f"last_{word}": _lasts(units, columns, word, gap) for word in range(words)}
    units = units.mutate(**lasts)
    last_bits = [units[name] for name in lasts]
    return units.mutate(
        churn_word=ibis.cases(*[(last > 0, word) for word, last in enumerate(last_bits)], else_=ibis.null("int64")),
        churn_bit=ibis.cases(*[(last > 0, last & -last) for last in last_bits], else_=ibis.null("int64")),
    ).drop(*lasts)


def day_of(word: int, bit: int) -> int:
    """The day encoded by `churn_word` and `churn_bit`."""
    return word * WORD_DAYS + bit.bit_length() - 1


def _lasts(units: ir.Table, columns: Sequence[ir.IntegerValue], word: int, gap: int) -> ir.IntegerValue:
    """Active days of one word that are followed by `gap` silent whole days."""
    import ibis

    following = columns[word + 1] * 2**WORD_DAYS if word + 1 < len(columns) else 0
    both = columns[word] + following
    soon = reduce(lambda left, right: left | right, [both >> shift for shift in range(1, gap + 1)])
    # Days from here on don't have `gap` complete days after them yet.
    open_days = units.complete_days.cast("int64") - gap - word * WORD_DAYS
    allowed = ibis.cases(  # engines read a bare 1 as 32 bits: it can be shifted by at most 30 places
        (open_days <= 0, 0),
        (open_days >= WORD_DAYS, 2**WORD_DAYS - 1),
        else_=(ibis.literal(1, "int64") << open_days.cast("int32")) - 1,
    )
    ended = columns[word] & allowed
    return ended - (ended & soon)


def _bit_or(bits: ir.IntegerValue, dialect: str) -> ir.Value:
    import ibis

    if dialect not in ("pyspark", "databricks"):
        return bits.bit_or()
    # Ibis has no rule for this aggregate on Spark, which has it under the same name.
    joined = ibis.udf.agg.builtin(_signature, name="bit_or", signature=(("int64",), "int64"))
    return joined(bits)


def _signature(bits: int) -> int:  # the body of a builtin is never called
    raise NotImplementedError


# One row per user with everything that activity queries need: time zero, age, and active days as bits.
#
# Two sets of bits: ``days_0 …`` count from the user's own anchor (`day_bits`), ``dates_0 …`` are
# dates of the calendar, of which a word holds four weeks from Monday on. Retention of any definition, active users of
# any date or week and the weeks of a user's life follow from this one table, without the log. It is computed from the
# users' active days, which don't depend on the start event.

WEEKS = 4  # in one word
DATE_DAYS = 7 * WEEKS
MOST_DAYS = 36 * WORD_DAYS  # three years; of later days only `last_day` is known


def first_monday(newest: date, oldest: date) -> date:
    """The Monday on which ``dates_0`` begins: that of the oldest date, but at most `MOST_DAYS` before the newest."""
    first = max(oldest, newest - timedelta(days=MOST_DAYS))
    return first - timedelta(days=first.weekday())


def day_words(days: int) -> int:
    """Number of words for the days of a log that spans so many days."""
    return words_for(min(days, MOST_DAYS - 1))


def date_words(monday: date, newest: date) -> int:
    """Number of words for the dates from a Monday to the newest date."""
    return (newest - monday).days // DATE_DAYS + 1


def dates_name(word: int) -> str:
    """Name of the column that holds a word of dates."""
    return f"dates_{word}"


# ── Active days ───────────────────────────────────────────────────────────────
def active_days(events: ir.Table, zone: str, *, oldest: datetime, newest: datetime) -> ir.Table:
    """The activity of every user by dates: ``user_id, local, first, last``; DuckDB only.

    Enough to compute users' active days for any start event, in a fraction of the log's rows: a rolling day begins at
    the anchor's time of day, so what happened within 24 hours lies on the days of the first and of the last of it.

    Args:
        events: the log, or a part of it.
        zone: the site's.
        oldest, newest: naive UTC times of the log's first and last event.

    `local` is the zone's date in days since 1970; `first` and `last` are microseconds since then. No row spans two
    dates of the zone, or more than 24 hours. Activity at `newest` itself is in rows of its own, since a log of rolling
    days ends just before its newest event.
    """
    import ibis

    log = events.filter(~events.event.isin(EXPOSURE_EVENTS))
    years = (oldest.year, newest.year)
    log = log.mutate(
        date=log.time.date(),
        local=days_since_1970(local_date(log.time, Clock(DayMode.CALENDAR, zone), years)),
        newest=log.time == ibis.literal(newest, "timestamp"),
    )
    rows = log.group_by("user_id", "date", "local", "newest").aggregate(first=log.time.min(), last=log.time.max())
    return rows.select("user_id", "local", first=since_1970(rows["first"]), last=since_1970(rows["last"]))


def days_since_1970(day: ir.DateValue) -> ir.IntegerValue:
    """A date as a number."""
    import ibis

    return day.delta(ibis.date(1970, 1, 1), unit="day").cast("int32")


def since_1970(moment: ir.TimestampValue) -> ir.IntegerValue:
    """A UTC moment in microseconds; DuckDB only."""
    return moment.delta(utc(datetime(1970, 1, 1, tzinfo=UTC)), unit="microsecond")


# ── Users ─────────────────────────────────────────────────────────────────────
def people(users: ir.Table, active: ir.Table, basis: Basis, *, words: int, monday: date, weeks_words: int) -> ir.Table:
    """One row per user: ``user_id, anchor, anchor_date, complete_days, last_day, days_0 …, dates_0 …``.

    Args:
        users: with their clocks, from `queries.cohort`.
        active: their `active_days`, of one log or of several parts of it.
        basis: clock and data's end.
        words: how many words of days there are.
        monday: the first day of the first word of dates.
        weeks_words: how many words of dates there are.

    ``dates_0 …`` are the site's dates, also where the days are rolling.
    `last_day` is the day of the last activity up to the data's end, null for none. Only events from the anchor on count
    as activity.
    """
    start = users.select("user_id", start=since_1970(users.anchor), start_date=days_since_1970(users.anchor_date))
    log = active.filter(active["first"] < since_1970(utc(basis.data_end))).join(start, "user_id")
    log = log.filter(log["last"] >= log.start)
    rolling = basis.clock.mode is DayMode.ROLLING
    days = _rolling(log) if rolling else {"day": log.local - log.start_date}
    log = log.mutate(**days, place=log.local - (monday - date(1970, 1, 1)).days)
    activity = log.group_by("user_id").aggregate(
        last_day=(log.late if rolling else log.day).max(),
        **{name_of(word): _day_bits(log, word, rolling=rolling) for word in range(words)},
        **{dates_name(word): bits(log.place, word * DATE_DAYS, DATE_DAYS).bit_or() for word in range(weeks_words)},
    )
    names = [*map(name_of, range(words)), *map(dates_name, range(weeks_words))]
    joined = users.left_join(activity, "user_id").drop("user_id_right")
    # Words have at most 31 bits: integers of half the width are read in half the time.
    return joined.mutate(**{name: joined[name].fill_null(0).cast("int32") for name in names})


def _rolling(log: ir.Table) -> dict[str, ir.IntegerValue]:
    """The days of the first and of the last activity of a row, which is no longer than one day."""
    first, last = (((log[name] - log.start) // DAY).cast("int32") for name in ("first", "last"))
    return {"day": first, "late": last}


def _day_bits(log: ir.Table, word: int, *, rolling: bool) -> ir.Value:
    first = bits(log.day, word * WORD_DAYS, WORD_DAYS)
    return (first | bits(log.late, word * WORD_DAYS, WORD_DAYS)).bit_or() if rolling else first.bit_or()


def bits(place: ir.IntegerValue, first: int, number: int) -> ir.IntegerValue:
    """The bit of a day in a word that starts at `first` and holds so many days; 0 outside."""
    import ibis

    bit = ibis.literal(1, "int64") << (place - first).cast("int32")
    return place.between(first, first + number - 1).ifelse(bit, ibis.literal(0, "int64"))
