"""One part of the numbered log, written once: its rows, its new users, and precomputed tables.

A part's files, with its number in their names: `log` has ``user_id, event, time``; `users` has ``user_id`` as the store
has it and ``number``; `days` has the active days (`events.counting.user_bits.active_days`); `events` has one row per
event name: ``event, events, oldest, newest, day_grain``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from events.counting.day_index import wall_clock
from events.counting.user_bits import active_days
from events.warehouse import Warehouse

if TYPE_CHECKING:
    import ibis.expr.types as ir

STEPS = 4


@dataclass(frozen=True)
class PartFiles:
    """Where the part of this number lies in a generation's folder."""

    folder: Path
    number: int

    @property
    def log(self) -> Path:
        """The rows."""
        return self._named("log")

    @property
    def users(self) -> Path:
        """The users that are new in it."""
        return self._named("users")

    @property
    def days(self) -> Path:
        """The active days."""
        return self._named("days")

    @property
    def events(self) -> Path:
        """The event names."""
        return self._named("events")

    def _named(self, what: str) -> Path:
        return self.folder / f"{what}-{self.number}.parquet"


@dataclass(frozen=True)
class Added:
    """Statistics of a new part.

    Attributes:
        users: how many users are new.
        events: how many events it holds.
        oldest, newest: naive UTC times of its first and last event.
        day_grain: True when every event falls on a midnight of the project.
    """

    users: int
    events: int
    oldest: datetime
    newest: datetime
    day_grain: bool


def write_part(
    warehouse: Warehouse,
    files: Sequence[str],
    part: PartFiles,
    *,
    earlier: Sequence[Path],
    users: int,
    step: Callable[[int], None],
) -> Added:
    """Write all files of a part.

    Args:
        warehouse: a bounded engine.
        files: of the store, at least one.
        part: the target.
        earlier: `users` of the parts before.
        users: how many users have a number already.
        step: called with the number of each of the `STEPS` as it begins; may raise to stop.
    """
    import ibis

    step(0)
    stored = warehouse.stored(files)
    new = stored.select("user_id").distinct()
    if earlier:
        new = new.anti_join(warehouse.read(earlier), "user_id")
    warehouse.write(new.mutate(number=(ibis.row_number() + users).cast("int32")), part.users)
    step(1)
    numbers = warehouse.read([*earlier, part.users])
    rows = stored.join(numbers, "user_id").select(user_id="number", event="event", time="time")
    names = [row["event"] for row in warehouse.arrow(stored.select("event").distinct()).to_pylist()]
    # Sorted by their index in this list, names cost a third of sorting the texts.
    warehouse.write_sorted(rows, part.log, ("event", "user_id"), {"event": sorted(names)})
    step(2)
    log = warehouse.read([part.log])
    warehouse.write(_event_rows(log), part.events)
    seen = warehouse.read([part.events])
    extent = seen.aggregate(
        events=seen.events.sum(), oldest=seen.oldest.min(), newest=seen.newest.max(), day_grain=seen.day_grain.all()
    )
    (row,) = warehouse.arrow(extent).to_pylist()
    step(3)
    days = active_days(log, settings.TIME_ZONE, oldest=row["oldest"], newest=row["newest"])
    warehouse.write_sorted(days, part.days, ("user_id",))
    added = warehouse.arrow(warehouse.read([part.users]).aggregate(users=ibis._.count())).to_pylist()[0]["users"]
    return Added(added, **{**row, "events": int(row["events"])})


def _event_rows(log: "ir.Table") -> "ir.Table":
    local = wall_clock(log.time, settings.TIME_ZONE)
    return log.group_by("event").aggregate(
        events=log.count(), oldest=log.time.min(), newest=log.time.max(), day_grain=(local == local.truncate("D")).all()
    )
