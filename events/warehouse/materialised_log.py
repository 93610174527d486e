"""The store's log once more with users as numbers, sorted by event, in Parquet: made once, then added to."""

import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from events.store import event_table
from events.warehouse.activity_bits import active_days
from events.warehouse.columns import wall_clock
from events.warehouse.engine import Warehouse
from runs.progress import Progress
from runs.site_zone import every_zone, site_zone

if TYPE_CHECKING:
    import ibis.expr.types as ir


# One part of the numbered log, written once: its rows, its new users, and precomputed tables.
#
# A part's files, with its number in their names: `log` has ``user_id, event, time``; `users` has ``user_id`` as the
# store has it and ``number``; `days` has the active days (`events.warehouse.activity_bits.active_days`); `events` has
# one row per event name: ``event, events, oldest, newest, day_grain``.

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
    days = active_days(log, site_zone(), oldest=row["oldest"], newest=row["newest"])
    warehouse.write_sorted(days, part.days, ("user_id",))
    added = warehouse.arrow(warehouse.read([part.users]).aggregate(users=ibis._.count())).to_pylist()[0]["users"]
    return Added(added, **{**row, "events": int(row["events"])})


def _event_rows(log: "ir.Table") -> "ir.Table":
    local = wall_clock(log.time, site_zone())
    return log.group_by("event").aggregate(
        events=log.count(), oldest=log.time.min(), newest=log.time.max(), day_grain=(local == local.truncate("D")).all()
    )


# A copy of the store's log with numbered users, sorted by event, in Parquet files of its own: updated incrementally.
#
# Grouping 50 million rows by text ids takes longer than a reader waits. A *generation* is a folder of parts, whose
# files are described in `LogPart`. New files of the store become one more part. When a file has left
# the store (compaction, an erased user) or there are too many parts, everything is rebuilt: so data erased from the
# store are gone here too. The same if another version of Insight made the folder with another layout.

# The layout's number: what an older Insight prepared is not read, and removed once the new copy exists.
STATE, OLDER_STATES = "state-2.json", ("state.json",)
MOST_PARTS = 40
PART_BYTES = 384 * 1024 * 1024  # of the store's files: about ten million events, which are sorted in memory
PART_FILES = 200  # used if their sizes aren't known
LITTLE = 0.01  # share of the store's bytes by which it may have grown without making anybody wait for the newest events
YOUNG_SECONDS = 600
WAIT_SECONDS = 0.2
LEFT = "left"  # a file in the folder of a zone that the site no longer has
KEEP_SECONDS = 900  # a running query may still read what a newer version has replaced


@dataclass(frozen=True)
class NumberedLog:
    """The current state of one generation.

    Attributes:
        generation: its folder's name.
        version: digest of the store's files that it holds.
        sources: those files.
        parts: how many parts there are.
        users: how many users have a number.
        events: how many events it holds.
        oldest, newest: times of the first and the last event, ISO 8601 in UTC.
        day_grain: True when every event carries a date without a time of day.
        joins: digest of the joins (`events.warehouse.explore_session`), set when it is opened; not stored.
    """

    generation: str
    version: str
    sources: tuple[str, ...]
    parts: int
    users: int
    events: int
    oldest: str
    newest: str
    day_grain: bool
    joins: str = ""

    @property
    def folder(self) -> Path:
        """The folder of its parts."""
        return folder() / self.generation

    def part(self, number: int) -> PartFiles:
        """A part by index, from 0."""
        return PartFiles(self.folder, number)

    def all_parts(self) -> list[PartFiles]:
        """Every part."""
        return [self.part(number) for number in range(self.parts)]


def folder(zone: str = "") -> Path:
    """The folder of this store's generations in the site's time zone, or in another: `active_days` and `day_grain`
    depend on it."""
    key = hashlib.sha256(f"{event_table.url()}|{zone or site_zone()}".encode()).hexdigest()[:16]
    return Path(settings.EXPLORE_DIR) / key


def folders() -> list[Path]:
    """The folders of this store in whatever zone the site has been, the current one included."""
    return [place for zone in sorted({*every_zone(), site_zone()}) if (place := folder(zone)).is_dir()]


def version_of(files: Sequence[str]) -> str:
    """A digest of these files of a store, which never change."""
    return hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()[:20]


