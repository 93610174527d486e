"""Active days of a unit as bits of a few integers, so that retention curve and churn need one pass over the log.

A word holds 31 days: words and sums of two words fit into signed 64-bit integers on every engine. Bits are combined
with one operation at a time, since engines disagree about the precedence of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from events.counting.unit_values import Basis, is_activity

if TYPE_CHECKING:
    import ibis.expr.types as ir

WORD_DAYS = 31
MOST_GAP = WORD_DAYS  # a longer silence would span more than two words


def words_for(days: int) -> int:
    """How many words hold the days 0 to `days`."""
    return max(days, 0) // WORD_DAYS + 1


def day_bits(log: ir.Table, basis: Basis, words: int) -> dict[str, ir.Value]:
    """Aggregates ``days_0, days_1, …`` per unit: bit k of word w is set when day 31 w + k was active."""
    import ibis

    active = is_activity(log, basis)
    found = {}
    for word in range(words):
        first = word * WORD_DAYS
        inside = active & log.day.between(first, first + WORD_DAYS - 1)
        bit = ibis.literal(1, "int64") << (log.day - first).cast("int32")
        found[name_of(word)] = _bit_or(inside.ifelse(bit, ibis.literal(0, "int64")), basis.dialect)
    return found


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


def churn(units: ir.Table, gap: int, words: int) -> ir.Table:
    """The units' columns and ``churn_word, churn_bit``: the word and the bit of the day of churn, null when censored.

    The day of churn is the last active day before the first silence of `gap` whole days, day 0 being active by
    definition: `events.counting.queries.survival_times` computes the same from the log itself. Units with `gap`
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
    found = [units[name] for name in lasts]
    return units.mutate(
        churn_word=ibis.cases(*[(last > 0, word) for word, last in enumerate(found)], else_=ibis.null("int64")),
        churn_bit=ibis.cases(*[(last > 0, last & -last) for last in found], else_=ibis.null("int64")),
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
