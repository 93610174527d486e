"""A connection to one snapshot of the store for a question of Explore: what is kept of it, and what can stop it.

Nothing of the log is copied. Who came when, active days and event names come from the daily tables, and from the log
where these aren't right; what is expensive to make is kept in files until the store changes.
"""

import hashlib
import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from events.metrics import Behaviour
from events.outbox.flush import flush_events
from events.schema import EXPOSURE_EVENTS
from events.store import event_table, ownership
from events.store.snapshot import Snapshot, snapshot_at
from events.warehouse import daily_tables, queries
from events.warehouse.activity_bits import (
    active_days,
    date_words,
    day_words,
    days_since_1970,
    first_monday,
    people,
    since_1970,
)
from events.warehouse.columns import bounded
from events.warehouse.engine import Warehouse, connect
from events.warehouse.session import Span, WarehouseSession, span_of
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode, data_end
from runs.progress import Cancelled, Progress
from runs.refusals import Refused
from runs.site_zone import every_zone, held, site_zone

if TYPE_CHECKING:
    import ibis.expr.types as ir


# Which snapshot is read: the newest, or that of a moment ago.
#
# A folder for each store and zone holds `snapshot.json`, the version of the store that was read last, and `kept-…`, the
# files that were made of a version. An older Insight kept a copy of the log there, which is removed and never read.

LAYOUT = 1  # of kept files: another Insight's aren't read
RECORD, ASKED, LEFT = "snapshot.json", "asked", "left"  # the last is in the folder of a zone that the site left
LITTLE = 0.01  # share of the store's bytes by which it may have grown without making anybody wait for the newest events
YOUNG_SECONDS = 600
KEEP_SECONDS = 900  # a running question may still read what was kept of an earlier snapshot
NAMES, ACTIVE = "event names", "active days"


def folder(zone: str = "") -> Path:
    """The folder of this store's files in the site's time zone, or in another: dates depend on it."""
    key = hashlib.sha256(f"{event_table.url()}|{zone or site_zone()}".encode()).hexdigest()[:16]
    return Path(settings.EXPLORE_DIR) / key


def folders() -> list[Path]:
    """The folders of this store in whatever zone the site has been, the current one included."""
    return [place for zone in sorted({*every_zone(), site_zone()}) if (place := folder(zone)).is_dir()]


def forget() -> int:
    """Delete all that is kept, in every zone's folder, as after an erasure. Returns how many tables."""
    removed = 0
    for place in folders():
        removed += sum(1 for _ in place.rglob("*.parquet"))
        shutil.rmtree(place, ignore_errors=True)
    return removed


def is_prepared() -> bool:
    """Whether a question would find the active days of its snapshot."""
    at = _to_read(newest=False)
    return at is not None and _place(_kept_folder(at), ACTIVE).exists()


def _to_read(*, newest: bool) -> Snapshot | None:
    """The snapshot to read: that of a moment ago if the store has grown little since; None without a store.

    A large store gets new events each minute, and readers should not wait each time. In a small store the newest batch
    exceeds the limit. A file that has left the store may hold an erased user: then the newest is read.
    """
    seen = ownership.seen_to_read()
    if seen is None:
        return None
    at = Snapshot(seen.handle)
    return at if newest else _earlier(at) or at


def _earlier(at: Snapshot) -> Snapshot | None:
    try:
        record = json.loads((folder() / RECORD).read_text(encoding="utf-8"))
        age = time.time() - (folder() / RECORD).stat().st_mtime
    except (FileNotFoundError, ValueError):
        return None
    before = snapshot_at(record["version"]) if age < YOUNG_SECONDS else None
    if before is None or _digest_of(before) != record["digest"]:
        return None
    now, then = dict(at.sizes()), dict(before.sizes())
    fresh = sum(now[path] for path in now.keys() - then.keys())
    return before if then.keys() <= now.keys() and fresh <= LITTLE * sum(then.values()) else None


