"""Daily tables: what each user did on each day, and when first, kept beside the log and made anew from it at any time.

Where the log lies in a customer's warehouse, they lie in a schema there (`events.warehouse.daily_schema`). In the store
they are two Delta tables in its folder, parted by the local date of the site's zone. `days` has a row for each user,
date and event; `firsts` has the first of each user's events of a name, in the partition of its date. Users stand there
by their own numbers: whoever is joined later counts as one person when they are read.

Whether a partition is still right stands in its name: the digest of the store's files that reach into its date, in
`firsts` of those of all dates up to it. So nothing has to be kept in step with flushes, late events, compaction and
erasures: a partition with another digest is never read, but the log instead, until it is made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from django.conf import settings
from django.utils import timezone

from events.store import derived, ownership, place
from events.store.derived import Derived
from events.store.snapshot import CUT, EventFile, Snapshot
from events.warehouse import daily_schema, engine, queries
from events.warehouse.columns import Users, bounded, on_dates
from events.warehouse.daily_schema import DailySchema
from events.warehouse.engine import Warehouse
from events.windows import Clock, DayMode
from runs.site_zone import site_zone

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from events.warehouse.unit_values import Basis

DAILY, FIRSTS = "days", "firsts"
TIME = pa.timestamp("us", tz="UTC")
ROW = [
    pa.field(derived.DAY, pa.date32()),
    pa.field(derived.SOURCE, pa.string()),
    pa.field("user", pa.int64()),
    pa.field("event", pa.string()),
    pa.field("first", TIME),
]
SCHEMAS = {DAILY: pa.schema([*ROW, pa.field("n", pa.int64()), pa.field("last", TIME)]), FIRSTS: pa.schema(ROW)}
NOBODY = 0  # the user of a row that every partition has, so that a date without events has one too
ANY_EVENT = ""  # the name, in `firsts`, of a user's first event of any kind
MOST_ROWS = 20_000_000  # events that are counted at a time
MEMORY = "2GB"

type Sources = Mapping[date, str]

log = structlog.get_logger()


@dataclass(frozen=True)
class Refreshed:
    """What a refresh made.

    Attributes:
        days: dates that were counted.
        firsts: dates whose first times were found.
        removed: dates that the log doesn't have any more.
    """

    days: int = 0
    firsts: int = 0
    removed: int = 0


# ── which partitions are right ────────────────────────────────────────────────
def sources(files: Sequence[EventFile], zone: str) -> dict[date, str]:
    """By local date, in order, the digest of the files that hold its events or may."""
    clock = Clock(DayMode.CALENDAR, zone)
    named: dict[date, list[str]] = {}
    for file in files:
        for day in _reached(file, clock):
            named.setdefault(day, []).append(file.path)
    return {day: _digest(*sorted(paths)) for day, paths in sorted(named.items())}


def _reached(file: EventFile, clock: Clock) -> Iterator[date]:
    """The local dates between a file's first and last event."""
    day, last = clock.local_date(file.oldest), clock.local_date(file.newest)
    while day <= last:
        yield day
        day += timedelta(days=1)


def chained(days: Sources) -> dict[date, str]:
    """By date the digest of the sources of all dates up to it."""
    found, before = {}, ""
    for day, source in days.items():
        found[day] = before = _digest(before, day.isoformat(), source)
    return found


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:20]


# ── making them ───────────────────────────────────────────────────────────────
class Tables(Protocol):
    """Where both tables lie: in the store, or in a schema of the warehouse."""

    def counted(self) -> Collection[tuple[date, str]]:
        """The dates of `days`, each with the source that it was made of."""

    def found(self) -> Collection[tuple[date, str]]:
        """The dates of `firsts`, alike."""

    def count(self, days: Sequence[date], wanted: Sources) -> None:
        """Count dates that lie side by side, in the place of what is kept of them."""

    def find_firsts(self, days: Sequence[date], chain: Sources) -> None:
        """Find first times on dates that lie side by side; those of all earlier ones are right."""

    def remove(self, days: Sequence[date]) -> None:
        """Delete dates."""

    def tidy(self) -> None:
        """Delete what was replaced."""


