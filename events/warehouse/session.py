"""Open the warehouse for one analysis: flush first, then fix how days are counted and where the data end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from events.outbox.flush import flush_events
from events.store.snapshot import CUT, StoreFiles
from events.warehouse import daily_tables, queries
from events.warehouse.engine import Warehouse, connect
from events.warehouse.iceberg import TableSnapshots
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode, data_end, in_utc
from reporting.words import Message, say
from runs.refusals import Refused
from runs.site_zone import site_zone

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd


@dataclass(frozen=True)
class WarehouseSession:
    """An open warehouse with its basis; `run` executes an expression.

    Attributes:
        warehouse: the connection.
        basis: clock, end of the data, activity and engine: stored with every result.
        events: number of events in the store.
    """

    warehouse: Warehouse
    basis: Basis
    events: int

    @property
    def log(self) -> "ir.Table":
        """The event log."""
        return self.warehouse.events

    @cached_property
    def names(self) -> list[str]:
        """Every event name of the log, queried once: a study of fifty behaviours would read it fifty times."""
        return [str(row) for row in self.run(self.event_names().select("event")).event]

    def event_names(self) -> "ir.Table":
        """One row per event name: ``event, users, first_time``, by what is kept of the log where that is up to date."""
        kept = daily_tables.event_names(self.warehouse)
        return queries.event_names(self.log).select("event", "users", "first_time") if kept is None else kept

    def about(self, first: date | None, last: date | None) -> "WarehouseSession":
        """The same session for questions about the units whose anchors lie on these local dates, both inclusive.

        Only the days of the log that such a question needs are then read. None is no bound.
        """
        return replace(self, basis=replace(self.basis, first=first, last=last))

    def cohort(self, anchor: str) -> "ir.Table":
        """The units of `queries.cohort`, by the first times that are kept where these are up to date.

        Args:
            anchor: the event whose first occurrence starts a unit's clock; ``*`` for the first of any kind.
        """
        met = daily_tables.first_times(self.warehouse, anchor, self.basis)
        if met is None:
            return queries.cohort(self.log, anchor, self.basis)
        return queries.in_dates(queries.with_clock(met, self.basis), self.basis.first, self.basis.last)

    def run(self, question: "ir.Table") -> "pd.DataFrame":
        """The result of a query."""
        return self.warehouse.run(question)

    def units(self, question: "ir.Table") -> "pd.DataFrame":
        """The result of a query with one row per unit; ``user_id`` is the unit's id."""
        return self.warehouse.run(self.warehouse.named(question))

    def need_event(self, name: str, option: str = "", *, where: str | Message = "") -> None:
        """Refuse an event name that isn't in the log, and suggest names that are.

        Args:
            name: of the event.
            option: the option that names it; "" if none does.
            where: what names it then, for example an outcome.

        Raises:
            Refused: naming the option or the place, and up to eight names of the log.
        """
        if name != "*" and name not in self.names:
            what = say("there is no event {event!r}; the log has {names}.", event=name, names=_some(self.names))
            raise Refused("{where}: {what}", where=where, what=what) if where else Refused(what, at=option)


@contextmanager
def questions(
    *,
    day_mode: str = "rolling",
    activity: tuple[str, ...] | None = None,
    memory: str = "",
    at: StoreFiles | TableSnapshots | None = None,
    time_zone: str = "",
) -> Iterator[WarehouseSession]:
    """Flush the outbox and open the warehouse.

    Args:
        day_mode: ``rolling`` or ``calendar`` (then days are dates of the zone below).
        activity: event names that make a unit active; None for all but exposures.
        memory: the most that the embedded engine may take; empty for its own limit.
        at: an earlier version of the store, or earlier snapshots of Iceberg tables; nothing is flushed then.
        time_zone: in which days are counted; empty for the site's.

    Raises:
        Refused: when there is no event yet, or the warehouse can't be opened.
    """
    if at is None:
        flush_events()
    clock = Clock(DayMode(day_mode), time_zone or site_zone())
    with connect(memory=memory, at=at) as warehouse:
        span = span_of(warehouse, clock)
        end = data_end(span.newest, clock, day_grain=span.day_grain)
        yield WarehouseSession(warehouse, Basis(clock, end, activity, warehouse.dialect), span.events)


@dataclass(frozen=True)
class Span:
    """How far the log reaches.

    Attributes:
        events: their number.
        oldest: the time of the first, or a little less than a second before it.
        newest: the time of the last.
        day_grain: whether every event falls on a local midnight.
    """

    events: int
    oldest: datetime
    newest: datetime
    day_grain: bool


def span_of(warehouse: Warehouse, clock: Clock) -> Span:
    """How far the log of an open warehouse reaches.

    The store's log answers where it can, so that only the newest files are read: a file whose first event isn't at a
    midnight settles the last question.

    Raises:
        Refused: there are no events.
    """
    files = None if warehouse.snapshot is None else warehouse.snapshot.event_files()
    if not files or all(_is_midnight(file.oldest, clock.time_zone) for file in files):
        # Only these aggregates: counting users as well is ten times the work.
        question = queries.span(warehouse.events, clock).select("events", "oldest", "newest", "day_grain")
        span: Any = warehouse.run(question).iloc[0]
        if not int(span.events):
            raise Refused("There are no events yet. Send some, or read a file with import_events.")
        return Span(int(span.events), _moment(span.oldest), _moment(span.newest), bool(span.day_grain))
    last = queries.first_and_last(warehouse.events, max(file.newest for file in files) - CUT).select("last")
    oldest, newest = min(file.oldest for file in files), _moment(warehouse.run(last).iloc[0, 0])
    return Span(sum(file.rows for file in files), in_utc(oldest), newest, day_grain=False)


def _moment(found: Any) -> datetime:
    return in_utc(found.to_pydatetime())


def _is_midnight(moment: datetime, zone: str) -> bool:
    return moment.astimezone(ZoneInfo(zone)).time() == time()


def _some(names: list[str], most: int = 8) -> str | Message:
    shown = ", ".join(names[:most])
    if len(names) <= most:
        return shown
    return say("{names} and {count} more", names=shown, count=len(names) - most)
