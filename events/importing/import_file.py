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

from events.importing.import_report import REJECTED, BadRow, ImportReport
from events.importing.numbering import Foretold, add_foretold, add_numbered, foretell
from events.importing.options import SIGNUP, ImportOptions, Signup, SignupFrom
from events.importing.parquet_files import Job, Progress, Staged, read_parquet, read_staged, settle
from events.importing.source_files import (
    CONTENT,
    Scratch,
    ScratchError,
    SourceFile,
    estimated_rows,
    fields,
    lines_at_bytes,
    lines_of_records,
    open_source,
    scratch,
    signup_dates,
    stored_columns,
    users_of,
)
from events.store import event_table, object_store, ownership
from events.store.dictionary import COLUMN
from events.store.event_table import Snapshot
from events.warehouse.engine import identifier, literal
from reporting.words import say
from runs.refusals import Refused

# The signup events that an import makes: one for each user of the files, unless they have signed up before.
#
# Retention counts days from the signup, and many logs hold none. The property `made_from` of such an event names the
# source of its time, so that it isn't mistaken for a sent one.

STEP = "signup"


def make_signups(
    job: Job,
    signup: Signup,
    sources: Sequence[SourceFile],
    files: Sequence[Staged],
    known: Sequence[str],
    received: int,
) -> list[Staged]:
    """Write one signup event for each user of the files, unless the files or the store have an earlier one.

    Args:
        job: the import.
        signup: source of the time.
        sources: the files, for a column with signup dates.
        files: their good rows, written already.
        known: the paths of the store's files.
        received: the import's moment, microseconds since 1970.
    """
    if not files:
        return []
    moments = _moments(job, signup, sources, files)
    sql = f"""SELECT user_id, event, make_timestamptz(us) AS "time", properties, md5({CONTENT}) AS message_id,
        make_timestamptz({received}) AS received_at, CAST(make_timestamp(us) AS DATE) AS event_date
        FROM (SELECT user_id, {literal(SIGNUP)} AS event, us, '{{"made_from":"' || source || '"}}' AS properties
        FROM ({moments}) AS made WHERE NOT EXISTS (
            SELECT 1 FROM ({_earlier(files, known)}) AS earlier
            WHERE earlier.user_id = made.user_id AND earlier.us <= made.us))"""
    return job.write(sql, f"source={len(sources)}", STEP)


def without_signup(job: Job, files: Sequence[Staged], made: Sequence[Staged], known: Sequence[str]) -> int:
    """Number of users of the files without a signup event in the files, among those just made, or in the store.

    Studies that begin with a signup leave them out. 0 if the files have no signups at all: they come from elsewhere
    then.
    """
    if not files:
        return 0
    users = f"SELECT DISTINCT user_id FROM {read_staged(files)}"
    here = f"SELECT user_id FROM {read_staged([*files, *made])} WHERE event = {literal(SIGNUP)}"
    left = f"{users} EXCEPT {here}"
    signed, without = job.run(f"SELECT count(DISTINCT user_id), (SELECT count(*) FROM ({left})) FROM ({here})", STEP)[0]
    if signed and without and known:
        left += f" EXCEPT SELECT user_id FROM {read_parquet(known)} WHERE event = {literal(SIGNUP)}"
        without = job.run(f"SELECT count(*) FROM ({left})", STEP)[0][0]
    return int(without) if signed else 0


def _moments(job: Job, signup: Signup, sources: Sequence[SourceFile], files: Sequence[Staged]) -> str:
    """SQL for ``user_id, us, source``: one row per user."""
    first = f'SELECT user_id, min(epoch_us("time")) AS us FROM {read_staged(files)}'
    if signup.source is SignupFrom.COLUMN:
        rows = " UNION ALL ".join(
            signup_dates(source, job.options, signup.column, signup.time_format) for source in sources
        )
        chosen = f"SELECT user_id, min(us) AS us FROM ({rows}) GROUP BY user_id"
    else:
        where = f"WHERE event = {literal(signup.event)}" if signup.source is SignupFrom.EVENT else ""
        chosen = f"{first} {where} GROUP BY user_id"
    query = f"SELECT user_id, us, {literal(signup.source)} AS source FROM ({chosen})"
    if signup.others:
        others = f"SELECT user_id, us, {literal(SignupFrom.FIRST)} AS source FROM ({first} GROUP BY user_id)"
        query += f" UNION ALL {others} WHERE user_id NOT IN (SELECT user_id FROM ({chosen}))"
    return query


def _earlier(files: Sequence[Staged], known: Sequence[str]) -> str:
    """SQL for ``user_id, us``: each user's first signup in the files or the store."""
    # Two reads: the folders of a running import have one level more than those of the store.
    readings = [read_staged(files), *([read_parquet(known)] if known else [])]
    rows = " UNION ALL ".join(
        f'SELECT user_id, "time" FROM {reading} WHERE event = {literal(SIGNUP)}' for reading in readings
    )
    return f'SELECT user_id, epoch_us(min("time")) AS us FROM ({rows}) GROUP BY user_id'


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
    with event_table.staging() as folder, scratch(folder) as connection:
        object_store.attach(event_table.url(), connection.execute)
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
        snapshot = event_table.snapshot()
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
    good_files = set(good)
    written = [file for file in files if file in good_files]
    others = [file for file in files if file not in good_files]
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
    for source, number in zip(sources, dateless, strict=True):
        if number:
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
