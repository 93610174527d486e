"""Import of event files: checked as a whole, given message ids, and put into the store in one commit.

DuckDB does the work on whole columns, in bounded memory with a scratch file. A message id is made from the row's
content and its occurrence number among identical rows of its file, since real logs repeat rows: a repeated import finds
all its ids in the store and adds nothing.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from events import warehouse
from events.import_sources import Source, estimated_rows, line_at_byte, lines_of_records, open_source
from events.reasons import Refused
from events.warehouse import Scratch, ScratchError, literal
from events.windows import Clock, DayMode

Progress = Callable[[str, float, float], None]  # step, percentage done, rows per second (0: not known)
APP_ID = "import"
EXAMPLES = 10
EARLIEST, LATEST = -2_208_988_800_000_000, 7_258_118_400_000_000  # 1900-01-01 and 2200-01-01 in microseconds
# The lengths keep two rows apart whose fields only run together alike. `strlen` counts bytes, which costs nothing.
CONTENT = "concat(strlen(user_id), ':', user_id, strlen(event), ':', event, us, ':', properties)"
REJECTED = {
    "MISSING COLUMNS": "fields",
    "TOO MANY COLUMNS": "fields",
    "UNQUOTED VALUE": "quotes",
    "INVALID ENCODING": "encoding",
    "LINE SIZE OVER MAXIMUM": "too_long",
}


@dataclass(frozen=True)
class ImportOptions:
    """How the columns of a file become events.

    Attributes:
        user: column of the user id.
        time: column of the time.
        event: column of the event's name, or None with `event_name`.
        event_name: the name of all events of a file that holds one kind only.
        properties: columns that become properties; one column that holds JSON objects is taken as it is.
        message_id: column of an id that is unique per event; None makes ids from the content.
        time_format: ``iso``, ``unix_s``, ``unix_ms`` or a strptime pattern.
        time_zone: zone of times that carry none.
        separator: see `import_sources.open_source`.
        columns: names of the columns of files without a header line.
        max_bad: how many bad rows are left out before the import is refused.
    """

    user: str
    time: str
    event: str | None = None
    event_name: str | None = None
    properties: tuple[str, ...] = ()
    message_id: str | None = None
    time_format: str = "iso"
    time_zone: str = "UTC"
    separator: str | None = None
    columns: tuple[str, ...] | None = None
    max_bad: int = 0

    def __post_init__(self) -> None:
        if (self.event is None) == (self.event_name is None):
            raise Refused("Give either --event (a column) or --event-name (one name for all rows).")
        if self.max_bad < 0:
            raise Refused(f"--max-bad is 0 or more, not {self.max_bad}.")
        if self.time_format not in ("iso", "unix_s", "unix_ms") and "%" not in self.time_format:
            raise Refused(
                f"--time-format is iso, unix_s, unix_ms or a pattern such as %Y%m%d, not '{self.time_format}'."
            )
        Clock(DayMode.CALENDAR, self.time_zone)  # refuses a zone that doesn't exist


@dataclass(frozen=True)
class BadRow:
    """One row that can't be an event.

    Attributes:
        file: its file.
        line: line number from 1 (Parquet: row number from 1).
        reason: code, for example ``bad_time``.
        value: the offending text, shortened.
    """

    file: str
    line: int
    reason: str
    value: str


@dataclass(frozen=True)
class ImportReport:
    """What an import did. rows = imported + already_there + bad."""

    files: int
    rows: int
    imported: int
    already_there: int
    bad: dict[str, int] = field(default_factory=dict)
    examples: tuple[BadRow, ...] = ()
    seconds: float = 0.0


class TooManyBadRows(Refused):
    """More bad rows than allowed; nothing was written."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__(f"{sum(report.bad.values())} rows can't be read; nothing was written.")
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
    with tempfile.TemporaryDirectory(prefix="insight-import-") as folder, warehouse.scratch(Path(folder)) as connection:
        connection.execute(f"SET TimeZone = {literal(options.time_zone)}")
        sources = [
            open_source(path, connection, separator=options.separator, columns=options.columns) for path in paths
        ]
        for number, source in enumerate(sources):
            _stage(connection, source, options, number, show)
        report = _check(connection, sources)
        if sum(report.bad.values()) > options.max_bad:
            raise TooManyBadRows(report)
        imported = _store(connection, options, report.rows, len(sources), show)
    total = report.rows - sum(report.bad.values())
    return replace(report, imported=imported, already_there=total - imported, seconds=time.monotonic() - started)


