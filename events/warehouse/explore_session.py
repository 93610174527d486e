"""A connection to the materialised log for one question: what it keeps for later ones, and what can end it."""

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from events.metrics import Behaviour
from events.outbox.flush import flush_events
from events.store import event_table, ownership
from events.warehouse import materialised_log, queries
from events.warehouse.activity_bits import any_event, date_words, day_words, first_monday, people
from events.warehouse.engine import Warehouse, bounded
from events.warehouse.materialised_log import YOUNG_SECONDS, NumberedLog
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode, data_end
from runs.progress import Cancelled, Progress
from runs.refusals import Refused
from runs.site_zone import held, site_zone

if TYPE_CHECKING:
    import ibis.expr.types as ir


# Joined users of the prepared log: a small table beside it, so that a login doesn't rebuild anything.
#
# The log keeps its own numbers. While no users are joined, nothing of this is queried.

# For larger logs cached tables aren't rebuilt at each login, but at most every `YOUNG_SECONDS`.
MANY_EVENTS = 5_000_000


def with_joins(log: NumberedLog) -> NumberedLog:
    """The log with the digest of the store's joins; "" if there are none."""
    seen = event_table.look("")
    names = (
        [] if seen is None else [file.name for file in event_table.Snapshot(seen.handle).opened_dictionary(joins=True)]
    )
    if not names:
        return log
    return replace(log, joins=_recent(log) or hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:12])


def _recent(log: NumberedLog) -> str:
    """The digest of a moment ago, for logs so large that queries would have to wait."""
    if log.events < MANY_EVENTS:
        return ""
    begin = f"kept-{log.version}-"
    folders = [(place.stat().st_ctime, place.name) for place in log.folder.glob(f"{begin}*")]
    made, name = max(folders, default=(0.0, ""))
    return name.removeprefix(begin) if time.time() - made < YOUNG_SECONDS else ""


def pairs(warehouse: Warehouse, names: "ir.Table") -> "ir.Table":
    """``number, stays`` of the log's users who count as another of its users.

    Args:
        warehouse: the engine.
        names: ``user_id, number`` of all users of the log.

    A person whose own id has no events in the log counts as the smallest of their numbers.
    """
    import ibis

    joined = warehouse.joined_ids(_entries())
    root = names.join(joined, names.user_id == joined.joined_id).select("number", root="root_id")
    roots = joined.select(own_id="root_id").distinct()
    own = names.join(roots, names.user_id == roots.own_id).select("number", root="user_id")
    everybody = ibis.union(root.mutate(own=False), own.mutate(own=True))
    group = ibis.window(group_by="root")
    stays = ibis.coalesce(
        everybody.own.ifelse(everybody.number, ibis.null("int32")).max().over(group), everybody.number.min().over(group)
    )
    return everybody.mutate(stays=stays).filter(lambda row: row.number != row.stays).select("number", "stays")


def _entries() -> Sequence[str]:
    seen = event_table.look("")
    return [] if seen is None else event_table.Snapshot(seen.handle).dictionary()


def counted_as(table: "ir.Table", joins: "ir.Table | None") -> "ir.Table":
    """Replace numbers in ``user_id`` by those that they count as."""
    import ibis

    if joins is None:
        return table
    joined = table.left_join(joins, table.user_id == joins.number)
    return joined.select(
        **{n: ibis.coalesce(joined.stays, joined[n]) if n == "user_id" else joined[n] for n in table.columns}
    )