def _digest_of(at: Snapshot) -> str:
    """A digest of the snapshot's files, those of the dictionary included: they never change."""
    return hashlib.sha256("\n".join([str(LAYOUT), *sorted(at.paths())]).encode()).hexdigest()[:20]


def _kept_folder(at: Snapshot) -> Path:
    return folder() / f"kept-{_digest_of(at)}"


def _note(at: Snapshot) -> None:
    """Remember the snapshot that is read; if it is a new one, remove what isn't needed any more."""
    record = folder() / RECORD
    known = record.read_text(encoding="utf-8") if record.exists() else ""
    if _digest_of(at) not in known:
        _write(record, {"version": int(at.handle.version()), "digest": _digest_of(at)})
        _sweep(_kept_folder(at))


def _span(kept: Path, warehouse: Warehouse, clock: Clock) -> Span:
    """How far the snapshot reaches, asked once."""
    place = kept / "span.json"
    if not place.exists():
        span = span_of(warehouse, clock)
        ends = {name: getattr(span, name).isoformat() for name in ("oldest", "newest")}
        _write(place, {**asdict(span), **ends})
        return span
    known = json.loads(place.read_text(encoding="utf-8"))
    return Span(**known | {name: datetime.fromisoformat(known[name]) for name in ("oldest", "newest")})


def _write(place: Path, value: object) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{uuid.uuid4().hex}.tmp")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(place)


def _sweep(kept: Path) -> None:
    """Remove everything else once no question can still be reading it."""
    before = time.time() - KEEP_SECONDS
    for place in folder().iterdir():
        if place.name not in (kept.name, RECORD, ASKED) and place.stat().st_mtime < before:
            shutil.rmtree(place, ignore_errors=True) if place.is_dir() else place.unlink(missing_ok=True)
    (folder() / LEFT).unlink(missing_ok=True)
    for other in set(folders()) - {folder()}:  # the site has another zone now
        mark = other / LEFT
        if not mark.exists():
            mark.touch()
        elif mark.stat().st_mtime < before:
            shutil.rmtree(other, ignore_errors=True)


# One question.


@dataclass
class Stop:
    """Stops a query from another thread, even while the engine is at work."""

    asked: bool = False
    _warehouse: Warehouse | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> None:
        """Stop it."""
        with self._lock:
            self.asked = True
            if self._warehouse is not None:
                self._warehouse.cancel()

    def check(self) -> None:
        """Raise `Cancelled` if it was stopped."""
        if self.asked:
            raise Cancelled

    @contextmanager
    def watching(self, warehouse: Warehouse) -> Iterator[None]:
        """Inside the block `now` also interrupts the engine."""
        with self._lock:
            self._warehouse = warehouse
        try:
            self.check()
            yield
        except Exception as error:
            if self.asked:
                raise Cancelled from error
            raise
        finally:
            with self._lock:
                self._warehouse = None