def refresh(check: Callable[[], None] = lambda: None, now: datetime | None = None) -> Refreshed:
    """Bring the tables up to the log: dates whose events are others, or may be, are counted again.

    In the store another process that refreshes at the same time isn't disturbed: the later of two commits fails, and
    what it counted is dropped.

    Args:
        check: called between the parts of the work; may raise to stop it, and what is made by then stays.
        now: by which dates of a warehouse are past; None for the present.

    Raises:
        Refused: `WAREHOUSE_DAILY_SCHEMA` names an engine that isn't supported, or a schema that can't be written.
    """
    if settings.WAREHOUSE_URL:
        return _refreshed_schema(check, now or timezone.now()) if settings.WAREHOUSE_DAILY_SCHEMA else Refreshed()
    seen = ownership.seen_to_read()
    if seen is None:
        return Refreshed()
    at, zone = Snapshot(seen.handle), site_zone()
    files = at.event_files()
    if files is None or at.unnumbered():
        return Refreshed()
    for other in derived.zones():
        if other != zone:
            derived.leave(other)
    try:
        made = _brought_up(_Partitions(files, zone), sources(files, zone), _rows_of(files, zone), check)
    except derived.Overtaken:
        return Refreshed()
    forget_changed()  # of an erasure that came meanwhile
    return made


def _refreshed_schema(check: Callable[[], None], now: datetime) -> Refreshed:
    with engine.connect() as warehouse:
        tables = DailySchema(warehouse, site_zone(), now)
        tables.make()
        wanted = tables.wanted()
        rows = {day: row.events for day, row in wanted.items()}
        made = _brought_up(tables, {day: row.source for day, row in wanted.items()}, rows, check)
        tables.note_look()
    return made


def _brought_up(tables: Tables, wanted: Sources, rows: Mapping[date, int], check: Callable[[], None]) -> Refreshed:
    """Make what is missing.

    Args:
        tables: where.
        wanted: by date, in order, the source that it should be made of.
        rows: by date the number of its events, or more.
        check: as `refresh`.
    """
    chain = chained(wanted)
    gone = sorted({day for day, _ in [*tables.counted(), *tables.found()]} - wanted.keys())
    if gone:
        tables.remove(gone)
    made = tables.counted()
    stale = [day for day, source in wanted.items() if (day, source) not in made]
    for days in _portions(stale, rows):
        check()
        tables.count(days, wanted)
    missing = [*chain][len(_right(tables.found(), chain)) :]
    for days in _portions(missing, rows):
        check()
        tables.find_firsts(days, chain)
    if stale or gone or missing:
        tables.tidy()
    return Refreshed(len(stale), len(missing), len(gone))


def _right(made: Collection[tuple[date, str]], chain: Sources) -> list[date]:
    """The dates of `firsts` up to the first one that isn't right: later ones build on it."""
    return list(takewhile(lambda day: (day, chain[day]) in made, chain))


def _portions(days: Sequence[date], rows: Mapping[date, int]) -> Iterator[list[date]]:
    """The dates in portions that lie side by side and have at most `MOST_ROWS` events, or a single date."""
    portion: list[date] = []
    size = 0
    for day in days:
        if portion and (day - portion[-1] != timedelta(days=1) or size + rows[day] > MOST_ROWS):
            yield portion
            portion, size = [], 0
        portion.append(day)
        size += rows[day]
    if portion:
        yield portion


# ── in the store ──────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class _Partitions:
    """The tables in the store's folder, of a version with these files."""

    files: Sequence[EventFile]
    zone: str

    def counted(self) -> Collection[tuple[date, str]]:
        return table(DAILY, self.zone).files()

    def found(self) -> Collection[tuple[date, str]]:
        return table(FIRSTS, self.zone).files()

    def count(self, days: Sequence[date], wanted: Sources) -> None:
        table(DAILY, self.zone).replace(days, _counted(self.files, days, wanted, self.zone))

    def find_firsts(self, days: Sequence[date], chain: Sources) -> None:
        table(FIRSTS, self.zone).replace(days, _first_met(self.zone, days, chain))

    def remove(self, days: Sequence[date]) -> None:
        for name in SCHEMAS:
            table(name, self.zone).replace(days, SCHEMAS[name].empty_table())

    def tidy(self) -> None:
        for name in SCHEMAS:
            table(name, self.zone).tidy()


def table(name: str, zone: str) -> Derived:
    """One of the two tables by the dates of a zone."""
    return Derived(name, zone, SCHEMAS[name])


