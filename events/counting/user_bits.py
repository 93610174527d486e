"""One row per user with everything that questions about activity ask: clock zero, age, and active days as bits.

Two sets of bits: ``days_0 …`` count from the user's own anchor (`events.counting.day_bits`), ``dates_0 …`` are dates of
the calendar, of which a word holds four weeks from Monday on. Retention of any definition, active users of any date or
week and the weeks of a user's life follow from this one table, without the log.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from events.counting import day_bits, queries
from events.counting.day_index import local_date
from events.counting.unit_values import Basis, active_events, since_anchor

if TYPE_CHECKING:
    import ibis.expr.types as ir

WEEKS = 4  # in one word
DATE_DAYS = 7 * WEEKS
MOST_DAYS = 36 * day_bits.WORD_DAYS  # three years; later days are only known through `last_day`


def first_monday(newest: date, oldest: date) -> date:
    """The Monday on which ``dates_0`` begins: of the oldest date, but not more than `MOST_DAYS` before the newest."""
    first = max(oldest, newest - timedelta(days=MOST_DAYS))
    return first - timedelta(days=first.weekday())


def day_words(days: int) -> int:
    """How many words hold the days of a log that spans so many days."""
    return day_bits.words_for(min(days, MOST_DAYS - 1))


def date_words(monday: date, newest: date) -> int:
    """How many words hold the dates from a Monday to the newest date."""
    return (newest - monday).days // DATE_DAYS + 1


def dates_name(word: int) -> str:
    """The column of a word of dates."""
    return f"dates_{word}"


def people(events: ir.Table, basis: Basis, *, signup: str, words: int, monday: date, weeks_words: int) -> ir.Table:
    """One row per user: ``user_id, anchor, anchor_date, complete_days, last_day, days_0 …, dates_0 …``.

    Args:
        events: the log.
        basis: clock, data's end, activity.
        signup: the event that starts a user's clock; ``*`` for the first of any kind.
        words: how many words of days there are.
        monday: the first day of the first word of dates.
        weeks_words: how many words of dates there are.

    `last_day` is the day of the last activity up to the data's end, null for none. Only what happens from the anchor on
    is activity.
    """
    import ibis

    users = queries.cohort(events, signup, basis)
    log = since_anchor(active_events(events, basis), users, basis)
    place = local_date(log.time, basis.clock).delta(ibis.literal(monday), unit="day").cast("int64")
    log = log.mutate(place=place, word=log.day // day_bits.WORD_DAYS)
    found = log.group_by("user_id").aggregate(
        last_day=log.day.max(), **day_bits.day_bits(log, basis, words), **_date_bits(log, weeks_words)
    )
    names = [*map(day_bits.name_of, range(words)), *map(dates_name, range(weeks_words))]
    joined = users.left_join(found, "user_id").drop("user_id_right")
    return joined.mutate(**{name: joined[name].fill_null(0) for name in names})


def _date_bits(log: ir.Table, words: int) -> dict[str, ir.Value]:
    import ibis

    found: dict[str, ir.Value] = {}
    for word in range(words):
        first = word * DATE_DAYS
        inside = log.place.between(first, first + DATE_DAYS - 1)
        bit = ibis.literal(1, "int64") << (log.place - first).cast("int32")
        found[dates_name(word)] = inside.ifelse(bit, ibis.literal(0, "int64")).bit_or()
    return found