def _stage(connection: Scratch, source: Source, options: ImportOptions, number: int, show: Progress) -> None:
    """Read one file into the scratch table ``staged_N``, in the file's order, each row with its reason if it is bad."""
    user = f"CAST({source.field(options.user)} AS VARCHAR)"
    event = (
        literal(str(options.event_name)) if options.event is None else f"CAST({source.field(options.event)} AS VARCHAR)"
    )
    moment = source.field(options.time)
    given = "NULL" if options.message_id is None else f"CAST({source.field(options.message_id)} AS VARCHAR)"
    blank = "line IS NULL OR trim(line, ' \t\r') = ''" if source.kind == "lines" else "false"
    nameless = f"WHEN {_empty('given')} THEN 'missing_message_id'" if options.message_id else ""
    bad = f"""CASE WHEN {blank} THEN 'blank' WHEN broken THEN 'fields'
        WHEN {_empty("user_id")} THEN 'missing_user'
        WHEN {_empty("event")} THEN 'missing_event'
        WHEN {_empty("raw_time")} THEN 'missing_time'
        WHEN us IS NULL THEN 'bad_time' WHEN us < {EARLIEST} OR us >= {LATEST} THEN 'time_out_of_range'
        {nameless} END"""
    shown = "CASE WHEN bad LIKE '%time%' THEN raw_time END"
    line = "line, " if source.kind == "lines" else ""

    def guarded(sql: str) -> str:  # a line of the wrong shape must not be asked for its fields
        return sql if source.broken == "false" else f"CASE WHEN NOT ({source.broken}) THEN {sql} END"

    properties = _properties(source, options.properties)
    sql = f"""CREATE TABLE staged_{number} AS
        SELECT user_id, event, us, properties, given, {bad} AS bad,
            CASE WHEN bad IS NOT NULL THEN left(coalesce({shown}, user_id, ''), 80)
            END AS shown, hash(user_id, event, us, properties) AS key
        FROM (SELECT {line}{source.broken} AS broken, {guarded(user)} AS user_id,
            {guarded(event)} AS event, CAST({guarded(moment)} AS VARCHAR) AS raw_time,
            {_microseconds(source, options, guarded(moment))} AS us,
            {guarded(properties)} AS properties, {guarded(given)} AS given FROM {source.relation})"""
    try:
        _run(connection, sql, f"reading {source.path.name}", show, estimated_rows(source))
    except ScratchError as error:
        raise Refused(f"{source.path}: the file can't be read ({_first_line(error)}).") from error


def _empty(name: str) -> str:
    """SQL that is true for a missing or blank text; the comparison spares nearly every row the costly `trim`."""
    return f"({name} IS NULL OR ({name} < '!' AND trim({name}) = ''))"


def _properties(source: Source, names: Sequence[str]) -> str:
    for name in names:
        source.require(name)
    if not names:
        return "'{}'"
    pairs = ", ".join(f"{literal(name)}, {source.json_field(name)}" for name in names)
    made = f"CAST(json_object({pairs}) AS VARCHAR)"
    if len(names) > 1:
        return made
    whole = f"CAST({source.json_field(names[0])} AS VARCHAR)"
    return f"CASE WHEN starts_with(ltrim({whole}), '{{') AND json_valid({whole}) THEN {whole} ELSE {made} END"


def _microseconds(source: Source, options: ImportOptions, moment: str) -> str:
    """SQL for microseconds since 1970 in UTC, null where the time can't be read."""
    kind, zone = source.types.get(options.time, "VARCHAR"), literal(options.time_zone)
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"epoch_us({moment})"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return _in_zone(f"CAST({moment} AS TIMESTAMP)", options.time_zone)
    text = f"trim(CAST({moment} AS VARCHAR))"
    if options.time_format in ("unix_s", "unix_ms"):
        factor = 1_000_000 if options.time_format == "unix_s" else 1_000
        return f"TRY_CAST(round(TRY_CAST({text} AS DECIMAL(24, 6)) * {factor}) AS BIGINT)"
    if options.time_format == "iso":
        # Casting to a zoned type honours the row's own offset; a plain TIMESTAMP would drop it without a word. The
        # first digit keeps out words such as 'infinity' and 'epoch'.
        return f"CASE WHEN {text} BETWEEN '0' AND ':' THEN epoch_us(TRY_CAST({text} AS TIMESTAMPTZ)) END"
    parsed = f"try_strptime({text}, {literal(options.time_format)})"
    if "%z" in options.time_format or "%Z" in options.time_format:
        return f"epoch_us({parsed})"
    return f"epoch_us({parsed})" if zone == "'UTC'" else _in_zone(parsed, options.time_zone)


def _in_zone(wall: str, zone: str) -> str:
    return f"epoch_us({wall})" if zone == "UTC" else f"epoch_us(timezone({literal(zone)}, {wall}))"


