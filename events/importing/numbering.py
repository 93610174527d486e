"""Numbers for users: of files that an import writes, and of a store that an older version has written."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from events.importing.options import ImportOptions
from events.importing.parquet_files import COLUMNS, Job, Staged, read_parquet
from events.importing.source_files import scratch
from events.outbox import flush
from events.store import event_table, object_store, ownership
from events.store.dictionary import COLUMN, DAY, HAS_NUMBER
from events.store.snapshot import Snapshot, reserve
from events.warehouse.engine import literal

# Assign numbers to the users in Parquet files that an import, or the upgrade of an older store, has written.

TRIES = 5
STORE_STEP = "store"


def add_numbered(job: Job, files: Sequence[str], since: Snapshot, *, app_id: str, removed: Sequence[str] = ()) -> bool:
    """Commit the events of these files with their users' numbers, and new dictionary entries.

    Args:
        job: the import or upgrade.
        files: paths of Parquet files with the columns of the store but the date.
        since: the snapshot that `files` are based on; no other writer with this application id may have committed
            since.
        app_id: who writes.
        removed: paths of the files, below the table's address, that these replace.

    Returns:
        False when another writer with this application id committed meanwhile, or `removed` has left the table; nothing
        is written then.
    """
    if not files:
        return True
    rows = rows_of(files)
    job.run(f"CREATE OR REPLACE TEMP TABLE people AS SELECT DISTINCT user_id FROM {rows}", STORE_STEP)
    for number in range(TRIES):
        at = event_table.snapshot()
        if at.last(app_id) != since.last(app_id) or not at.has(removed):
            break
        highest, files_read = _give(job, at), sorted(at.dictionary())
        written = _write(job, rows, f"numbered-{number}")

        def still(newer: Snapshot, read: list[str] = files_read) -> bool:
            return sorted(newer.dictionary()) == read or agrees(job, newer)

        newest = event_table.snapshot()
        if newest.last(app_id) == since.last(app_id) and newest.has(removed) and still(newest):
            new = [replace(file.as_new(), numbered=True) for file in written]
            if newest.add(new, app_id=app_id, removed=removed, highest=highest, still=still):
                return True
    return False


def rows_of(files: Sequence[str]) -> str:
    """SQL source (after FROM) for these files, with numbers or without."""
    # Without hive partitioning, since the folders differ between files: the date is in the time.
    return f"read_parquet([{', '.join(map(literal, files))}], hive_partitioning = false, union_by_name = true)"


def _give(job: Job, at: Snapshot) -> int:
    """Create the table `numbers` of all users: ``user_id, number, new``; returns the highest number in it."""
    count = look_up(job, at.dictionary())
    if count:
        number_new(job, reserve(count))
    return highest_of(job)


def look_up(job: Job, entries: Sequence[str]) -> int:
    """Create the table `numbers` of `people` from the dictionary's files; returns how many have no number yet."""
    job.run(
        f"CREATE OR REPLACE TEMP TABLE numbers AS SELECT user_id, number, number IS NULL AS new FROM people "
        f"LEFT JOIN ({_known(entries)}) USING (user_id)",
        STORE_STEP,
    )
    return int(job.run("SELECT count(*) FROM numbers WHERE new", STORE_STEP)[0][0])


def number_new(job: Job, before: int) -> None:
    """Assign the numbers after `before` to the new users in `numbers`."""
    job.run(
        "CREATE OR REPLACE TEMP TABLE numbers AS SELECT user_id, coalesce(number, "
        f"{before} + row_number() OVER (ORDER BY new DESC, user_id)) AS number, new FROM numbers",
        STORE_STEP,
    )


def highest_of(job: Job) -> int:
    """The highest number in `numbers`."""
    return int(job.run("SELECT coalesce(max(number), 0) FROM numbers", STORE_STEP)[0][0])


def _known(files: Sequence[str]) -> str:
    """SQL for ``user_id, number`` of those of `people` that are in these files of the dictionary."""
    if not files:
        return "SELECT NULL::VARCHAR AS user_id, NULL::BIGINT AS number WHERE false"
    return (
        f'SELECT user_id, "{COLUMN}" AS number FROM {read_parquet(files)} SEMI JOIN people USING (user_id) '
        f"WHERE event = {literal(HAS_NUMBER)}"
    )


