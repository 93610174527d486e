"""Take persons out of the event store and the files beside it, and read their events for an export."""

import gzip
import io
import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, cast
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings
from django.utils import timezone
from pyarrow import parquet

from events.importing import uploads
from events.models import FormerOutboxEvent, MessageId, Upload
from events.outbox import flush
from events.outbox.accept import keys_of
from events.people.identity import ids_with
from events.people.tombstones import Scrub
from events.schema import EXPOSURE, unmarked
from events.store import dictionary, event_table, ownership
from events.store.rewrite import Rewriting, Rewritten, rewrite, rows_of
from events.store.snapshot import Snapshot, snapshot
from events.warehouse import daily_tables, explore_session, increments

# Erase people from the event store: their events, their dictionary entries, and their ids in others' events.

BATCH = 500


@dataclass
class SeenOfPersons:
    """What was found about the people in the store, for the statistics that stay.

    Attributes:
        first: time of each one's first event.
        exposed: time of each one's first exposure, by the experiment's key and the id.
        mentions: others' events that contained an id.
        events: number of their events.
        message_ids: of their events that are still recognised as repeats.
    """

    first: dict[str, datetime] = field(default_factory=dict)
    exposed: dict[tuple[str, str], datetime] = field(default_factory=dict)
    mentions: int = 0
    events: int = 0
    message_ids: set[str] = field(default_factory=set)


class Change:
    """The `change` of the rewrite, called for each part of a file, perhaps twice."""

    def __init__(self, ids: Collection[str], numbers: Collection[int], words: Collection[str] = ()) -> None:
        self.seen, self._scrub = SeenOfPersons(), Scrub(set(ids) - set(words))
        self._ids = pa.array(sorted(ids), pa.string())
        self._joins = pa.array([dictionary.into_text(number) for number in sorted(numbers)], pa.string())
        self._recent = timezone.now() - timedelta(days=settings.EVENT_ID_DAYS)
        self._mentioned: dict[str, int] = {}

    def __call__(self, rows: pa.Table, is_dictionary: bool) -> pa.Table:
        """The rows that stay, with these ids erased in them; the same table if nothing changes."""
        theirs = pc.is_in(rows.column("user_id"), value_set=self._ids)
        if is_dictionary:
            joined = pc.is_in(rows.column("properties"), value_set=self._joins)
            theirs = pc.or_(theirs, pc.and_(pc.equal(rows.column("event"), dictionary.JOINED), joined))
        gone = rows.filter(theirs)
        if not is_dictionary:
            self._note(gone)
        rest = rows if not gone.num_rows else rows.filter(pc.invert(theirs))
        return rest if is_dictionary else self._scrubbed(rest)

    def _scrubbed(self, rows: pa.Table) -> pa.Table:
        texts = rows.column("properties").to_pylist()
        clean = [text if text is None else self._scrub.json_text(text) for text in texts]
        changed = [place for place, (old, new) in enumerate(zip(texts, clean, strict=True)) if old is not new]
        if not changed:
            return rows
        ids = rows.column("message_id")
        self._mentioned.update({f"{ids[place]}": 1 for place in changed})
        self.seen.mentions = len(self._mentioned)
        column = pa.array(clean, pa.string())
        return rows.set_column(rows.column_names.index("properties"), rows.schema.field("properties"), column)

    def _note(self, gone: pa.Table) -> None:
        columns = ("user_id", "event", "time", "properties", "message_id", "received_at")
        for user, event, moment, properties, message_id, received in zip(
            *(gone.column(name).to_pylist() for name in columns), strict=True
        ):
            self.seen.first[user] = min(moment, self.seen.first.get(user, moment))
            if message_id and received >= self._recent:
                self.seen.message_ids.add(message_id)
            if event == EXPOSURE and (key := _experiment(properties)):
                pair = (key, user)
                self.seen.exposed[pair] = min(moment, self.seen.exposed.get(pair, moment))


def _experiment(properties: str | None) -> str:
    try:
        return str(json.loads(properties or "{}").get("experiment_id", ""))
    except (ValueError, AttributeError):
        return ""


def erase_events(
    ids: Collection[str], numbers: Collection[int], note: Callable[[SeenOfPersons], None], words: Collection[str] = ()
) -> Rewritten:
    """Remove these people in one commit, however many they are; the old files stay on the disk until they are deleted.

    Args:
        ids: all of them (`same_person.ids_of`).
        numbers: their numbers.
        note: called before the commit with what was found: afterwards it can't be counted.
        words: ids that stay in others' events, where they mean something else.

    Raises:
        ownership.StoreRefused: when the store is damaged or not this database's.
    """
    if not event_table.exists():
        return Rewritten()
    ownership.check_to_write()
    change = Change(ids, numbers, words)

    def before(removed: int) -> None:
        change.seen.events = removed
        forget_message_ids(change.seen.message_ids)
        note(change.seen)

    return rewrite(Rewriting(change, before=before))


def forget_message_ids(message_ids: Collection[str]) -> None:
    """Forget their message ids: anyone can compute these digests, and some ids contain the user's."""
    names = sorted(map(unmarked, message_ids))
    for start in range(0, len(names), BATCH):
        some = names[start : start + BATCH]
        MessageId.objects.filter(key__in=[UUID(hex=key) for key in keys_of(some)]).delete()
        FormerOutboxEvent.objects.filter(message_id__in=some, flush__committed_at__isnull=False).delete()