def current() -> NumberedLog | None:
    """The current generation, of whatever version; None when there is none."""
    try:
        state = json.loads((folder() / STATE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    log = NumberedLog(**{**state, "sources": tuple(state["sources"])})
    return log if log.folder.is_dir() else None


def nearly_current(files: Sequence[str]) -> NumberedLog | None:
    """The current generation, if few events were added since and it is recent; else None.

    A large store gets new events each minute, and readers should not wait each time. In a small store the newest batch
    exceeds the limit. A file that has left the store may hold an erased user: then None is returned.
    """
    log = current()
    if log is None or not set(log.sources) <= set(files) or not log.events:
        return None
    if log.version == version_of(files):
        return log
    young = time.time() - (folder() / STATE).stat().st_mtime < YOUNG_SECONDS
    fresh = sum(map(_size, set(files) - set(log.sources)))
    return log if young and fresh <= LITTLE * sum(map(_size, log.sources)) else None


def up_to_date(warehouse: Warehouse, files: Sequence[str], progress: Progress) -> NumberedLog:
    """The numbered log of exactly these files of the store, made or extended if needed.

    Args:
        warehouse: a bounded engine.
        files: of the store, at least one.
        progress: progress callback, which may raise to stop; also called while another process is making it.
    """
    version = version_of(files)
    log = current()
    if log is not None and log.version == version:
        return log
    with _alone(lambda: progress("numbering", _share_done(files))):
        before = current()  # another process may have made it meanwhile
        if before is not None and before.version == version:
            return before
        made = _make(warehouse, before, files, progress)
        _sweep(made)
    return made


def _share_done(files: Sequence[str]) -> float:
    """Share of the store's bytes that is numbered."""
    now = current()
    if now is None or not set(now.sources) <= set(files):
        return 0.0
    return sum(map(_size, now.sources)) / (sum(map(_size, files)) or 1)


def _make(warehouse: Warehouse, before: NumberedLog | None, files: Sequence[str], progress: Progress) -> NumberedLog:
    if before is None or not set(before.sources) <= set(files) or before.parts >= MOST_PARTS:
        before = NumberedLog(uuid.uuid4().hex, "", (), 0, 0, 0, "", "", True)
        before.folder.mkdir(parents=True)
    fresh = sorted(set(files) - set(before.sources))
    batches = list(_batches(fresh))
    log = before
    for number, batch in enumerate(batches):

        def step(done: int, number: int = number) -> None:
            progress("numbering", (number + done / STEPS) / len(batches))

        log = _add_part(warehouse, log, batch, step)
        _remember(log)  # if stopped here, the next call continues from this state
    return log


def _batches(files: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for file in files:
        batch.append(file)
        size += _size(file)
        if size >= PART_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _size(file: str) -> int:
    return os.stat(file).st_size if os.path.exists(file) else PART_BYTES // PART_FILES


def _add_part(warehouse: Warehouse, log: NumberedLog, files: Sequence[str], step: Callable[[int], None]) -> NumberedLog:
    earlier = [part.users for part in log.all_parts()]
    part = log.part(log.parts)
    added = write_part(warehouse, files, part, earlier=earlier, users=log.users, step=step)
    oldest, newest = added.oldest.isoformat(), added.newest.isoformat()
    sources = (*log.sources, *files)
    return replace(
        log,
        parts=log.parts + 1,
        sources=sources,
        version=version_of(sources),
        users=log.users + added.users,
        events=log.events + added.events,
        oldest=min(filter(None, (log.oldest, oldest))),
        newest=max(log.newest, newest),
        day_grain=log.day_grain and added.day_grain,
    )


def _remember(log: NumberedLog) -> None:
    text = json.dumps({name: value for name, value in asdict(log).items() if name != "joins"})
    place = folder() / f"state-{uuid.uuid4().hex}.tmp"
    place.write_text(text, encoding="utf-8")
    place.replace(folder() / STATE)
    for name in OLDER_STATES:
        (folder() / name).unlink(missing_ok=True)


def _sweep(log: NumberedLog) -> None:
    """Remove old generations once no query can still be reading them."""
    before = time.time() - KEEP_SECONDS
    for place in folder().iterdir():
        if place.is_dir() and place.name != log.generation and place.stat().st_mtime < before:
            shutil.rmtree(place, ignore_errors=True)
    for place in log.folder.glob("kept-*"):
        if not place.name.startswith(f"kept-{log.version}") and place.stat().st_mtime < before:
            shutil.rmtree(place, ignore_errors=True)
    (folder() / LEFT).unlink(missing_ok=True)
    for other in set(folders()) - {folder()}:  # the site has another zone now
        mark = other / LEFT
        if not mark.exists():
            mark.touch()
        elif mark.stat().st_mtime < before:
            shutil.rmtree(other, ignore_errors=True)


def moment_of(text: str) -> datetime:
    """Parse a time of the record."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@contextmanager
def _alone(waiting: Callable[[], None]) -> Iterator[None]:
    """Lock out other processes of this machine that prepare the same store; `waiting` is called until then."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / "lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                time.sleep(WAIT_SECONDS)
        yield


def numbered(warehouse: Warehouse, log: NumberedLog) -> "ir.Table":
    """``user_id`` (the number), ``event, time`` of every event."""
    return warehouse.read([part.log for part in log.all_parts()])
