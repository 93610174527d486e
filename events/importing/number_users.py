"""Assign numbers to the users in Parquet files that an import, or the upgrade of an older store, has written."""

import time
from collections.abc import Sequence
from dataclasses import replace

from events import store
from events.delta.dictionary import COLUMN, DAY, HAS_NUMBER
from events.delta.snapshot import Snapshot, reserve
from events.importing.parquet_files import COLUMNS, Job, Staged, read_parquet
from events.warehouse import literal

TRIES = 5
STEP = "store"


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
    job.run(f"CREATE OR REPLACE TEMP TABLE people AS SELECT DISTINCT user_id FROM {rows}", STEP)
    for number in range(TRIES):
        at = store.snapshot()
        if at.last(app_id) != since.last(app_id) or not at.has(removed):
            break
        highest, files_read = _give(job, at), sorted(at.dictionary())
        written = _write(job, rows, f"numbered-{number}")

        def still(newer: Snapshot, read: list[str] = files_read) -> bool:
            return sorted(newer.dictionary()) == read or agrees(job, newer)

        newest = store.snapshot()
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
        STEP,
    )
    return int(job.run("SELECT count(*) FROM numbers WHERE new", STEP)[0][0])


def number_new(job: Job, before: int) -> None:
    """Assign the numbers after `before` to the new users in `numbers`."""
    job.run(
        "CREATE OR REPLACE TEMP TABLE numbers AS SELECT user_id, coalesce(number, "
        f"{before} + row_number() OVER (ORDER BY new DESC, user_id)) AS number, new FROM numbers",
        STEP,
    )


def highest_of(job: Job) -> int:
    """The highest number in `numbers`."""
    return int(job.run("SELECT coalesce(max(number), 0) FROM numbers", STEP)[0][0])


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
        STEP,
    )


def _write(job: Job, rows: str, name: str) -> list[Staged]:
    return [*write_events(job, rows, name), *write_entries(job, f"{name}-new")]


def write_events(job: Job, rows: str, name: str) -> list[Staged]:
    """Write the events of `rows` with their users' numbers."""
    columns = COLUMNS.replace("event_date", 'CAST(make_timestamp(epoch_us("time")) AS DATE) AS event_date')
    return job.write(f'SELECT {columns}, number AS "{COLUMN}" FROM {rows} JOIN numbers USING (user_id)', name, STEP)


def write_entries(job: Job, name: str) -> list[Staged]:
    """Write dictionary entries for the new users in `numbers`."""
    moment = f"make_timestamptz({time.time_ns() // 1000})"
    return job.write(
        f"""SELECT user_id, {literal(HAS_NUMBER)} AS event, {moment} AS "time", NULL::VARCHAR AS properties,
        NULL::VARCHAR AS message_id, {moment} AS received_at, DATE {literal(DAY.isoformat())} AS event_date,
        number AS "{COLUMN}" FROM numbers WHERE new ORDER BY number""",
        name,
        STEP,
    )
