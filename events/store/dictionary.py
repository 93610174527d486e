"""The dictionary of users: rows of the event store that say which number a user has. Independent of the table format.

Each event carries the number of its user in the column `user`, so that no join compares texts. The dictionary's rows
lie in the same table, in a partition of their own that readers of events skip: `$user` says that `user_id` has the
number `user` since `time`; `$joined` says that the number `user` counts as another one, `into` in its properties; if
that is its own number, it no longer counts as another. So one commit holds events together with their new numbers;
erasing, compaction and backup treat both alike.

A number is never assigned twice: the highest one is in the table's log, beside each commit that assigns some, and two
commits that assign, erase or rewrite numbers never both succeed from the same version (`events.store.event_table`).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet

from events.schema import RESERVED

USERS = "insight.users"  # the Delta application id whose version is the highest assigned number
HAS_NUMBER, JOINED = RESERVED
DAY = date(1, 1, 1)
COLUMN = "user"
BATCH_ROWS = 131_072
STAMP = pa.timestamp("us", tz="UTC")

KEPT_BYTES = 64 * 1024 * 1024  # cache size for ids and numbers: about two million users

Numbers = NDArray[np.int64]
Pair = tuple[pa.Array, pa.Array]


@dataclass(frozen=True)
class EntryFile:
    """A file of the dictionary: its unique address, never reused, and how to open it."""

    name: str
    open: Callable[[], Any]


_kept: OrderedDict[str, list[Pair]] = OrderedDict()
_keeping = threading.Lock()


def is_dictionary(path: str) -> bool:
    """True for the path of a dictionary file."""
    return f"event_date={DAY.isoformat()}/" in path


def numbered(
    rows: pa.Table, sources: Iterable[EntryFile], highest: int, now: datetime | None = None
) -> tuple[pa.Table, pa.Table, int]:
    """Add each row's user number.

    Args:
        rows: have ``user_id``.
        sources: files of the dictionary.
        highest: the highest number ever assigned.
        now: the moment of the new entries; the present one by default.

    Returns:
        The rows with the column `user`; the new entries, in the store's columns; the highest number now.
    """
    encoded = rows.column("user_id").combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):  # pyarrow returns a chunked array for a column without rows
        encoded = encoded.combine_chunks()
    texts = encoded.dictionary
    numbers = numbers_of(texts, sources)
    new = np.flatnonzero(numbers == 0)
    numbers[new] = highest + 1 + np.arange(new.size)
    column = pa.array(numbers[encoded.indices.to_numpy(zero_copy_only=False)], pa.int64())
    made = entries(texts.take(pa.array(new)), numbers[new], now or datetime.now(UTC))
    return rows.append_column(COLUMN, column), made, highest + int(new.size)


def numbers_of(texts: pa.Array, sources: Iterable[EntryFile]) -> Numbers:
    """The number of each of these distinct ids, 0 where the dictionary has none; reads a bounded part at a time."""
    numbers = np.zeros(len(texts), dtype=np.int64)
    if not len(texts):
        return numbers
    for source in sources:
        for ids, given in _pairs(source):  # a `$joined` entry names the user's own number too
            place = pc.index_in(ids, value_set=texts)
            known = pc.is_valid(place)
            numbers[pc.filter(place, known).to_numpy()] = pc.filter(given, known).to_numpy()
    return numbers


def texts_of(numbers: Sequence[int], sources: Iterable[EntryFile]) -> dict[int, str]:
    """The ids of the users with these numbers."""
    wanted, texts = pa.array(numbers, pa.int64()), dict[int, str]()
    for source in sources:
        for batch in _parts(source, ["user_id", "event", COLUMN]):
            known = pc.and_(pc.is_in(batch.column(2), value_set=wanted), pc.equal(batch.column(1), HAS_NUMBER))
            rows = batch.filter(known)
            texts |= dict(zip(rows.column(2).to_pylist(), rows.column(0).to_pylist(), strict=True))
    return texts


def joins_of(sources: Iterable[EntryFile]) -> dict[int, int]:
    """Numbers that count as others; the last entry of a number wins, even if it makes the number its own again."""
    parts = [pa.array([], STAMP)], [pa.array([], pa.int64())], [pa.array([], pa.int64())]
    for source in sources:
        for batch in _parts(source, ["event", COLUMN, "properties", "received_at"]):
            rows = batch.filter(pc.equal(batch.column(0), JOINED))
            for part, column in zip(parts, (rows.column(3), rows.column(1), _into(rows.column(2))), strict=True):
                part.append(column)
    joins = pa.table([pa.chunked_array(part) for part in parts], names=["at", "number", "into"])
    last = joins.sort_by([("at", "ascending"), ("number", "ascending"), ("into", "ascending")])
    pairs = dict(zip(last.column("number").to_pylist(), last.column("into").to_pylist(), strict=True))
    return {number: into for number, into in pairs.items() if number != into}


def _into(properties: pa.Array) -> pa.Array:
    """Parse the number written by `into_text`."""
    return pc.utf8_trim(properties, characters='{}"into: ').cast(pa.int64())


def number_of_texts(sources: Iterable[EntryFile]) -> int:
    """How many users have a number."""
    return sum(len(ids) for source in sources for ids, _ in _pairs(source))


def all_texts(sources: Iterable[EntryFile]) -> list[str]:
    """The ids of all users."""
    return [text for source in sources for ids, _ in _pairs(source) for text in ids.to_pylist()]


def _pairs(source: EntryFile) -> Iterator[Pair]:
    """Ids and their numbers in parts. Recent files are cached, since each flush reads the whole dictionary."""
    with _keeping:
        cached = _kept.get(source.name)
        if cached is not None:
            _kept.move_to_end(source.name)
    if cached is not None:
        yield from cached
        return
    read: list[Pair] = []
    size = 0
    for batch in _parts(source, ["user_id", COLUMN]):
        size += batch.nbytes
        if size <= KEPT_BYTES:
            read.append((batch.column(0), batch.column(1)))
        yield batch.column(0), batch.column(1)
    if size <= KEPT_BYTES:
        _keep(source.name, read)


def _keep(name: str, read: list[Pair]) -> None:
    with _keeping:
        _kept[name] = read
        sizes = {name: sum(part.nbytes for pair in pairs for part in pair) for name, pairs in _kept.items()}
        while sum(sizes.values()) > KEPT_BYTES:
            oldest, _ = _kept.popitem(last=False)
            del sizes[oldest]


def _parts(source: EntryFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """A file in bounded parts, with the columns in this order and one string type, whoever wrote the file."""
    with parquet.ParquetFile(source.open()) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
            arrays = [batch.column(name) for name in columns]
            plain = [array.cast(pa.string()) if array.type == pa.string_view() else array for array in arrays]
            yield pa.RecordBatch.from_arrays(plain, names=columns)


def entries(texts: pa.Array, numbers: Numbers, now: datetime) -> pa.Table:
    """Dictionary entries that assign these numbers to these users."""
    return _rows(texts, numbers, HAS_NUMBER, pa.nulls(len(texts), pa.string()), now)


def join_entries(texts: Sequence[str], numbers: Sequence[int], into: Sequence[int], now: datetime) -> pa.Table:
    """Dictionary entries that make each of these users count as the number in `into`; its own number undoes a join."""
    properties = pa.array([into_text(number) for number in into], pa.string())
    return _rows(pa.array(texts, pa.string()), np.asarray(numbers, dtype=np.int64), JOINED, properties, now)


def into_text(number: int) -> str:
    """The properties of an entry that joins a user to this number."""
    return f'{{"into": {number}}}'


def _rows(texts: pa.Array, numbers: Numbers, event: str, properties: pa.Array, now: datetime) -> pa.Table:
    count = len(texts)
    moment = pa.array([now] * count, STAMP)
    return pa.table(
        {
            "user_id": texts,
            "event": pa.array([event] * count, pa.string()),
            "time": moment,
            "properties": properties,
            "message_id": pa.nulls(count, pa.string()),
            "received_at": moment,
            "event_date": pa.array([DAY] * count, pa.date32()),
            COLUMN: pa.array(numbers, pa.int64()),
        }
    )
