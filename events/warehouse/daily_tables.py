"""Daily tables: what each user did on each day, and when first, kept beside the log and made anew from it at any time.

Two Delta tables in the store's folder, parted by the local date of the site's zone. `days` has a row for each user,
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
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings

from events.store import derived, ownership, place
from events.store.derived import Derived
from events.store.snapshot import CUT, EventFile, Snapshot
from events.warehouse import engine
from events.warehouse.columns import Users, bounded, local_date, on_dates
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
def refresh(check: Callable[[], None] = lambda: None) -> Refreshed:
    """Bring the tables up to the newest version of the store: dates whose files are others are counted again.

    Another process that refreshes at the same time isn't disturbed: the later of two commits fails, and what it counted
    is dropped.

    Args:
        check: called between the parts of the work; may raise to stop it, and what is made by then stays.
    """
    seen = None if settings.WAREHOUSE_URL else ownership.seen_to_read()
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
        made = _refreshed(files, zone, check)
    except derived.Overtaken:
        return Refreshed()
    forget_changed()  # of an erasure that came meanwhile
    return made


def table(name: str, zone: str) -> Derived:
    """One of the two tables by the dates of a zone."""
    return Derived(name, zone, SCHEMAS[name])


def _refreshed(files: Sequence[EventFile], zone: str, check: Callable[[], None]) -> Refreshed:
    daily, firsts = table(DAILY, zone), table(FIRSTS, zone)
    wanted = sources(files, zone)
    chain = chained(wanted)
    gone = sorted({day for some in (daily, firsts) for day, _ in some.files()} - wanted.keys())
    for some in (daily, firsts) if gone else ():
        some.replace(gone, some.schema.empty_table())
    made = daily.files()
    stale = [day for day, source in wanted.items() if (day, source) not in made]
    for days in _portions(stale, files, zone):
        check()
        daily.replace(days, _counted(files, days, wanted, zone))
    made = firsts.files()
    missing = [*chain][len(_right(made, chain)) :]
    for days in _portions(missing, files, zone):
        check()
        firsts.replace(days, _first_met(zone, days, chain))
    if stale or gone or missing:
        daily.tidy()
        firsts.tidy()
    return Refreshed(len(stale), len(missing), len(gone))


def _right(made: Collection[tuple[date, str]], chain: Sources) -> list[date]:
    """The dates of `firsts` up to the first one that isn't right: later ones build on it."""
    return list(takewhile(lambda day: (day, chain[day]) in made, chain))


def _portions(days: Sequence[date], files: Sequence[EventFile], zone: str) -> Iterator[list[date]]:
    """The dates in portions that lie side by side and have at most `MOST_ROWS` events, or a single date."""
    clock = Clock(DayMode.CALENDAR, zone)
    rows: dict[date, int] = {}
    for file in files:
        for day in _reached(file, clock):
            rows[day] = rows.get(day, 0) + file.rows
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
        log = bounded(warehouse.numbered(near), since, until)
        day = local_date(log.time, clock, (since.year, until.year))
        log = log.select("event", "time", user="user_id", day=day)
        rows = log.group_by("day", "event", "user").aggregate(n=log.count(), first=log.time.min(), last=log.time.max())
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
        rows = rows.filter(rows.user != NOBODY).select("user", "event", "day", "first")
        rows = ibis.union(rows, rows.mutate(event=ibis.literal(ANY_EVENT)))
        rows = rows.group_by("user", "event").aggregate(day=rows.day.min(), first=rows.first.min())
        if before:
            rows = rows.anti_join(warehouse.kept_rows(before), ["user", "event"])
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
def first_times(warehouse: Warehouse, anchor: str, basis: Basis) -> ir.Table | None:
    """``user_id, anchor``: each user's first event of this name, of those who may be in the basis' dates.

    Dates that aren't kept, or not any more, are read from the log.

    Args:
        warehouse: the open store.
        anchor: name of the event; ``*`` for the first of any kind.
        basis: with the dates on which the anchors lie.

    Returns:
        None where the log alone can answer: another warehouse, an earlier version, users without numbers, nothing kept.
    """
    since = None if basis.first is None else basis.clock.midnight(basis.first)
    end = None if basis.last is None else basis.clock.midnight(basis.last + timedelta(days=1))
    met = _met(warehouse, since, end)
    if met is None or anchor == ANY_EVENT:
        return None
    kept, log = met
    kept = kept.filter(kept.event == (ANY_EVENT if anchor == "*" else anchor)).select("user_id", anchor="time")
    if log is not None:
        log = log if anchor == "*" else log.filter(log.event == anchor)
        kept = kept.union(log.select("user_id", anchor="time"))
    return kept.group_by("user_id").aggregate(anchor=kept.anchor.min())


def event_names(warehouse: Warehouse) -> ir.Table | None:
    """``event, users, first_time`` of every name in the log; None as for `first_times`."""
    met = _met(warehouse, None, None)
    if met is None:
        return None
    kept, log = met
    kept = kept.filter(kept.event != ANY_EVENT)
    if log is not None:
        kept = kept.union(log.group_by("user_id", "event").aggregate(time=log.time.min()))
    return kept.group_by("event").aggregate(users=kept.user_id.nunique(), first_time=kept.time.min())


def _met(warehouse: Warehouse, since: datetime | None, end: datetime | None) -> tuple[ir.Table, ir.Table | None] | None:
    """``user_id, event, time``: the first times that are kept, and the events of the log that come after them.

    Args:
        warehouse: the open store.
        since, end: UTC moments between which first times are wanted, the second exclusive; other users may have rows
            that aren't their first.
    """
    files, users = _described(warehouse), warehouse.users
    if not files or users is None:
        return None
    there = kept_between(files, since, end, joined=users.pairs is not None)
    if there is None:
        return None
    kept_files, later = there
    kept = _of_persons(warehouse, kept_files, users).select("user_id", "event", time="first")
    if later is None:
        return kept, None
    log = bounded(warehouse.events, later, end)
    return kept, log.select("user_id", "event", "time")


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
    """Which files of first times answer for the time between two moments, and from when on the log must be read.

    Args:
        files: of the store's newest version.
        since, end: UTC moments, the second exclusive; None for no bound.
        joined: whether any ids count as one person.

    Returns:
        The files' addresses, and a UTC moment or None where the log needn't be read; None where nothing is kept.
    """
    zone = site_zone()
    clock = Clock(DayMode.CALENDAR, zone)
    chain, firsts = chained(sources(files, zone)), table(FIRSTS, zone).files()
    made = _right(firsts, chain)
    last = None if end is None else clock.local_date(end - timedelta(microseconds=1))
    later = next((day for day in [*chain][len(made) :] if last is None or day <= last), None)
    first = None if since is None else clock.local_date(since)
    if later is not None or joined:
        first = None  # whoever seems new may have been there before: by another id, or before these days of the log
    days = [day for day in made if (first is None or first <= day) and (last is None or day <= last)]
    if not days:
        return None
    addresses = [file for day in days for file in firsts[day, chain[day]]]
    return addresses, None if later is None else clock.midnight(later)
