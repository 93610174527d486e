"""What a run would read, from the statistics of the store's log and the footers of some of its files: no event is read.

A warehouse of one's own says it by its planner (`price_in_warehouse`).

The log of commits has each file's rows, size and partition. How the bytes of a file are shared by its columns stands in
its footer; of a large store only some footers are opened, and a file is taken to be like the next one in size.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import pyarrow.parquet as pq
import structlog
from django.conf import settings

from events.store import dictionary, ownership, place
from events.store.snapshot import PARTITION, EventFile, Snapshot
from events.warehouse import daily_tables, price_in_warehouse
from events.warehouse.readings import EVENT, FIRST, FIRSTS, NEWEST, TIME, USERS, Reading
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode, data_end
from runs.prices import UNKNOWN, Price
from runs.refusals import Refused
from runs.site_zone import site_zone

MOST_FOOTERS = 64  # opened for one table; a footer is a few kilobytes
KEPT_FOOTERS = 4096
TAIL = 8  # bytes behind a footer: its length and the format's mark

log = structlog.get_logger()


@dataclass(frozen=True)
class Store:
    """The store as its log describes it, for customers that list their readings.

    Attributes:
        basis: clock, end of the data, dates.
        at: the version; None in a warehouse, of which nothing is kept to go on from.
    """

    basis: Basis
    at: Snapshot | None


type Ask = Callable[[Store], Iterable[Reading]]


def price_of(
    ask: Ask, *, day_mode: str = "rolling", time_zone: str = "", dates: tuple[date | None, date | None] = (None, None)
) -> Price:
    """What the readings of a run cost.

    Args:
        ask: lists the readings.
        day_mode: ``rolling`` or ``calendar``.
        time_zone: in which days are counted; empty for the site's.
        dates: local dates between which the anchors of all units lie.

    Returns:
        Unknown for a warehouse whose engine can't say it, for a store whose log lacks statistics, and for one without
        events.
    """
    clock = Clock(DayMode(day_mode), time_zone or site_zone())
    try:
        if settings.WAREHOUSE_URL:
            return price_in_warehouse.price_of(lambda basis: ask(Store(basis, None)), clock, dates)
        seen = ownership.seen_to_read()
        return UNKNOWN if seen is None else _of_store(Snapshot(seen.handle), ask, clock, dates)
    except (OSError, Refused) as error:  # whoever then asks the store is told what is wrong: a price stops nobody
        log.warning("price.not_known", error=str(error))
        return UNKNOWN


def _of_store(at: Snapshot, ask: Ask, clock: Clock, dates: tuple[date | None, date | None]) -> Price:
    files = at.event_files()
    if not files or at.unnumbered():
        return UNKNOWN
    basis = Basis(clock, data_end(max(file.newest for file in files), clock), None, "duckdb", *dates)
    return _Shelf(at, files, basis).price(ask(Store(basis, at)))


@dataclass(frozen=True)
class _File:
    """A Parquet file: its name below the store's address, size and rows; of events also partition and times."""

    name: str
    size: int
    rows: int = 0
    day: date = date.min
    oldest: datetime | None = None
    newest: datetime | None = None

    def is_in(self, since: datetime | None, until: datetime | None) -> bool:
        """False where its own statistics say that no event lies between: an engine then reads its footer alone."""
        if since is not None and until is not None and since >= until:
            return False
        early = since is not None and self.newest is not None and self.newest < since
        return not early and not (until is not None and self.oldest is not None and self.oldest >= until)


@dataclass(frozen=True)
class _Shape:
    """How the bytes of a file are shared: by column, and those of its footer."""

    size: int
    columns: Mapping[str, int]
    footer: int


