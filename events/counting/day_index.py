"""The day index as an Ibis expression that every engine counts alike.

Engines disagree about truncated epochs and about time-zone data. So days are counted with dates and comparisons of
timestamps only, and a zone's offsets enter as one CASE built from `events.windows.offsets`. On DuckDB, where adding an
interval costs more than the rest of a query, rolling days are the same number from a difference in microseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from events.windows import Clock, DayMode, offsets

if TYPE_CHECKING:
    import ibis.expr.types as ir

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
