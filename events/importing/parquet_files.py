"""The Parquet files of a running import: written beside the store, and deduplicated before they are committed."""

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from events.importing.options import ImportOptions
from events.importing.source_files import Scratch
from events.store.disk import NewFile
from events.store.event_table import PARTITION, files_of
from events.warehouse.engine import literal

# Code of a step (`events.importing.import_report.step_words`), percentage done, rows per second (0: not known).
Progress = Callable[[str, float, float], None]
COLUMNS = 'user_id, event, "time", properties, message_id, received_at, event_date'


@dataclass(frozen=True)
class Staged:
    """One written file of an import; `day` is None where its rows are bad, and `oldest` and `newest` may be empty."""

    path: Path
    day: date | None
    rows: int
    size: int
    oldest: str
    newest: str

    def as_new(self) -> NewFile:
        """The file's record for a commit."""
        if self.day is None:
            raise ValueError("bad rows must not reach the store")
        return NewFile(self.path, self.day, self.rows, self.size, self.oldest, self.newest)


@dataclass(frozen=True)
class Job:
    """What every step of one import needs: the engine, the options, the progress callback, and its folder."""

    connection: Scratch
    options: ImportOptions
    show: Progress
    folder: Path

    def run(self, sql: str, step: str, rows: int = 0) -> list[tuple[Any, ...]]:
        """Run one long statement in a thread and report its progress; returns its rows."""
        started = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.connection.execute, sql)
            while not running.done():
                percent = max(0.0, self.connection.query_progress())
                try:
                    self.show(step, percent, percent / 100 * rows / (time.monotonic() - started))
                except BaseException:  # a person cancelled: the pool would wait for the statement's end
                    while not running.done():  # repeatedly: a statement that hasn't begun yet isn't interrupted
                        self.connection.interrupt()
                        time.sleep(0.02)
                    raise
                time.sleep(0.02)
            return running.result().fetchall()

    def write(self, sql: str, name: str, step: str, rows: int = 0) -> list[Staged]:
        """Write the result of `sql`, in the store's columns, as Parquet below the folder `name`, a folder per date."""
        root = self.folder / name
        written = self.run(
            f"COPY ({sql}) TO {literal(str(root))} (FORMAT parquet, PARQUET_VERSION v2, PARTITION_BY ({PARTITION}), "
            "FILENAME_PATTERN 'import-{uuid}', RETURN_STATS)",
            step,
            rows,
        )
        return [_staged(row) for row in written]


def settle(job: Job, files: Sequence[Staged], known: Collection[tuple[date, str]]) -> list[Staged]:
    """The files to commit: repeated rows numbered, and without events that are already in the store.

    Only dates with a repeated message id, or with events in the store, are written again.

    Args:
        job: the import.
        files: the good rows of all files, each below a folder ``source=N``.
        known: date and path of every file of the store.

    With message ids from the file, one id is one event: the earliest.
    """
    if not files:
        return []
    job.run(
        f"CREATE TEMP TABLE repeated AS SELECT hash(message_id) AS key FROM {read_staged(files)} "
        "GROUP BY key HAVING count(*) > 1",
        "compare",
    )
    days = {file.day for file in files if file.day is not None}
    if job.options.message_id is None:  # identical rows have the same date
        old = files_of(known, days)
        doubtful = days & {day for day, _ in known}
    else:
        old = [path for _, path in known]
        doubtful = _days_with_known_ids(job, files, old)
    doubtful |= _days_with_repeats(job, files)
    if not doubtful:
        return list(files)
    rewritten = job.write(_distinct(job, [file for file in files if file.day in doubtful], old), "distinct", "store")
    return [file for file in files if file.day not in doubtful] + rewritten


def _distinct(job: Job, files: Sequence[Staged], old: Sequence[str]) -> str:
    """SQL for the rows of these files, each event once and without those in the store's files `old`."""
    repeats = f"SELECT * FROM {read_staged(files)} SEMI JOIN repeated ON hash(message_id) = key"
    if job.options.message_id is None:
        numbered = f"SELECT *, row_number() OVER (PARTITION BY source, message_id) - 1 AS occurrence FROM ({repeats})"
        repeats = (
            "SELECT * REPLACE (CASE occurrence WHEN 0 THEN message_id ELSE concat(message_id, '-', occurrence) END "
            f"AS message_id) FROM ({numbered})"
        )
    once = (
        f"SELECT {COLUMNS} FROM ({repeats}) QUALIFY row_number() OVER (PARTITION BY message_id "
        'ORDER BY "time", user_id, event, properties, source) = 1'
    )
    rows = f"SELECT {COLUMNS} FROM {read_staged(files)} ANTI JOIN repeated ON hash(message_id) = key UNION ALL {once}"
    if not old:
        return rows
    return f"SELECT * FROM ({rows}) ANTI JOIN {read_parquet(old)} AS stored USING (message_id)"


def _days_with_repeats(job: Job, files: Sequence[Staged]) -> set[date]:
    if not job.connection.execute("SELECT 1 FROM repeated LIMIT 1").fetchall():
        return set()
    sql = f"SELECT DISTINCT event_date FROM {read_staged(files)} SEMI JOIN repeated ON hash(message_id) = key"
    return {row[0] for row in job.run(sql, "compare")}


def _days_with_known_ids(job: Job, files: Sequence[Staged], old: Sequence[str]) -> set[date]:
    if not old:
        return set()
    stored = read_parquet(old)
    sql = f"SELECT DISTINCT event_date FROM {read_staged(files)} SEMI JOIN {stored} AS stored USING (message_id)"
    return {row[0] for row in job.run(sql, "compare")}


def read_staged(files: Sequence[Staged]) -> str:
    """SQL source (after FROM) for the rows of written files, with `source` and the partition."""
    return read_parquet([str(file.path) for file in files])


def read_parquet(paths: Sequence[str]) -> str:
    """SQL source (after FROM) for Parquet files of one folder structure: the store's, or a running import's."""
    listed = ", ".join(literal(path) for path in paths)
    return f"read_parquet([{listed}], hive_partitioning = true, hive_types = {{{PARTITION}: DATE}})"


def _staged(row: tuple[Any, ...]) -> Staged:
    """One written file as RETURN_STATS describes it."""
    file, count, size, _, statistics, partition = row
    moments = statistics.get('"time"', {})
    oldest, newest = (str(moments.get(end, "")).replace(" ", "T").replace("+00", "Z") for end in ("min", "max"))
    day = dict(partition)[PARTITION]
    return Staged(
        Path(file), date.fromisoformat(day) if day and day[0].isdigit() else None, count, size, oldest, newest
    )