@dataclass(frozen=True)
class Prepared:
    """An open warehouse over one snapshot of the store, which all days and people are made of.

    Attributes:
        warehouse: the engine.
        basis: clock, data's end, engine; the dates of the question's users, for the log alone.
        span: how far the log reaches.
        folder: of what is kept of the snapshot.
        stop: stops the query.
    """

    warehouse: Warehouse
    basis: Basis
    span: Span
    folder: Path
    stop: Stop

    @property
    def log(self) -> "ir.Table":
        """The events, with users' numbers."""
        return self.warehouse.events

    def about(self, first: date | None, last: date | None) -> "Prepared":
        """The same for a question about people whose anchors lie on these dates of its clock, both inclusive."""
        return replace(self, basis=replace(self.basis, first=first, last=last))

    def rows(self, question: "ir.Table") -> list[dict[str, Any]]:
        """The rows of a query, which must be few."""
        self.stop.check()
        records: list[dict[str, Any]] = self.warehouse.arrow(question).to_pylist()
        return records

    def kept(self, name: str, question: Callable[[], "ir.Table"]) -> "ir.Table":
        """A table that is computed once for this snapshot of the store and cached.

        Args:
            name: of the table; it must contain everything that the table depends on.
            question: returns the expression if the table isn't cached yet.
        """
        place = _place(self.folder, name)
        if not place.exists():
            self.stop.check()
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(f"{uuid.uuid4().hex}.part")
            try:
                self.warehouse.write(question(), part)
                _give_name(part, place)
            finally:
                part.unlink(missing_ok=True)
            _make_room(place)
        os.utime(place)
        return self.warehouse.read([place])

    def ids_of(self, numbers: "ir.Table") -> list[str]:
        """The ids of the users whose numbers are in ``user_id``, one for each, in order."""
        named = self.warehouse.named(numbers.select("user_id").distinct())
        ids: list[str] = sorted(self.warehouse.arrow(named)["user_id"].to_pylist())
        return ids

    @property
    def active(self) -> "ir.Table":
        """The active days of every user: see `events.warehouse.activity_bits.active_days`."""
        return self.kept(ACTIVE, self._active)

    def _active(self) -> "ir.Table":
        newest = self.newest_site_date
        midnight = Clock(DayMode.CALENDAR, self.basis.clock.time_zone).midnight

        def is_apart(day: date) -> bool:
            """Activity at the newest moment needs rows of its own, and so has a date of more than 24 hours two."""
            return day >= newest or midnight(day + timedelta(days=1)) - midnight(day) > timedelta(days=1)

        days, log = daily_tables.counts(self.warehouse, besides=is_apart)
        oldest, last = (moment.replace(tzinfo=None) for moment in (self.span.oldest, self.span.newest))
        found = [] if log is None else [active_days(log, self.basis.clock.time_zone, oldest=oldest, newest=last)]
        if days is not None:
            days = days.filter(~days.event.isin(EXPOSURE_EVENTS))
            rows = days.group_by("user_id", "day").aggregate(first=days["first"].min(), last=days["last"].max())
            ends = {name: since_1970(rows[name]) for name in ("first", "last")}
            found.append(rows.select("user_id", local=days_since_1970(rows.day), **ends))
        return found[0] if len(found) == 1 else found[0].union(found[1])

    def event_names(self) -> list[str]:
        """Names of the log's events, the most frequent first."""
        rows = self.rows(self.kept(NAMES, self._event_names))
        return [row["event"] for row in sorted(rows, key=lambda row: (-row["events"], row["event"]))]

    def _event_names(self) -> "ir.Table":
        days, log = daily_tables.counts(self.warehouse, besides=lambda _day: False)
        found = [] if days is None else [days.select("event", n=days.n)]
        if log is not None:
            found.append(log.group_by("event").aggregate(n=log.count()))
        rows = found[0] if len(found) == 1 else found[0].union(found[1])
        return rows.group_by("event").aggregate(events=rows.n.sum().cast("int64"))

    @property
    def monday(self) -> date:
        """The first day of the first word of dates of `people`."""
        return first_monday(self.newest_site_date, self.site_date(self.span.oldest))

    @property
    def newest_date(self) -> date:
        """The date of the last event by this clock: of rolling days it is UTC's."""
        return self.basis.clock.local_date(self.span.newest)

    @property
    def newest_site_date(self) -> date:
        """The site's date of the last event."""
        return self.site_date(self.span.newest)

    def site_date(self, moment: datetime) -> date:
        """The date of a moment in the site's zone, whatever the days are."""
        return Clock(DayMode.CALENDAR, self.basis.clock.time_zone).local_date(moment)

    def people(self, signup: str) -> "ir.Table":
        """One row per user with its time zero and its active days: see `events.warehouse.activity_bits`."""
        clock, last = self.basis.clock, self.newest_site_date
        # One day more: where the clocks go back, 24 hours may end on the date on which they began.
        words = {"words": day_words((last - self.site_date(self.span.oldest)).days + 2)}
        words |= {"weeks_words": date_words(self.monday, last)}

        def question() -> "ir.Table":
            everybody = self.about(None, None).basis
            cohort = WarehouseSession(self.warehouse, everybody, self.span.events).cohort(signup)
            return people(cohort, self.active, everybody, monday=self.monday, **words)

        dates = "" if clock.zone == clock.time_zone else f" with dates of {clock.time_zone}"
        return self.kept(f"people {signup} {clock.mode}{dates}", question)

    def acts(self, behaviour: Behaviour, since: datetime | None = None, until: datetime | None = None) -> "ir.Table":
        """Each occurrence of a behaviour: ``user_id, time, value``; `value` is null except for ``EVENT#prop``.

        What needs properties is kept: reading them is expensive.

        Args:
            behaviour: what was done.
            since, until: UTC moments, the second exclusive; None for no bound.
        """
        import ibis

        log = bounded(self.log, since, until)
        if behaviour.where is None and behaviour.distinct is None:
            log = log.filter(log.event == behaviour.event)
            return log.select("user_id", "time", value=ibis.null("string"))

        def question() -> "ir.Table":
            return queries.matching(log, [behaviour], self.basis).select("user_id", "time", "value")

        return self.kept(f"acts {behaviour} {since} {until}", question)