def _rows_of(files: Sequence[EventFile], zone: str) -> dict[date, int]:
    """By date the rows of the files that reach into it."""
    clock = Clock(DayMode.CALENDAR, zone)
    rows: dict[date, int] = {}
    for file in files:
        for day in _reached(file, clock):
            rows[day] = rows.get(day, 0) + file.rows
    return rows


def _counted(files: Sequence[EventFile], days: Sequence[date], wanted: Sources, zone: str) -> pa.Table:
    """The rows of `daily` of dates that lie side by side."""
    import ibis

    clock = Clock(DayMode.CALENDAR, zone)
    since, until = clock.midnight(days[0]), clock.midnight(days[-1] + timedelta(days=1))
    near = [f"{place.url()}/{file.path}" for file in files if file.oldest < until and file.newest >= since - CUT]
    with (
        TemporaryDirectory(prefix="insight-daily-") as scratch,
        engine.bounded(memory=MEMORY, scratch=Path(scratch)) as warehouse,
    ):
        rows = queries.day_counts(warehouse.numbered(near), since, until, clock).rename(user="user_id")
        found = warehouse.arrow(rows.order_by([ibis._.day, ibis._.event, ibis._.user]))
    return _stored(DAILY, found, {day: wanted[day] for day in days})


def _first_met(zone: str, days: Sequence[date], chain: Sources) -> pa.Table:
    """The rows of `firsts` of dates that lie side by side; all earlier ones are right."""
    import ibis

    daily, firsts = table(DAILY, zone).files(), table(FIRSTS, zone).files()
    own = [file for (day, _), some in daily.items() if days[0] <= day <= days[-1] for file in some]
    before = [file for (day, _), some in firsts.items() if day < days[0] for file in some]
    with (
        TemporaryDirectory(prefix="insight-firsts-") as scratch,
        engine.bounded(memory=MEMORY, scratch=Path(scratch)) as warehouse,
    ):
        rows = warehouse.kept_rows(own)
        rows = rows.filter(rows.user != NOBODY).rename(user_id="user")
        earlier = warehouse.kept_rows(before).rename(user_id="user") if before else None
        rows = queries.first_days(rows, earlier, ANY_EVENT).rename(user="user_id")
        found = warehouse.arrow(rows.order_by([ibis._.day, ibis._.event, ibis._.user]))
    return _stored(FIRSTS, found, {day: chain[day] for day in days})


def _stored(name: str, rows: pa.Table, days: Sources) -> pa.Table:
    """The rows with their partitions' digests, and a row of nobody for each date."""
    schema = SCHEMAS[name]
    nobody = pa.Table.from_pylist([{"day": day, "user": NOBODY, "event": ANY_EVENT, "n": 0} for day in days], schema)
    columns = {field.name: rows.column(field.name).cast(field.type) for field in schema if field.name != "source"}
    columns["source"] = pa.nulls(rows.num_rows, pa.string())
    both = pa.concat_tables([nobody, pa.table(columns).select(schema.names).cast(schema)])
    places = pc.index_in(both.column("day"), pa.array(days, pa.date32()))
    digests = pa.array(days.values(), pa.string()).take(places)
    return both.set_column(schema.get_field_index("source"), schema.field("source"), digests)


def forget_in_warehouse(ids: Collection[str]) -> int:
    """Delete these users' rows of the daily tables in the warehouse; returns how many there were.

    Raises:
        Refused: the warehouse can't be opened or written.
    """
    if not (settings.WAREHOUSE_URL and settings.WAREHOUSE_DAILY_SCHEMA):
        return 0
    with engine.connect() as warehouse:
        return DailySchema(warehouse, site_zone(), timezone.now()).forget(ids) if warehouse.daily else 0


def forget_changed() -> int:
    """After an erasure: delete the dates whose files of the store are others now, at once, and what was made of them.

    Returns:
        How many dates, of both tables together.
    """
    seen = None if settings.WAREHOUSE_URL else ownership.seen_to_read()
    files = None if seen is None else Snapshot(seen.handle).event_files()
    gone = 0
    for zone in derived.zones():
        wanted = sources(files or (), zone)
        for name, right in ((DAILY, wanted), (FIRSTS, chained(wanted))):
            kept = table(name, zone)
            while days := sorted({day for day, source in kept.files() if right.get(day) != source}):
                try:
                    kept.replace(days, kept.schema.empty_table())
                except derived.Overtaken:  # by a refresh, which wrote dates of before the erasure perhaps
                    continue
                kept.tidy(0)
                gone += len(days)
    return gone