def _check(connection: Scratch, sources: Sequence[Source]) -> ImportReport:
    """Count the rows and the bad ones, and find the lines of the first bad ones."""
    rows, bad, examples = 0, dict[str, int](), list[BadRow]()
    for number, source in enumerate(sources):
        found = connection.execute(f"SELECT bad, count(*) FROM staged_{number} GROUP BY bad").fetchall()
        rows += sum(n for reason, n in found if reason != "blank")
        for reason, n in found:
            if reason not in (None, "blank"):
                bad[reason] = bad.get(reason, 0) + n
        if len(found) > 1 or (found and found[0][0] is not None):
            examples += _examples(connection, source, number)
        rejected = _rejected(connection, source)
        rows += len(rejected)
        for row in rejected:
            bad[row.reason] = bad.get(row.reason, 0) + 1
        examples += rejected[:EXAMPLES]
    examples.sort(key=lambda row: ([str(s.path) for s in sources].index(row.file), row.line))
    return ImportReport(len(sources), rows, 0, 0, dict(sorted(bad.items())), tuple(examples[:EXAMPLES]))


def _examples(connection: Scratch, source: Source, number: int) -> list[BadRow]:
    found = connection.execute(
        f"SELECT rowid, bad, shown FROM staged_{number} WHERE bad IS NOT NULL AND bad <> 'blank' "
        f"ORDER BY rowid LIMIT {EXAMPLES}"
    ).fetchall()
    lines = lines_of_records(source, [row[0] for row in found])
    return [BadRow(str(source.path), lines.get(ordinal, 0), reason, shown) for ordinal, reason, shown in found]


def _rejected(connection: Scratch, source: Source) -> list[BadRow]:
    """Records that the reader itself had to leave out; one record may have several errors and counts once."""
    if source.kind == "parquet" or not _has_rejects(connection):
        return []
    found = connection.execute(
        "SELECT line_byte_position, min(error_type), min(csv_line) FROM rejects JOIN reject_scans "
        "USING (scan_id, file_id) WHERE file_path = ? GROUP BY ALL ORDER BY line_byte_position",
        [str(source.path)],
    ).fetchall()
    rows = []
    for position, (byte, kind, text) in enumerate(found):
        line = line_at_byte(source, byte) if position < EXAMPLES else 0
        rows.append(BadRow(str(source.path), line, REJECTED.get(kind, "fields"), str(text).strip()[:80]))
    return rows


def _has_rejects(connection: Scratch) -> bool:
    return bool(connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'rejects'").fetchall())


def _store(connection: Scratch, options: ImportOptions, rows: int, files: int, show: Progress) -> int:
    """Give every good row its message id and commit those that the store doesn't have yet."""
    union = " UNION ALL ".join(
        f"SELECT {n} AS file, rowid AS ordinal, user_id, event, us, properties, given, key FROM staged_{n} "
        "WHERE bad IS NULL"
        for n in range(files)
    )
    connection.execute(f"CREATE VIEW good AS {union}")
    # `key` only finds rows that may be identical: two rows that share a hash by chance are numbered apart below.
    if options.message_id is None:
        _run(
            connection,
            "CREATE TABLE repeated AS SELECT file, key FROM good GROUP BY ALL HAVING count(*) > 1",
            "comparing rows",
            show,
            0,
        )
        named = f"""SELECT *, md5({CONTENT}) AS message_id FROM good ANTI JOIN repeated USING (file, key)
            UNION ALL SELECT *, concat(md5({CONTENT}), '-', row_number() OVER (
                PARTITION BY file, user_id, event, us, properties) - 1)
            FROM good SEMI JOIN repeated USING (file, key)"""
    else:
        named = "SELECT *, given AS message_id FROM good"
    connection.execute(f"CREATE VIEW named AS {named}")
    with warehouse.open_store() as target:
        dates = None
        if options.message_id is None:
            found = connection.execute("SELECT DISTINCT CAST(make_timestamp(us) AS DATE) FROM good").fetchall()
            dates = {row[0] for row in found}
        known = target.files(dates)
        fresh = "SELECT * FROM named"
        if files > 1 or options.message_id is not None:
            fresh += " QUALIFY row_number() OVER (PARTITION BY message_id ORDER BY file, ordinal) = 1"
        if known:
            listed = ", ".join(literal(path) for path in known)
            fresh = f"SELECT * FROM ({fresh}) ANTI JOIN read_parquet([{listed}]) AS stored USING (message_id)"
        return target.append(connection, fresh, APP_ID, lambda sql: _run(connection, sql, "storing", show, rows))


def _run(connection: Scratch, sql: str, step: str, show: Progress, rows: int) -> list[tuple[Any, ...]]:
    """Run one long statement in a thread, report its progress meanwhile, and give its rows."""
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(connection.execute, sql)
        while not job.done():
            percent = max(0.0, connection.query_progress())
            show(step, percent, percent / 100 * rows / (time.monotonic() - started))
            time.sleep(0.05)
        return job.result().fetchall()


def _silent(step: str, percent: float, rows_per_second: float) -> None:
    """No progress is shown."""


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