@contextmanager
def prepared(*, day_mode: str, stop: Stop, progress: Progress, newest: bool = False) -> Iterator[Prepared]:
    """Flush, open a snapshot of the store and make what every question needs of it.

    Args:
        day_mode: ``rolling`` or ``calendar`` (then days are dates of the site's time zone).
        stop: stops the work.
        progress: called while that is made.
        newest: require the newest snapshot, even if few events were added since.

    Raises:
        Refused: there are no events, or they lie in another warehouse.
        Cancelled: `stop` was triggered.
    """
    if settings.WAREHOUSE_URL:
        raise Refused(
            "The events of this site lie in the warehouse that WAREHOUSE_URL names. Explore reads only the event store "
            "of the site itself; a study asks the warehouse."
        )
    flush_events()
    with held():
        at, clock = _to_read(newest=newest), Clock(DayMode(day_mode), site_zone())
        with connect(memory=settings.EXPLORE_MEMORY, at=at) as warehouse, stop.watching(warehouse):
            if at is None:
                span_of(warehouse, clock)  # refuses
            else:
                yield _prepare(at, warehouse, clock, stop, progress)


def _prepare(at: Snapshot, warehouse: Warehouse, clock: Clock, stop: Stop, progress: Progress) -> Prepared:
    kept = _kept_folder(at)
    span = _span(kept, warehouse, clock)
    _note(at)
    end = data_end(span.newest, clock, day_grain=span.day_grain)
    session = Prepared(warehouse, Basis(clock, end, None, warehouse.dialect), span, kept, stop)
    for place, (name, question) in enumerate({NAMES: session._event_names, ACTIVE: session._active}.items()):
        stop.check()
        progress("numbering", place / 2)
        session.kept(name, question)
    return session


def _place(kept: Path, name: str) -> Path:
    return kept / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.parquet"


def _give_name(part: Path, place: Path) -> None:
    """Move a table to its cache name, unless another process has made the same one meanwhile.

    An engine opens a file several times for one query: if it were replaced in between, the engine would read the footer
    of one file and the rows of the other, and fail.
    """
    try:
        os.link(part, place)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        part.replace(place)


def _make_room(newest: Path) -> None:
    """Remove the least recently read tables until the cache is within the size limit of the settings.

    Tables read within the last minute stay: a query may be about to read them again.
    """
    tables = sorted(newest.parent.glob("*.parquet"), key=lambda path: path.stat().st_mtime, reverse=True)
    room = settings.EXPLORE_KEEP_MB * 1024 * 1024
    for path in [newest, *(path for path in tables if path != newest)]:
        room -= path.stat().st_size
        if room < 0 and path.stat().st_mtime < time.time() - 60:
            path.unlink(missing_ok=True)