# ── reading them ──────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class _Kept:
    """The first times that are kept of a log.

    Attributes:
        right: dates whose first times are right, from the log's first on.
        following: the first date that the log must be read of; None where all are right.
        rows: ``user_id, event, time`` of the first times on some of those dates.
        any_event: the name there of a user's first event of any kind.
        joined: whether any ids count as one person.
    """

    right: Sequence[date]
    following: date | None
    rows: Callable[[Sequence[date]], ir.Table]
    any_event: str
    joined: bool = False


def first_times(warehouse: Warehouse, anchor: str, basis: Basis) -> ir.Table | None:
    """``user_id, anchor``: each user's first event of this name, of those who may be in the basis' dates.

    Dates that aren't kept, or not any more, are read from the log.

    Args:
        warehouse: the open warehouse.
        anchor: name of the event; ``*`` for the first of any kind.
        basis: with the dates on which the anchors lie.

    Returns:
        None where the log alone can answer: an earlier version, users without numbers, nothing kept.
    """
    kept = _kept(warehouse)
    since = None if basis.first is None else basis.clock.midnight(basis.first)
    end = None if basis.last is None else basis.clock.midnight(basis.last + timedelta(days=1))
    met = None if kept is None else _met(warehouse, kept, since, end)
    if kept is None or met is None or (anchor != "*" and anchor == kept.any_event):
        return None
    rows, log = met
    rows = rows.filter(rows.event == (kept.any_event if anchor == "*" else anchor)).select("user_id", anchor="time")
    if log is not None:
        log = log if anchor == "*" else log.filter(log.event == anchor)
        rows = rows.union(log.select("user_id", anchor="time"))
    return rows.group_by("user_id").aggregate(anchor=rows.anchor.min())


def event_names(warehouse: Warehouse) -> ir.Table | None:
    """``event, users, first_time`` of every name in the log; None as for `first_times`."""
    kept = _kept(warehouse)
    met = None if kept is None else _met(warehouse, kept, None, None)
    if kept is None or met is None:
        return None
    rows, log = met
    rows = rows.filter(rows.event != kept.any_event)
    if log is not None:
        rows = rows.union(log.group_by("user_id", "event").aggregate(time=log.time.min()))
    return rows.group_by("event").aggregate(users=rows.user_id.nunique(), first_time=rows.time.min())


def met_between(
    warehouse: Warehouse, since: datetime | None, end: datetime | None
) -> tuple[ir.Table, ir.Table | None] | None:
    """What `first_times` and `event_names` read for a time: kept rows, and the log after them; None without any."""
    kept = _kept(warehouse)
    return None if kept is None else _met(warehouse, kept, since, end)


def _met(
    warehouse: Warehouse, kept: _Kept, since: datetime | None, end: datetime | None
) -> tuple[ir.Table, ir.Table | None] | None:
    """``user_id, event, time``: the first times that are kept, and the events of the log that come after them.

    Args:
        warehouse: the open warehouse.
        kept: of its log.
        since, end: UTC moments between which first times are wanted, the second exclusive; other users may have rows
            that aren't their first.
    """
    there = _answering(kept.right, kept.following, since, end, joined=kept.joined)
    if there is None:
        return None
    days, later = there
    rows = kept.rows(days)
    return rows, None if later is None else bounded(warehouse.events, later, end).select("user_id", "event", "time")


def _kept(warehouse: Warehouse) -> _Kept | None:
    if warehouse.daily:
        return _kept_in_schema(warehouse)
    files, users = _described(warehouse), warehouse.users
    if not files or users is None:
        return None

    def rows(days: Sequence[date]) -> ir.Table:
        kept = _of_persons(warehouse, [file for day in days for file in addresses[day, chain[day]]], users)
        return kept.select("user_id", "event", time="first")

    chain, addresses, right, following = _right_in_store(files)
    return _Kept(right, following, rows, ANY_EVENT, users.pairs is not None)


