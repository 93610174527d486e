"""Import event files: validate them, assign message ids, and add them to the store in one commit.

Each file is read in bounded memory, once for its users and once straight into Parquet files beside the store, rows
without a readable time or user into a folder of their own. Only then the import decides whether they become part of the
table. A message id is the digest of the row's content, with the occurrence number from the second identical row of a
file on, since real logs repeat rows: importing a file again finds all its ids in the store and adds nothing.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from events import object_store, store
from events.delta.dictionary import COLUMN
from events.importing.bad_rows import REJECTED
from events.importing.import_report import BadRow, ImportReport
from events.importing.number_users import add_numbered
from events.importing.numbers_ahead import Foretold, add_foretold, foretell
from events.importing.options import ImportOptions
from events.importing.parquet_files import Job, Progress, Staged, read_staged, settle
from events.importing.scratch import Scratch, ScratchError, scratch
from events.importing.signup import make_signups, without_signup
from events.importing.source_files import SourceFile, estimated_rows, lines_at_bytes, lines_of_records, open_source
from events.importing.sql import fields, stored_columns, users_of
from events.outbox import ownership
from events.store import Snapshot
from events.warehouse import identifier, literal
from reporting.words import say
from runs.refusals import Refused

APP_ID = "import"


class TooManyBadRows(Refused):
    """More bad rows than allowed; nothing was written."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__(say("{count} rows can't be read; nothing was written.", count=sum(report.bad.values())))
        self.report = report


def import_files(paths: Sequence[Path], options: ImportOptions, progress: Progress | None = None) -> ImportReport:
    """Import event files into the store, all or nothing.

    Args:
        paths: the files; an identical row of two files is one event, an identical row within a file is two.
        options: how their columns become events.
        progress: called with a step, the percentage done and the rows per second (0 where not known).

    Raises:
        Refused: for a file, column or option that can't be used, and `TooManyBadRows`; the store is unchanged.
    """
    started, show = time.monotonic(), progress or _silent
    ownership.check_to_write()
    with store.staging() as folder, scratch(folder) as connection:
        object_store.attach(store.url(), connection.execute)
        connection.execute(f"SET TimeZone = {literal(options.time_zone)}")
        sources = [
            open_source(path, connection, separator=options.separator, columns=options.columns, header=options.header)
            for path in paths
        ]
        job, received = Job(connection, options, show, folder), time.time_ns() // 1000
        numbers = _numbers(job, sources)
        staged = [_stage(job, source, number, received, numbers) for number, source in enumerate(sources)]
        report = _check(job, sources, [sum(file.rows for file in files if file.day is None) for files in staged])
        good = [file for files in staged for file in files if file.day is not None]
        report = replace(report, rows=report.rows + sum(file.rows for file in good))
        if options.max_bad is not None and sum(report.bad.values()) > options.max_bad:
            raise TooManyBadRows(report)
        report = _seen(job, report, good, "user_id" if numbers is None else COLUMN)
        snapshot = store.snapshot()
        known = snapshot.files()
        made: list[Staged] = []
        if options.signup:
            made = make_signups(job, options.signup, sources, good, [path for _, path in known], received)
        report = replace(report, without_signup=without_signup(job, good, made, [path for _, path in known]))
        connection.execute("SET TimeZone = 'UTC'")
        files = settle(job, [*good, *made], known)
        if not _add(job, files, good, snapshot, numbers):
            raise Refused("Another import wrote to the event store meanwhile; run this one again.")
    signups = sum(file.rows for file in made)
    imported = sum(file.rows for file in files) - signups
    already = sum(file.rows for file in good) - imported
    seconds = time.monotonic() - started
    return replace(report, imported=imported, already_there=already, signups=signups, seconds=seconds)


def _numbers(job: Job, sources: Sequence[SourceFile]) -> Foretold | None:
    """User numbers assigned ahead, if reading only the users is much cheaper than writing the rows twice."""
    if any(source.kind == "lines" for source in sources):
        return None
    try:
        return foretell(job, " UNION ALL ".join(users_of(source, job.options) for source in sources), app_id=APP_ID)
    except ScratchError:  # an unreadable file: `_stage` reports which
        return None


def _add(job: Job, files: Sequence[Staged], good: Sequence[Staged], since: Snapshot, numbers: Foretold | None) -> bool:
    """Commit the files; False when another import committed meanwhile."""
    kept = set(good)
    written = [file for file in files if file in kept]
    others = [file for file in files if file not in kept]
    if numbers is not None and add_foretold(job, numbers, written, others, since, app_id=APP_ID):
        return True
    return add_numbered(job, [str(file.path) for file in files], since, app_id=APP_ID)


