"""What a question has counted so far, kept beside the log: asked again, it reads only the events that came since.

A running experiment is analysed each night. Its exposures, and what each unit did, only grow: by events that are newer
than the last analysis, by events of the time before that came late, and by units that are new. The first two are in
the files that the store's log of commits names since that version; the third are read from the log from their day 0.

What is kept belongs to one version of the store and to one question. It is never right by its age: rows that were
changed or removed since, an id that was joined to a person, a unit whose clock is another one now, each make it unfit,
for all units or for this one, and then the log is read. So it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

import structlog

from events.store import ownership, place
from events.store.changes import added_since
from events.store.snapshot import Snapshot
from events.warehouse.columns import OWN, bounded
from events.warehouse.engine import Warehouse
from events.warehouse.unit_values import BITS, SUM

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from events.warehouse.unit_values import Basis

LAYOUT = 1  # what an older Insight kept in another form isn't found
KEPT = 2  # versions of one question: a running analysis may still read the one before the newest
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
IDS = "ids"  # which ids count as the unit: the sum of the numbers that were joined to it

log = structlog.get_logger()


@dataclass(frozen=True)
class _Kept:
    """What is kept of a question.

    Attributes:
        file: address of its rows.
        end: events before this moment are in it, if they were in the store.
        added: files with the events that came to the store since.
    """

    file: str
    end: datetime
    added: tuple[str, ...]


@contextmanager
def appended(house: Warehouse, about: object, ask: Callable[[ir.Table], ir.Table]) -> Iterator[ir.Table]:
    """The rows of a question that looks at each event by itself, as a table of the warehouse until the block ends.

    Args:
        house: the open warehouse.
        about: what the rows depend on beside the events; written as text.
        ask: from events to rows, with their ``user_id``; where ids are joined also with `columns.OWN`.
    """
    folder = _folder(house, about)
    if folder is None or house.files is None:
        with house.kept(ask(house.events)) as rows:
            yield rows
        return
    kept = _latest(house, folder)
    if kept is None:
        own = ask(house.numbered(_addresses(house.files.events)))
    else:
        more = ask(house.numbered(_addresses(kept.added))) if kept.added else None
        own = house.kept_rows([kept.file])
        own = own if more is None else own.select(more.columns).cast(more.schema()).union(more)
    with house.kept(own) as rows:
        _keep(house, folder, EPOCH, rows, unchanged=kept is not None and not kept.added)
        if house.users is None or house.users.pairs is None:
            yield rows
            return
        with house.kept(_persons(house, rows)) as persons:
            yield persons


@contextmanager
def added_up(
    house: Warehouse,
    about: object,
    units: ir.Table,
    basis: Basis,
    ask: Callable[[ir.Table, ir.Table], ir.Table],
    how: Mapping[str, str],
    *,
    back: timedelta = timedelta(0),
) -> Iterator[ir.Table]:
    """One row per unit, ``user_id`` and numbers that add up over its events, until the block ends.

    Args:
        house: the open warehouse.
        about: what the numbers depend on beside the events and the units.
        units: with ``user_id, anchor, exposed_at``, materialised.
        basis: up to whose end events count.
        ask: from events and units to the numbers of units with events.
        how: by column how two parts become one: `SUM`, `MOST` or `BITS`; 0 is the number of a unit without events.
        back: how long before its anchor a unit's first event may lie.
    """
    folder = _folder(house, about)
    if folder is None:
        with house.kept(_filled(units.select("user_id"), ask(house.events, units), how)) as rows:
            yield rows
        return
    units = _with_ids(house, units.select(*_without(units.columns, IDS)))
    kept = _latest(house, folder)
    if kept is None or kept.end > basis.data_end:
        kept, numbers = None, ask(house.events, units)
    else:
        numbers = _continued(house, kept, units, ask, how, back)
    keyed = units.select("user_id", "anchor", "exposed_at", IDS)
    with house.kept(_filled(keyed, numbers, how)) as rows:
        _keep(house, folder, basis.data_end, rows)
        yield rows.select("user_id", *how)


@contextmanager
def tallied(
    house: Warehouse, about: object, basis: Basis, ask: Callable[[ir.Table], ir.Table], columns: Sequence[str]
) -> Iterator[ir.Table]:
    """One row of sums over all events before the end of the data, until the block ends.

    Args:
        house: the open warehouse.
        about: what the sums depend on beside the events.
        basis: up to whose end events count.
        ask: from events to the row.
        columns: the names of the sums.
    """
    folder = _folder(house, about)
    kept = None if folder is None else _latest(house, folder)
    if kept is None or kept.end > basis.data_end:
        total = ask(house.events)
    else:
        parts = [house.kept_rows([kept.file]), *map(ask, _came(house, kept))]
        total = _union(parts, dict.fromkeys(columns, SUM))
        total = total.aggregate(**{name: total[name].sum() for name in columns})
    with house.kept(total.select(**{name: total[name].fill_null(0).cast("float64") for name in columns})) as rows:
        if folder is not None:
            _keep(house, folder, basis.data_end, rows)
        yield rows


def _continued(
    house: Warehouse,
    kept: _Kept,
    units: ir.Table,
    ask: Callable[[ir.Table, ir.Table], ir.Table],
    how: Mapping[str, str],
    back: timedelta,
) -> ir.Table:
    """The numbers of the units: those that are kept with what came since, and those of new units from the log."""
    before, keys = house.kept_rows([kept.file]), ["user_id", "anchor", "exposed_at", IDS]
    before = before.cast({name: units[name].type() for name in keys})
    same, new = units.semi_join(before, keys), units.anti_join(before, keys)
    parts = [before.semi_join(units, keys), *(ask(events, same) for events in _came(house, kept))]
    first: Any = house.run(new.aggregate(first=new.anchor.min())).iloc[0, 0]
    if first is not None and first == first:  # NaT where there is none
        parts.append(ask(bounded(house.events, first.to_pydatetime() - back, None), new))
    numbers = _union(parts, how, "user_id")
    return numbers.group_by("user_id").aggregate(**{name: _joined(numbers[name], way) for name, way in how.items()})


def _came(house: Warehouse, kept: _Kept) -> Iterator[ir.Table]:
    """The events that aren't in what is kept: those from its end on, and those before it that came late."""
    yield bounded(house.events, kept.end, None)
    if kept.added:
        yield bounded(_persons(house, house.numbered(_addresses(kept.added))), None, kept.end)