def _right_in_store(
    files: Sequence[EventFile],
) -> tuple[dict[date, str], dict[tuple[date, str], tuple[str, ...]], list[date], date | None]:
    """The chain, the files of first times, the dates that are right, and the one after them."""
    zone = site_zone()
    chain, addresses = chained(sources(files, zone)), table(FIRSTS, zone).files()
    right = _right(addresses, chain)
    return chain, addresses, right, next(iter([*chain][len(right) :]), None)


def _kept_in_schema(warehouse: Warehouse) -> _Kept | None:
    tables = DailySchema(warehouse, site_zone(), timezone.now())
    try:
        right = _right(tables.found(), chained(tables.sources()))
    except Exception as error:  # each driver has its own; the log answers, and the refresh says what is wrong
        log.warning("daily_tables.not_read", schema=warehouse.daily, error=type(error).__name__)
        return None
    if not right:
        return None
    return _Kept(right, right[-1] + timedelta(days=1), tables.first_times, daily_schema.ANY_EVENT)


def counts(warehouse: Warehouse, *, besides: Callable[[date], bool]) -> tuple[ir.Table | None, ir.Table | None]:
    """What each person did on which date, and the events of the log that must be counted beside it.

    Args:
        warehouse: the open store.
        besides: the dates that are wanted from the log, whatever is kept of them.

    Returns:
        ``user_id, event, day, n, first, last``, in several rows where ids count as one person, and the events of all
        other dates; None where there are none of the one or the other.
    """
    files, users, zone = _described(warehouse), warehouse.users, site_zone()
    if not files or users is None:
        return None, warehouse.events
    wanted, made = sources(files, zone), table(DAILY, zone).files()
    right = [day for day, source in wanted.items() if (day, source) in made and not besides(day)]
    if not right:
        return None, warehouse.events
    kept = _of_persons(warehouse, [file for day in right for file in made[day, wanted[day]]], users)
    others = wanted.keys() - set(right)
    return kept, on_dates(warehouse.events, others, Clock(DayMode.CALENDAR, zone)) if others else None


def _described(warehouse: Warehouse) -> Sequence[EventFile] | None:
    """The store's files; None where the tables say nothing of what the warehouse reads."""
    return None if warehouse.snapshot is None or warehouse.users is None else warehouse.snapshot.event_files()


def _of_persons(warehouse: Warehouse, files: Sequence[str], users: Users) -> ir.Table:
    """The rows of these files with ``user_id``, the person's number, and times as the log has them."""
    import ibis

    rows = warehouse.kept_rows(files)
    rows = rows.filter(rows.user != NOBODY)
    times = {name: rows[name].cast(warehouse.events.time.type()) for name in ("first", "last") if name in rows.columns}
    rows = rows.mutate(**times).rename(user_id="user")
    if users.pairs is None:
        return rows
    both = rows.left_join(users.pairs, rows.user_id == users.pairs.number)
    return both.mutate(user_id=ibis.coalesce(both.stays, both.user_id)).drop("number", "stays")


def kept_between(
    files: Sequence[EventFile], since: datetime | None, end: datetime | None, *, joined: bool
) -> tuple[list[str], datetime | None] | None:
    """Which files of first times of the store answer for a time, and from when on the log must be read.

    Args:
        files: of the store's newest version.
        since, end: UTC moments, the second exclusive; None for no bound.
        joined: whether any ids count as one person.

    Returns:
        The files' addresses, and a UTC moment or None where the log needn't be read; None where nothing is kept.
    """
    chain, addresses, right, following = _right_in_store(files)
    there = _answering(right, following, since, end, joined=joined)
    return there and ([file for day in there[0] for file in addresses[day, chain[day]]], there[1])


def _answering(
    right: Sequence[date], following: date | None, since: datetime | None, end: datetime | None, *, joined: bool
) -> tuple[list[date], datetime | None] | None:
    """Which dates of first times answer for a time, and from when on the log must be read; None where none do."""
    clock = Clock(DayMode.CALENDAR, site_zone())
    last = None if end is None else clock.local_date(end - timedelta(microseconds=1))
    later = following if following is not None and (last is None or following <= last) else None
    first = None if since is None else clock.local_date(since)
    if later is not None or joined:
        first = None  # whoever seems new may have been there before: by another id, or before these days of the log
    days = [day for day in right if (first is None or first <= day) and (last is None or day <= last)]
    return (days, None if later is None else clock.midnight(later)) if days else None