class _Shelf:
    """The files of one version, and what readings of them cost together."""

    def __init__(self, at: Snapshot, events: Sequence[EventFile], basis: Basis) -> None:
        sizes = dict(at.sizes())
        self.at, self.described, self.basis = at, events, basis
        self.events = [
            _File(file.path, sizes[file.path], file.rows, _day_of(file.path), file.oldest, file.newest)
            for file in events
        ]
        self.users = [_File(path, size) for path, size in sizes.items() if dictionary.is_dictionary(path)]
        self.newest = max(events, key=lambda file: file.newest).path
        self.opened: dict[str, tuple[int, int]] = {}  # by file the rows and the bytes of its footer, read once
        self.total = 0

    def price(self, readings: Iterable[Reading]) -> Price:
        for reading in readings:
            self._add(reading)
        footers = sum(footer for _, footer in self.opened.values())
        return Price(len(self.opened), self.total + footers, sum(rows for rows, _ in self.opened.values()))

    def _add(self, reading: Reading) -> None:
        for name in reading.names:
            self.opened[name] = (0, 0)
            self.total += _size_of(name)
        if reading.of == USERS:
            self._read(self.users, reading.columns)
        elif reading.of == NEWEST:
            self._read([file for file in self.events if file.name == self.newest], reading.columns)
        elif reading.of == FIRSTS:
            self._first_times(reading)
        elif reading.only is not None:
            only = set(reading.only)
            files = [file for file in self.events if file.name in only and file.is_in(reading.since, reading.until)]
            self._read(files, reading.columns)
            gone = tuple(sorted(only - {file.name for file in self.events}))  # joined since by a compaction
            self.total += sum(map(_size_of, gone))
        else:
            self._read_between(reading.since, reading.until, reading.columns)

    def _read_between(self, since: datetime | None, until: datetime | None, columns: Iterable[str]) -> None:
        """The files that an engine opens for these bounds, as `columns.bounded` has them."""
        first = date.min if since is None else since.astimezone(UTC).date()
        last = date.max if until is None else (until - timedelta(microseconds=1)).astimezone(UTC).date()
        month = first.replace(day=1)
        files = [file for file in self.events if (file.day >= first or file.day == month) and file.day <= last]
        self._read([file for file in files if file.is_in(since, until)], columns)

    def _first_times(self, reading: Reading) -> None:
        """The kept first times in the bounds, and the log where they aren't kept."""
        joined = any(self.at.opened_dictionary(joins=True))
        kept = daily_tables.kept_between(self.described, reading.since, reading.until, joined=joined)
        if kept is None:
            self._read_between(None, reading.until, reading.columns)
            return
        uris, later = kept
        base = f"{place.url()}/"
        files = [_File(uri.removeprefix(base), _size_of(uri.removeprefix(base))) for uri in uris]
        columns = {FIRST if name == TIME else name for name in reading.columns | {EVENT}}
        self._read(files, columns)
        if later is not None:
            self._read_between(later, reading.until, reading.columns)

    def _read(self, files: Sequence[_File], columns: Iterable[str]) -> None:
        shapes = _shapes(files)
        sizes = [shape.size for shape in shapes]
        names = list(columns)
        for file in files:
            shape = shapes[min(bisect.bisect_left(sizes, file.size), len(shapes) - 1)]
            body = sum(shape.columns.get(name, 0) for name in names)
            self.total += round(body * file.size / max(shape.size, 1))
            self.opened[file.name] = (file.rows, shape.footer)


def _shapes(files: Sequence[_File]) -> list[_Shape]:
    """By ascending size, how the bytes of some of the files are shared."""
    ordered = sorted(files, key=lambda file: file.size)
    step = max(1, len(ordered) // MOST_FOOTERS)
    some = {file.name: file for file in [*ordered[::step], *ordered[-1:]]}
    return [_shape(place.url(), file.name, file.size) for file in some.values()]


@lru_cache(maxsize=KEPT_FOOTERS)
def _shape(_address: str, name: str, size: int) -> _Shape:
    """From the footer; files never change."""
    with place.opened(name) as file:
        footer = pq.read_metadata(file)
    columns: dict[str, int] = {}
    for group in range(footer.num_row_groups):
        for number in range(footer.num_columns):
            chunk = footer.row_group(group).column(number)
            columns[chunk.path_in_schema] = columns.get(chunk.path_in_schema, 0) + chunk.total_compressed_size
    return _Shape(size, columns, footer.serialized_size + TAIL)


def _size_of(name: str) -> int:
    with place.opened(name) as file:
        return int(file.seek(0, 2))


def _day_of(path: str) -> date:
    return date.fromisoformat(path.partition("/")[0].removeprefix(f"{PARTITION}="))


def first_time(name: str) -> datetime | None:
    """The smallest `time` in a file below the store's address, by its footer; None where that doesn't say it."""
    with place.opened(name) as file:
        footer = pq.read_metadata(file)
    found: list[datetime] = []
    for group in range(footer.num_row_groups):
        chunks = [footer.row_group(group).column(number) for number in range(footer.num_columns)]
        stats = [chunk.statistics for chunk in chunks if chunk.path_in_schema == TIME]
        found += [one.min for one in stats if one is not None and one.has_min_max]
    return min(found).replace(tzinfo=UTC) if found else None