def _joined(column: Any, way: str) -> Any:
    if way == BITS:
        return column.bit_or()
    return column.sum() if way == SUM else column.max()


def _union(parts: Sequence[ir.Table], how: Mapping[str, str], *keys: str) -> ir.Table:
    """The rows of all parts; a column that a part lacks is 0 there. Sums as floats: DuckDB's of integers are wider."""
    import ibis

    alike = []
    for part in parts:
        there = {name: part[name] if name in part.columns else ibis.literal(0) for name in how}
        numbers = {name: value.cast(_kind(how[name])) for name, value in there.items()}
        alike.append(part.select(*keys, **numbers))
    return ibis.union(*alike) if len(alike) > 1 else alike[0]


def _kind(way: str) -> str:
    return "int64" if way == BITS else "float64"


def _filled(units: ir.Table, numbers: ir.Table, how: Mapping[str, str]) -> ir.Table:
    """Each unit's row, with 0 where it has no events."""
    joined = units.left_join(numbers.select("user_id", *how), "user_id").drop("user_id_right")
    return joined.mutate(**{name: joined[name].fill_null(0).cast(_kind(way)) for name, way in how.items()})


def _with_ids(house: Warehouse, units: ir.Table) -> ir.Table:
    """The units and, as `IDS`, which ids count as each of them: 0 for its own alone."""
    import ibis

    if house.users is None or house.users.pairs is None:
        return units.mutate(**{IDS: ibis.literal(0.0)})
    joined = house.users.pairs.group_by("stays").aggregate(**{IDS: house.users.pairs.number.cast("float64").sum()})
    table = units.left_join(joined, units.user_id == joined.stays).drop("stays")
    return table.mutate(**{IDS: table[IDS].fill_null(0.0)})


