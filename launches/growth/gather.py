"""Ask the warehouse in which weeks users were active."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from events.schema import EXPOSURE_EVENTS
from events.warehouse import daily_tables
from events.warehouse.session import WarehouseSession, span_of
from launches.growth import queries
from launches.growth.queries import WEEK
from runs import site_zone
from stats.growth_chain import Weeks, weeks_of

MOST_WEEKS = 260  # of an older log the last five years: who was active before them only seems new then
DAY = timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Gathered:
    """The log by weeks.

    Attributes:
        first: first date of the first week.
        weeks: of it on, none of them cut short.
    """

    first: date
    weeks: Weeks


def span(oldest: date, end: date) -> tuple[date, int]:
    """The first date of the weeks that end with the last whole day, and how many there are.

    Args:
        oldest: date of the first event: its day may be cut short.
        end: date up to which the data reach: the day before is the last whole one.
    """
    weeks = min(max((end - oldest - DAY).days // WEEK, 0), MOST_WEEKS)
    return end - weeks * WEEK * DAY, weeks


def gather(store: WarehouseSession) -> Gathered:
    """The states of users in each week, by what is kept of the log day by day where that is up to date.

    No condition parts users here, so nothing can show which arm of an experiment they are in.
    """
    end = site_zone.site_date(store.basis.data_end)
    oldest = site_zone.site_date(span_of(store.warehouse, store.basis.clock).oldest)
    first, weeks = span(oldest, end)
    empty = np.zeros(0, dtype=np.int64)
    if not weeks:
        return Gathered(first, weeks_of(empty, empty, empty, empty, weeks=0))
    start, until = site_zone.midnight(first), site_zone.midnight(end)
    kept, log = daily_tables.counts(store.warehouse, besides=lambda _day: False)
    found = [] if log is None else [queries.visited_days(log, store.basis, start=start, end=until)]
    if kept is not None:
        kept = kept.filter(kept.day >= first, kept.day < end, ~kept.event.isin(EXPOSURE_EVENTS))
        found.append(kept.select("user_id", "day").distinct())
    days = found[0] if len(found) == 1 else found[0].union(found[1])
    rows = store.warehouse.arrow(queries.active_weeks(days, first))
    columns = [rows.column(name).to_numpy().astype(np.int64) for name in ("week", "silent", "gap", "users")]
    return Gathered(first, weeks_of(*columns, weeks=weeks))
