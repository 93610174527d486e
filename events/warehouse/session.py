"""Open the warehouse for one analysis: flush first, then fix how days are counted and where the data end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from events.outbox.flush import flush_events
from events.store.snapshot import StoreFiles
from events.warehouse import queries
from events.warehouse.engine import Warehouse, connect
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode, data_end
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
        return [str(row) for row in self.run(queries.event_names(self.log).select("event")).event]

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
    at: StoreFiles | None = None,
    time_zone: str = "",
) -> Iterator[WarehouseSession]:
    """Flush the outbox and open the warehouse.

    Args:
        day_mode: ``rolling`` or ``calendar`` (then days are dates of the zone below).
        activity: event names that make a unit active; None for all but exposures.
        memory: the most that the embedded engine may take; empty for its own limit.
        at: an earlier version of the store; nothing is flushed then.
        time_zone: in which days are counted; empty for the site's.

    Raises:
        Refused: when there is no event yet, or the warehouse can't be opened.
    """
    if at is None:
        flush_events()
    clock = Clock(DayMode(day_mode), time_zone or site_zone())
    with connect(memory=memory, at=at) as warehouse:
        # Only these aggregates: counting users as well is ten times the work.
        question = queries.span(warehouse.events, clock).select("events", "newest", "day_grain")
        span: Any = warehouse.run(question).iloc[0]
        if not int(span.events):
            raise Refused("There are no events yet. Send some, or read a file with import_events.")
        end = data_end(span.newest.to_pydatetime(), clock, day_grain=bool(span.day_grain))
        yield WarehouseSession(warehouse, Basis(clock, end, activity, warehouse.dialect), int(span.events))


def _some(names: list[str], most: int = 8) -> str | Message:
    shown = ", ".join(names[:most])
    if len(names) <= most:
        return shown
    return say("{names} and {count} more", names=shown, count=len(names) - most)