# A connection to the prepared log for one query, with cached tables and cancellation.


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
    """An open warehouse over the numbered log.

    Attributes:
        warehouse: the engine.
        numbers: the generation that is read.
        basis: clock, data's end, engine.
        stop: stops the query.
    """

    warehouse: Warehouse
    numbers: NumberedLog
    basis: Basis
    stop: Stop

    @cached_property
    def log(self) -> "ir.Table":
        """``user_id`` (a number), ``event, time``."""
        return counted_as(materialised_log.numbered(self.warehouse, self.numbers), self.joins)

    def rows(self, question: "ir.Table") -> list[dict[str, Any]]:
        """The rows of a query, which must be few."""
        self.stop.check()
        records: list[dict[str, Any]] = self.warehouse.arrow(question).to_pylist()
        return records

    def kept(self, name: str, question: Callable[[], "ir.Table"]) -> "ir.Table":
        """A table that is computed once for this version of the store and cached.

        Args:
            name: of the table; it must contain everything that the table depends on.
            question: returns the expression if the table isn't cached yet.
        """
        place = kept_folder(self.numbers) / f"{_digest(name)}.parquet"
        if not place.exists():
            self.stop.check()
            place.parent.mkdir(exist_ok=True)
            part = place.with_name(f"{uuid.uuid4().hex}.part")
            try:
                self.warehouse.write(question(), part)
                _give_name(part, place)
            finally:
                part.unlink(missing_ok=True)
            _make_room(place)
        os.utime(place)
        return self.warehouse.read([place])

    @property
    def names(self) -> "ir.Table":
        """``user_id`` as the store has it, and ``number``."""
        names = self._own_names
        if self.joins is None:
            return names
        joined = names.left_join(self.joins, "number")
        return joined.select("user_id", number=joined.stays.coalesce(joined.number))

    def ids_of(self, numbers: "ir.Table") -> list[str]:
        """The ids of the users whose numbers are in ``user_id``, one for each, in order."""
        own = self._own_names
        chosen = own.semi_join(numbers, own.number == numbers.user_id).select("user_id")
        ids: list[str] = sorted(self.warehouse.arrow(chosen)["user_id"].to_pylist())
        return ids

    @property
    def _own_names(self) -> "ir.Table":
        return self.warehouse.read([part.users for part in self.numbers.all_parts()])

    @cached_property
    def joins(self) -> "ir.Table | None":
        """``number, stays`` of joined users; None if there are none."""
        if not self.numbers.joins:
            return None
        return self.kept("joined users", lambda: pairs(self.warehouse, self._own_names))

    @property
    def active(self) -> "ir.Table":
        """The active days of every user: see `events.warehouse.activity_bits.active_days`."""
        return counted_as(self.warehouse.read([part.days for part in self.numbers.all_parts()]), self.joins)

    def event_names(self) -> list[str]:
        """Names of the log's events, the most frequent first."""
        parts = self.warehouse.read([part.events for part in self.numbers.all_parts()])
        rows = self.rows(parts.group_by("event").aggregate(events=parts.events.sum()))
        return [row["event"] for row in sorted(rows, key=lambda row: (-row["events"], row["event"]))]

    @property
    def monday(self) -> date:
        """The first day of the first word of dates of `people`."""
        first, last = map(self.site_date, self._ends)
        return first_monday(last, first)

    @property
    def newest_date(self) -> date:
        """The date of the last event by this clock: of rolling days it is UTC's."""
        return self.basis.clock.local_date(self._ends[1])

    @property
    def newest_site_date(self) -> date:
        """The site's date of the last event."""
        return self.site_date(self._ends[1])

    def site_date(self, moment: datetime) -> date:
        """The date of a moment in the site's zone, whatever the days are."""
        return Clock(DayMode.CALENDAR, self.basis.clock.time_zone).local_date(moment)

    @property
    def _ends(self) -> tuple[datetime, datetime]:
        """The times of the first and of the last event."""
        return materialised_log.moment_of(self.numbers.oldest), materialised_log.moment_of(self.numbers.newest)

    def people(self, signup: str) -> "ir.Table":
        """One row per user with its time zero and its active days: see `events.warehouse.activity_bits`."""
        first, last = map(self.site_date, self._ends)
        # One day more: where the clocks go back, 24 hours may end on the date on which they began.
        words = {"words": day_words((last - first).days + 2), "weeks_words": date_words(self.monday, last)}
        question = lambda: people(self._starts(signup), self.active, self.basis, monday=self.monday, **words)  # noqa: E731
        clock = self.basis.clock
        dates = "" if clock.zone == clock.time_zone else f" with dates of {clock.time_zone}"
        return self.kept(f"people {signup} {clock.mode}{dates}", question)

    def _starts(self, signup: str) -> "ir.Table":
        """Every user's time zero."""
        log = any_event(self.log, self.active) if signup == "*" else self.log
        return queries.cohort(log, signup, self.basis)

    def acts(self, behaviour: Behaviour) -> "ir.Table":
        """Each occurrence of a behaviour: ``user_id, time, value``; `value` is null except for ``EVENT#prop``.

        Properties aren't part of the numbered log: a behaviour that needs them is read from the store once, and cached.
        """
        import ibis

        if behaviour.where is None and behaviour.distinct is None:
            log = self.log.filter(self.log.event == behaviour.event)
            return log.select("user_id", "time", value=ibis.null("string"))
        return self.kept(f"acts {behaviour}", lambda: self._from_store(behaviour))

    def _from_store(self, behaviour: Behaviour) -> "ir.Table":
        events = self.warehouse.stored(self.numbers.sources)
        log = queries.matching(events, [behaviour], self.basis)
        return log.join(self.names, "user_id").select(user_id="number", time="time", value="value")


def kept_folder(numbers: NumberedLog) -> Path:
    """The folder of one version's cached tables and results."""
    return numbers.folder / f"kept-{numbers.version}{numbers.joins and '-'}{numbers.joins}"


@contextmanager
def prepared(*, day_mode: str, stop: Stop, progress: Progress, newest: bool = False) -> Iterator[Prepared]:
    """Flush, bring the numbered log up to date and open it.

    Args:
        day_mode: ``rolling`` or ``calendar`` (then days are dates of the site's time zone).
        stop: stops the work.
        progress: called while the log is being numbered.
        newest: require an up-to-date log, even if few events were added since.

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
        yield from _opened(day_mode, stop, progress, newest=newest)


def _opened(day_mode: str, stop: Stop, progress: Progress, *, newest: bool) -> Iterator[Prepared]:
    files = ownership.files_to_read()
    if not files:
        raise Refused("There are no events yet. Send some, or read a file with import_events.")
    scratch = materialised_log.folder() / "scratch"
    with bounded(memory=settings.EXPLORE_MEMORY, scratch=scratch) as warehouse, stop.watching(warehouse):
        numbers = None if newest else materialised_log.nearly_current(files)
        if numbers is None:
            numbers = materialised_log.up_to_date(warehouse, files, _listening(stop, progress))
        if not numbers.events:
            raise Refused("There are no events yet. Send some, or read a file with import_events.")
        clock = Clock(DayMode(day_mode), site_zone())
        end = data_end(materialised_log.moment_of(numbers.newest), clock, day_grain=numbers.day_grain)
        basis = Basis(clock, end, None, warehouse.dialect)
        yield Prepared(warehouse, with_joins(numbers), basis, stop)


def _listening(stop: Stop, progress: Progress) -> Progress:
    def listen(stage: str, share: float) -> None:
        stop.check()
        progress(stage, share)

    return listen


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:24]


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