def agrees(job: Job, newer: Snapshot) -> bool:
    """True when no user in `numbers` was assigned a number, or lost one, since the table was made."""
    return not job.run(
        f"SELECT 1 FROM numbers LEFT JOIN ({_known(newer.dictionary())}) AS now USING (user_id) "
        "WHERE now.number IS DISTINCT FROM CASE WHEN NOT new THEN numbers.number END LIMIT 1",
        STORE_STEP,
    )


def _write(job: Job, rows: str, name: str) -> list[Staged]:
    return [*write_events(job, rows, name), *write_entries(job, f"{name}-new")]


def write_events(job: Job, rows: str, name: str) -> list[Staged]:
    """Write the events of `rows` with their users' numbers."""
    columns = COLUMNS.replace("event_date", 'CAST(make_timestamp(epoch_us("time")) AS DATE) AS event_date')
    return job.write(
        f'SELECT {columns}, number AS "{COLUMN}" FROM {rows} JOIN numbers USING (user_id)', name, STORE_STEP
    )


def write_entries(job: Job, name: str) -> list[Staged]:
    """Write dictionary entries for the new users in `numbers`."""
    moment = f"make_timestamptz({time.time_ns() // 1000})"
    return job.write(
        f"""SELECT user_id, {literal(HAS_NUMBER)} AS event, {moment} AS "time", NULL::VARCHAR AS properties,
        NULL::VARCHAR AS message_id, {moment} AS received_at, DATE {literal(DAY.isoformat())} AS event_date,
        number AS "{COLUMN}" FROM numbers WHERE new ORDER BY number""",
        name,
        STORE_STEP,
    )


# Assign user numbers before an import's rows are written, so that nearly all rows are written only once.
#
# New users get the next free numbers, but nothing is recorded in the store until the files are valid: a refused
# import has assigned none. The numbers are reserved at the end; if others were assigned meanwhile, these are invalid,
# and `number_users.add_numbered` writes the rows again with other numbers.

READ_STEP = "read"


@dataclass(frozen=True)
class Foretold:
    """The state that the numbers in the job's table `numbers` are based on.

    Attributes:
        before: the highest number ever assigned.
        new: how many users got one of the next numbers.
        entries: the dictionary's files.
    """

    before: int
    new: int
    entries: tuple[str, ...]

    def numbered(self, rows: str) -> str:
        """SQL for these rows with their users' numbers; null for a row without a user."""
        return f'SELECT given.*, number AS "{COLUMN}" FROM ({rows}) AS given LEFT JOIN numbers USING (user_id)'


def foretell(job: Job, users: str, *, app_id: str) -> Foretold:
    """Create the tables `people` and `numbers`; writes nothing to the store.

    Args:
        job: the import.
        users: SQL of the rows' ``user_id``.
        app_id: who writes.
    """
    seen = event_table.look(app_id)
    at = None if seen is None else Snapshot(seen.handle)
    entries = () if at is None else tuple(sorted(at.dictionary()))
    before = 0 if at is None else at.highest()
    job.run(
        f"CREATE OR REPLACE TEMP TABLE people AS SELECT DISTINCT user_id FROM ({users}) WHERE user_id IS NOT NULL",
        READ_STEP,
    )
    new = look_up(job, entries)
    number_new(job, before)
    return Foretold(before, new, entries)


def add_foretold(
    job: Job, foretold: Foretold, written: Sequence[Staged], others: Sequence[Staged], since: Snapshot, *, app_id: str
) -> bool:
    """Commit events and new numbers, if the numbers are still valid.

    Args:
        job: the import.
        foretold: their numbers.
        written: files whose rows have their numbers.
        others: files whose rows have none yet.
        since: the snapshot that the files are based on.
        app_id: who writes; nobody else may have committed under it since.

    Returns:
        False when the numbers are no longer valid, or `written` is empty; the files are where they were.
    """
    if not written:
        return False
    if _keep_used(job, foretold, written, others) and reserve(foretold.new) != foretold.before:
        return False
    highest, files = highest_of(job), list(written)
    if others:
        files += write_events(job, rows_of([str(file.path) for file in others]), "foretold")
    files += write_entries(job, "foretold-new")

    def still(newer: Snapshot) -> bool:
        return sorted(newer.dictionary()) == list(foretold.entries) or agrees(job, newer)

    newest = event_table.snapshot()
    if newest.last(app_id) != since.last(app_id) or not still(newest):
        return False
    new = [replace(file.as_new(), numbered=True) for file in files]
    return newest.add(new, app_id=app_id, highest=highest, still=still)