def _seen(job: Job, report: ImportReport, files: Sequence[Staged], user: str) -> ImportReport:
    """The report with the number of users, counted by this column, and the time span of the good rows."""
    if not files:
        return report
    users = job.run(f"SELECT count(DISTINCT {identifier(user)}) FROM {read_staged(files)}", "compare")[0][0]
    oldest, newest = min(file.oldest for file in files), max(file.newest for file in files)
    return replace(report, users=users, oldest=oldest, newest=newest)


def _stage(job: Job, source: SourceFile, number: int, received: int, numbers: Foretold | None) -> list[Staged]:
    """Write one file's rows as Parquet, a folder per date; rows without a date are the bad ones."""
    sql = stored_columns(source, job.options, received_us=received)
    if numbers is not None:
        sql = numbers.numbered(sql)
        # DuckDB estimates a CSV file at a few dozen rows, and would hold them in memory instead of the users.
        job.connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
    try:
        return job.write(sql, f"source={number}", "read", estimated_rows(source))
    except ScratchError as error:
        raise Refused("{file}: the file can't be read ({why}).", file=source.path, why=_first_line(error)) from error
    finally:
        job.connection.execute("RESET disabled_optimizers")


def _check(job: Job, sources: Sequence[SourceFile], dateless: Sequence[int]) -> ImportReport:
    """Count the bad rows and find the lines of the first ones; only files that have some are read a second time."""
    bad, examples = Counter[str](), list[BadRow]()
    for source, found in zip(sources, dateless, strict=True):
        if found:
            counts, rows = _bad_rows(job, source)
            bad += counts
            examples += rows
        counts, rows = _rejected(job, source)
        bad += counts
        examples += rows
    order = {str(source.path): place for place, source in enumerate(sources)}
    examples.sort(key=lambda row: (order[row.file], row.line))
    shown = tuple(examples[: job.options.examples])
    return ImportReport(len(sources), bad.total(), 0, 0, dict(sorted(bad.items())), shown)


def _bad_rows(job: Job, source: SourceFile) -> tuple[Counter[str], list[BadRow]]:
    """The number of bad rows by reason, and the first of them with their lines, in the file's order."""
    job.run(
        f"CREATE OR REPLACE TEMP TABLE bad_rows AS SELECT * FROM (SELECT row_number() OVER () - 1 AS ordinal, bad, "
        f"shown FROM ({fields(source, job.options)})) WHERE bad IS NOT NULL AND bad <> 'blank'",
        "bad",
    )
    counts = job.connection.execute("SELECT bad, count(*) FROM bad_rows GROUP BY bad").fetchall()
    first = job.connection.execute(f"SELECT * FROM bad_rows ORDER BY ordinal LIMIT {job.options.examples}").fetchall()
    lines = lines_of_records(source, [row[0] for row in first])
    rows = [BadRow(str(source.path), lines.get(ordinal, 0), reason, shown) for ordinal, reason, shown in first]
    return Counter(dict(counts)), rows


def _rejected(job: Job, source: SourceFile) -> tuple[Counter[str], list[BadRow]]:
    """Records that the reader skipped; a record with several errors counts once."""
    if source.kind == "parquet" or not _has_rejects(job.connection):
        return Counter(), []
    records = (
        "SELECT line_byte_position AS byte, min(error_type) AS kind, min(csv_line) AS line FROM rejects "
        "JOIN reject_scans USING (scan_id, file_id) WHERE file_path = ? GROUP BY byte"
    )
    path, ask = str(source.path), job.connection.execute
    counts = Counter[str]()
    for kind, rows in ask(f"SELECT kind, count(*) FROM ({records}) GROUP BY kind", [path]).fetchall():
        counts[REJECTED.get(kind, "fields")] += rows
    first = ask(
        f"SELECT byte, kind, left(line, 200) FROM ({records}) ORDER BY byte LIMIT {job.options.examples}", [path]
    ).fetchall()
    lines = lines_at_bytes(source, [byte for byte, _, _ in first])
    return counts, [
        BadRow(path, lines[byte], REJECTED.get(kind, "fields"), str(text).strip()[:80]) for byte, kind, text in first
    ]


def _has_rejects(connection: Scratch) -> bool:
    return bool(connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'rejects'").fetchall())


def _silent(step: str, percent: float, rows_per_second: float) -> None:
    """A progress callback that does nothing."""


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