# Delete files beside the store that may hold a person's rows: waiting uploads, and what is made of the log.

BLOCK = 1 << 20
BATCH_ROWS = 10_000
APART = re.compile(rb"[\s,;|\"'\[\]{}:]+")


def remove_uploads(ids: Collection[str]) -> int:
    """Remove uploads that hold one of these ids or can't be read; returns how many. They must be uploaded again."""
    names, removed = frozenset(ids), 0
    for upload in Upload.objects.all():
        path = uploads.path_of(upload) if upload.stored_as else uploads.folder_of(upload) / uploads.INCOMING
        if path.exists() and _holds(path, names):
            uploads.remove_upload(upload)
            removed += 1
    return removed


def _holds(path: Path, ids: frozenset[str]) -> bool:
    try:
        if path.suffix == ".parquet":
            return any(_text_holds(text, ids) for text in _parquet_texts(path))
        with gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _text_holds(cast("IO[bytes]", file), ids)
    except (OSError, EOFError, ValueError):
        return True


def _text_holds(file: IO[bytes], ids: frozenset[str]) -> bool:
    """Whether a text file holds one of the ids between separators; True for files that aren't UTF-8."""
    names = {form.encode() for name in ids for form in (name, json.dumps(name)[1:-1])}
    odd = {name for name in names if APART.search(name)}
    rest = b""
    while block := file.read(BLOCK):
        lines, _, after = (rest + block).rpartition(b"\n")
        lines.decode()
        if not names.isdisjoint(APART.split(lines)) or any(name in lines for name in odd):
            return True
        rest = after
    rest.decode()
    return not names.isdisjoint(APART.split(rest)) or any(name in rest for name in odd)


def _parquet_texts(path: Path) -> Iterator[IO[bytes]]:
    """Each column as lines of text; ids may be nested in JSON, and lists and structs are written as JSON."""
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            for column in batch.columns:
                yield io.BytesIO("\n".join(map(str, column.to_pylist())).encode())


def remove_prepared(_ids: Collection[str]) -> int:
    """Remove what was made of the log as it was: what Explore keeps, days of the daily tables, counts so far.

    All are made again, by the next question to Explore, within the hour, by the next analysis. Returns how many files
    and days went.
    """
    return daily_tables.forget_changed() + increments.forget() + explore_session.forget()


def remove_from_warehouse(ids: Collection[str]) -> int:
    """Delete these persons' rows of the daily tables that this site keeps in a warehouse; returns how many rows.

    Raises:
        Refused: the warehouse can't be opened or written: the erasure waits.
    """
    return daily_tables.forget_in_warehouse(ids)


# All ids of a person: joined ids count as one, whichever of them is named.


def ids_of(named: Collection[str]) -> tuple[set[str], set[int]]:
    """The ids of these people and their numbers in the store; an id that the store doesn't know is returned alone.

    Ids joined in the database are included: the store learns of a login only with the next flush.
    """
    return ids_in_store(ids_with(named))


def ids_in_store(names: Collection[str]) -> tuple[set[str], set[int]]:
    """The same, from the joins in the store only."""
    names = set(names)
    if not event_table.exists():
        return names, set()
    at = snapshot()
    numbers = _numbers(sorted(names), at)
    if not numbers:
        return names, set()
    joins = dictionary.joins_of(at.opened_dictionary(joins=True))
    roots = {joins.get(number, number) for number in numbers}
    numbers |= roots | {number for number, into in joins.items() if into in roots}
    texts = dictionary.texts_of(sorted(numbers), at.opened_dictionary())
    return names | set(texts.values()), numbers


def _numbers(names: list[str], at: Snapshot) -> set[int]:
    given = dictionary.numbers_of(pa.array(names, pa.string()), at.opened_dictionary())
    return {int(number) for number in given if number}


def known_users() -> list[str]:
    """Every id that the store's dictionary has."""
    if not event_table.exists():
        return []
    return dictionary.all_texts(snapshot().opened_dictionary())


# A person's events, read out of the store for an export.

COLUMNS = ["user_id", "event", "time", "properties", "message_id", "received_at"]


def rows_of_person(ids: Collection[str]) -> Iterator[dict[str, Any]]:
    """Every event of these ids, and their entries in the dictionary of users, in no order."""
    flush.flush_events()
    if not event_table.exists():
        return
    names = pa.array(sorted(ids_of(ids)[0]), pa.string())
    for path in snapshot().paths():
        for rows in rows_of(path):
            theirs = rows.filter(pc.is_in(rows.column("user_id"), value_set=names))
            for row in theirs.select([*COLUMNS, dictionary.COLUMN]).to_pylist():
                yield _readable(row)


def count(ids: Collection[str]) -> int:
    """How many events of these ids the store has."""
    names = pa.array(sorted(ids), pa.string())
    paths = [path for path in snapshot().paths() if not dictionary.is_dictionary(path)] if event_table.exists() else []
    return sum(
        int(pc.sum(pc.is_in(rows.column("user_id"), value_set=names)).as_py() or 0)
        for path in paths
        for rows in rows_of(path)
    )


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    text = row["properties"]
    try:
        properties = json.loads(text) if text else {}
    except ValueError:
        properties = text
    times = {name: row[name].isoformat() for name in ("time", "received_at")}
    return {**row, **times, "properties": properties}