def _keep_used(job: Job, foretold: Foretold, written: Sequence[Staged], others: Sequence[Staged]) -> bool:
    """Drop new users without any row left from `numbers`; returns whether new ones remain."""
    if not foretold.new:
        return False
    used = f'SELECT "{COLUMN}" AS number FROM {rows_of([str(file.path) for file in written])}'
    if others:
        rows = rows_of([str(file.path) for file in others])
        used += f" UNION ALL SELECT number FROM numbers SEMI JOIN {rows} AS rest USING (user_id)"
    job.run(
        "CREATE OR REPLACE TEMP TABLE numbers AS SELECT * FROM numbers "
        f"WHERE NOT new OR number IN (SELECT number FROM ({used}) WHERE number > {foretold.before})",
        READ_STEP,
    )
    return bool(job.run("SELECT 1 FROM numbers WHERE new LIMIT 1", READ_STEP))


# Assign numbers to the users of a store written by an older version, some files at a time.
#
# Each commit replaces whole files and adds their new numbers, so an interrupted upgrade continues where it stopped.
# Until the last file has its numbers, queries join by text as before.

APP_ID = "numbers"
FILES_AT_ONCE = 64
BYTES_AT_ONCE = 256 * 1024 * 1024
OLDER_STORE_TRIES = 20
AS_STORED = ImportOptions(user="user_id", time="time", event="event")


def number_store() -> int:
    """Assign numbers to all users of the store; returns how many files were rewritten, 0 when all have their numbers.

    Events may arrive meanwhile. A file that is replaced concurrently (compaction, an erased user) is tried again.
    """
    if not event_table.exists():
        return 0
    done = 0
    for _ in range(OLDER_STORE_TRIES):
        waiting = event_table.snapshot().unnumbered()
        if not waiting:
            break
        for batch in _batches(sorted(waiting)):
            done += len(batch) if _number(batch) else 0
    return done


def number_and_maintain() -> dict[str, int]:
    """Assign missing numbers, then run `flush.maintain_store`, even if the first step has failed.

    Raises:
        ownership.StoreRefused: when the store is damaged or not ours; the database's part is done by then.
    """
    numbered, trouble = 0, None
    try:
        ownership.check_to_write()
        numbered = number_store()
    except Exception as error:  # one bad file must not block the cleanup of ids and refused events for ever
        trouble = error
    done = flush.maintain_store()
    if trouble is not None:
        raise trouble
    return {"files_numbered": numbered, **done}


def _number(paths: Sequence[str]) -> bool:
    """Replace these files by numbered ones; False when one of them has left the store."""
    at = event_table.snapshot()
    with event_table.staging() as folder, scratch(folder) as connection:
        object_store.attach(event_table.url(), connection.execute)
        job = Job(connection, AS_STORED, _silent, folder)
        files = [f"{event_table.url()}/{unquote(path)}" for path in paths]
        return add_numbered(job, files, at, app_id=APP_ID, removed=paths)


def _batches(paths: Sequence[str]) -> Iterator[list[str]]:
    """Batches of files to rewrite at once: bounded, but large, since the dictionary is read for each."""
    batch: list[str] = []
    size = 0
    for path in paths:
        file = f"{event_table.url()}/{unquote(path)}"
        batch.append(path)
        size += os.stat(file).st_size if os.path.exists(file) else BYTES_AT_ONCE // FILES_AT_ONCE
        if size >= BYTES_AT_ONCE or len(batch) >= FILES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _silent(step: str, percent: float, rows_per_second: float) -> None:
    """A progress callback that does nothing."""