def _persons(house: Warehouse, rows: ir.Table) -> ir.Table:
    """Rows by their users' own numbers, with the person's number as ``user_id`` and the own one as `columns.OWN`."""
    import ibis

    if house.users is None or house.users.pairs is None:
        return rows
    table = rows.rename(**{OWN: "user_id"}).left_join(house.users.pairs, [(OWN, "number")])
    return table.mutate(user_id=ibis.coalesce(table.stays, table[OWN])).drop("number", "stays")


def _without(columns: Sequence[str], *names: str) -> list[str]:
    return [name for name in columns if name not in names]


# ── what is kept ──────────────────────────────────────────────────────────────
def keeps(house: Warehouse) -> bool:
    """Whether anything is kept: not of another warehouse, an earlier version, or a store without users' numbers."""
    return house.snapshot is not None and house.users is not None


def _folder(house: Warehouse, about: object) -> str | None:
    """Where a question's rows are kept; None where nothing is."""
    if not keeps(house):
        return None
    return _folder_of(about, str(house.backend.version))


def _folder_of(about: object, engine: str) -> str:
    text = f"{LAYOUT} {engine} {about!r}"
    return f"{place.RUNNING}/{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def _latest(house: Warehouse, folder: str) -> _Kept | None:
    """The newest rows that are kept of this version or an earlier one; None where there are none to go on from."""
    return None if house.snapshot is None else _latest_at(house.snapshot, folder)


def _latest_at(at: Snapshot, folder: str) -> _Kept | None:
    now = int(at.handle.version())
    for name in reversed(place.names(folder)):
        version, end = _named(name)
        if version <= now:
            added = added_since(at, version)
            return None if added is None else _Kept(f"{place.url()}/{name}", end, added)
    return None


def goes_on_from(at: Snapshot | None, about: object) -> tuple[str, datetime, tuple[str, ...]] | None:
    """What a question would go on from, without opening an engine; None where it would read the whole log.

    Args:
        at: the store's newest version, whose users all have numbers; None in a warehouse, where nothing is kept.
        about: of the question, as `appended`, `added_up` or `tallied` gets it.

    Returns:
        The file that is kept, below the store's address; events before which moment are in it; and the files with the
        events that came since.
    """
    kept = None if at is None else _latest_at(at, _folder_of(about, metadata.version("duckdb")))
    return None if kept is None else (kept.file.removeprefix(f"{place.url()}/"), kept.end, kept.added)


def _keep(house: Warehouse, folder: str, end: datetime, rows: ir.Table, *, unchanged: bool = False) -> None:
    """Keep these rows for the next time; an analysis doesn't fail where the store can't be written."""
    name = f"{folder}/{_version(house):020d}-{(end - EPOCH) // MICROSECOND:020d}.parquet"
    there = place.names(folder)
    if unchanged or name in there:
        return
    try:
        with place.staging() as scratch:
            path = scratch / "rows.parquet"
            house.write(rows, path)
            place.place([(path, name)])
        for old in there[: 1 - KEPT]:
            place.remove(old)
    except OSError as error:
        log.warning("increments.not_kept", error=str(error))


def _named(name: str) -> tuple[int, datetime]:
    """The version and the end in a file's name."""
    version, _, end = name.rpartition("/")[2].removesuffix(".parquet").partition("-")
    return int(version), EPOCH + int(end) * MICROSECOND


def _version(house: Warehouse) -> int:
    return 0 if house.files is None else house.files.version


def _addresses(paths: Sequence[str]) -> list[str]:
    return [f"{place.url()}/{path}" for path in paths]


def forget() -> int:
    """Delete all that is kept, as after an erasure. Returns how many files."""
    names = place.names(place.RUNNING)
    for name in names:
        place.remove(name)
    return len(names)


def tidy() -> int:
    """Delete what no question can go on from any more. Returns how many files."""
    seen = ownership.seen_to_read()
    if seen is None:
        return 0
    at = Snapshot(seen.handle)
    usable = cache(lambda version: added_since(at, version) is not None)
    gone = [name for name in place.names(place.RUNNING) if not usable(_named(name)[0])]
    for name in gone:
        place.remove(name)
    return len(gone)
