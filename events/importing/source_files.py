"""Files of events as DuckDB relations of the import's own, and the SQL that turns their fields into events."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import duckdb

from events.importing.options import NUMBER, WHITESPACE, ImportOptions
from events.schema import RESERVED
from events.warehouse.engine import identifier, literal
from runs.refusals import Refused

# A DuckDB for the import, separate from the warehouse that answers queries.

Scratch = duckdb.DuckDBPyConnection
ScratchError = duckdb.Error


@contextmanager
def scratch(folder: Path, *, memory: str = "1GB") -> Iterator[Scratch]:
    """A DuckDB of its own for set-based work on files (the import): bounded memory, the rest spills into `folder`."""
    connection = duckdb.connect(
        str(folder / "scratch.duckdb"), config={"memory_limit": memory, "temp_directory": str(folder / "spill")}
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar_print = false")
        yield connection
    finally:
        connection.close()


# Files of events as DuckDB relations: how fields are read from CSV, TSV, whitespace, JSON Lines or Parquet.
#
# Everything here builds SQL text and reads at most a header; `events.importing.import_file` runs it.

SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON_LINES = (".jsonl", ".ndjson", ".json")
MAX_LINE = 10_000_000


@dataclass(frozen=True)
class SourceFile:
    """One file to import.

    Attributes:
        path: the file.
        kind: ``csv``, ``lines`` (whitespace or JSON Lines, one record per line) or ``parquet``.
        relation: SQL source (after FROM).
        columns: the names of its columns, or None if each line has its own (JSON Lines).
        types: DuckDB's type of each column that isn't text.
        skipped: lines before the first record.
        broken: SQL that is true where a line has the wrong shape.
    """

    path: Path
    kind: str
    relation: str
    columns: tuple[str, ...] | None
    types: dict[str, str]
    skipped: int = 0
    broken: str = "false"
    separator: str = ""

    def field(self, name: str) -> str:
        """SQL for the value of a column, with its own type (text for all but Parquet)."""
        self.require(name)
        if self.kind == "parquet":
            return identifier(name)
        if self.columns is None:
            return f"json_extract_string(line, {literal(_path(name))})"
        position = self.columns.index(name)
        return f"c{position}" if self.kind == "csv" else f"cells[{position + 1}]"

    def json_field(self, name: str) -> str:
        """SQL for the value of a column as a part of a JSON object."""
        if self.columns is None:
            return f"json_extract(line, {literal(_path(name))})"
        return self.field(name)

    def require(self, name: str) -> None:
        """Refuse a column that the file doesn't have."""
        if self.columns is not None and name not in self.columns:
            raise Refused(
                "{file}: there is no column '{column}'; the columns are {names}.",
                file=self.path,
                column=name,
                names=", ".join(self.columns),
            )


def open_source(
    path: Path, connection: Scratch, *, separator: str | None, columns: tuple[str, ...] | None, header: bool = False
) -> SourceFile:
    """Recognise a file by its ending and read its header.

    Args:
        path: the file; ``.gz`` may follow the ending of a text file.
        connection: used to read the columns of a Parquet file.
        separator: one character, ``\\t``, or ``whitespace`` for any run of blanks; None decides by the ending.
        columns: names of the columns of a file without a header line.
        header: it has one all the same, and `columns` replaces its names.
    """
    if not path.is_file():
        raise Refused("{file}: there is no such file.", file=path)
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending == ".parquet":
        return _parquet(path, connection)
    if ending in JSON_LINES:
        broken = "NOT json_valid(line) OR NOT starts_with(ltrim(line), '{')"
        return SourceFile(path, "lines", f"(SELECT line FROM {_lines(path, 0)})", None, {}, 0, broken)
    separator = {"\\t": "\t"}.get(separator or "", separator) or SEPARATORS.get(ending)
    if separator is None:
        raise Refused(
            "{file}: --separator is needed, since the ending '{ending}' doesn't say (or 'whitespace').",
            file=path,
            ending=ending,
        )
    if separator != WHITESPACE and len(separator) != 1:
        raise Refused(
            "--separator is one character, \\t or '{whitespace}', not '{given}'.",
            whitespace=WHITESPACE,
            given=separator,
        )
    skipped = 0 if columns and not header else 1
    names = columns or _header(path, separator)
    if len(set(names)) < len(names):
        raise Refused("{file}: two columns have the same name; name them all with --no-header --columns.", file=path)
    if separator == WHITESPACE:
        cells = (
            f"(SELECT line, regexp_split_to_array(trim(line, ' \t\r'), '\\s+') AS cells FROM {_lines(path, skipped)})"
        )
        return SourceFile(path, "lines", cells, names, {}, skipped, f"len(cells) <> {len(names)}")
    return SourceFile(path, "csv", _csv(path, separator, len(names), skipped), names, {}, skipped, "false", separator)


def open_text(path: Path) -> io.TextIOBase:
    """Open the file as text, unpacked, without a byte-order mark; undecodable bytes stay visible."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def lines_of_records(source: SourceFile, ordinals: list[int]) -> dict[int, int]:
    """Map record numbers (from 0) to line numbers (from 1); for Parquet to row numbers."""
    if source.kind != "csv":
        return {ordinal: ordinal + source.skipped + 1 for ordinal in ordinals}
    wanted, lines, ordinal = set(ordinals), dict[int, int](), -source.skipped
    width = len(source.columns or ())
    with open_text(source.path) as text:
        reader, line = csv.reader(text, delimiter=source.separator), 1
        for record in reader:
            if len(record) == width or ordinal < 0:
                if ordinal in wanted:
                    lines[ordinal] = line
                ordinal += 1
            line = reader.line_num + 1
            if len(lines) == len(wanted):
                break
    return lines


def lines_at_bytes(source: SourceFile, positions: list[int]) -> dict[int, int]:
    """Map byte positions of the unpacked file to line numbers (from 1), reading it once."""
    lines, count, here = dict[int, int](), 1, 0
    with _open_bytes(source.path) as data:
        for position in sorted(set(positions)):
            while here < position and (block := data.read(min(position - here, 1 << 20))):
                count += block.count(b"\n")
                here += len(block)
            lines[position] = count
    return lines


def estimated_rows(source: SourceFile) -> int:
    """Estimated number of records, from the length of the first lines; 0 if it can't be estimated."""
    if source.kind == "parquet" or source.path.suffix == ".gz":
        return 0
    with source.path.open("rb") as data:
        start = data.read(1 << 16)
    return source.path.stat().st_size * start.count(b"\n") // max(1, len(start))


def _open_bytes(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _header(path: Path, separator: str) -> tuple[str, ...]:
    try:
        with open_text(path) as text:
            first = text.readline(MAX_LINE)
            if separator == WHITESPACE:
                return tuple(first.split())
            return tuple(next(csv.reader([first], delimiter=separator), ()))
    except (OSError, EOFError, zlib.error) as error:
        raise Refused("{file}: the file can't be read ({why}).", file=path, why=error) from error
    except csv.Error as error:
        raise Refused("{file}: line 1 is no header ({why}).", file=path, why=error) from error


def _parquet(path: Path, connection: Scratch) -> SourceFile:
    relation = f"read_parquet({literal(str(path))})"
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except (ScratchError, UnicodeDecodeError) as error:  # the second for a column's name
        raise Refused("{file}: this is no Parquet file.", file=path) from error
    types = {str(row[0]): str(row[1]) for row in described}
    return SourceFile(path, "parquet", relation, tuple(types), types)


def _csv(path: Path, separator: str, width: int, skipped: int) -> str:
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(width))
    return (
        f"read_csv({literal(str(path))}, auto_detect = false, delim = {literal(separator)}, "
        f"quote = '\"', escape = '\"', header = {'true' if skipped else 'false'}, columns = {{{columns}}}, "
        f"store_rejects = true, rejects_limit = 0, "
        f"rejects_table = 'rejects', rejects_scan = 'reject_scans', max_line_size = {MAX_LINE})"
    )


def _lines(path: Path, skipped: int) -> str:
    """Read each line as one value: with a separator that no text contains, and no quotes."""
    return (
        f"read_csv({literal(str(path))}, auto_detect = false, delim = chr(1), quote = '', escape = '', header = false, "
        f"skip = {skipped}, columns = {{'line': 'VARCHAR'}}, store_rejects = true, rejects_limit = 0, "
        f"rejects_table = 'rejects', rejects_scan = 'reject_scans', max_line_size = {MAX_LINE})"
    )


def _path(name: str) -> str:
    if any(character in "\"'\\" for character in name):
        raise Refused(
            "The column name '{column}' has a quote or a backslash, which JSON Lines can't be asked for.", column=name
        )
    return f'$."{name}"'


# SQL text that turns one file's fields into events: user, name, moment, properties, message id, and errors.
#
# Nothing runs here; `events.importing.import_file` runs it. Names and texts enter through `literal` and `identifier`
# only.

UNIX = {"unix_s": 1_000_000, "unix_ms": 1_000, "unix_us": 1}
LONGEST_NAME = 256  # characters of a user id and an event name, as for events that are sent (`events.schema`)
EARLIEST, LATEST = -2_208_988_800_000_000, 7_258_118_400_000_000  # 1900-01-01 and 2200-01-01 in microseconds
# Length prefixes distinguish rows whose concatenated fields are equal. `strlen` counts bytes, which is cheap.
CONTENT = "concat(strlen(user_id), ':', user_id, strlen(event), ':', event, us, ':', properties)"


def fields(source: SourceFile, options: ImportOptions) -> str:
    """Rows of ``user_id, event, raw_time, us, properties, given, bad, shown``; `bad` is an error code, or null.

    `us` is the moment in microseconds since 1970, `given` the message id from the file, `shown` the offending text.
    """

    def guarded(sql: str) -> str:  # fields of a malformed line must not be read
        return sql if source.broken == "false" else f"CASE WHEN NOT ({source.broken}) THEN {sql} END"

    user = f"CAST({source.field(options.user)} AS VARCHAR)"
    event = literal(str(options.event_name))
    if options.event is not None:
        event = f"CAST({source.field(options.event)} AS VARCHAR)"
    given = "NULL" if options.message_id is None else f"CAST({source.field(options.message_id)} AS VARCHAR)"
    moment = source.field(options.time)
    line = "line, " if source.kind == "lines" else ""
    return f"""SELECT *, CASE WHEN bad IS NOT NULL THEN
            left(coalesce(CASE WHEN bad LIKE '%time%' THEN raw_time END, user_id, ''), 80) END AS shown
        FROM (SELECT *, {_bad(source, options)} AS bad
        FROM (SELECT {line}{source.broken} AS broken, {guarded(user)} AS user_id,
            {guarded(event)} AS event, CAST({guarded(moment)} AS VARCHAR) AS raw_time,
            {guarded(microseconds(source, options.time, options.time_format, options.time_zone))} AS us,
            {guarded(_properties(source, options))} AS properties,
            {guarded(given)} AS given FROM {source.relation}))"""


def users_of(source: SourceFile, options: ImportOptions) -> str:
    """Rows of ``user_id``, bad rows included; for files whose lines all have the same shape."""
    return f"SELECT CAST({source.field(options.user)} AS VARCHAR) AS user_id FROM {source.relation}"


def signup_dates(source: SourceFile, options: ImportOptions, column: str, time_format: str) -> str:
    """Rows of ``user_id, us``: the time in a column of each good row, in microseconds since 1970."""
    moment = microseconds(source, column, time_format, options.time_zone)
    moment = moment if source.broken == "false" else f"CASE WHEN NOT ({source.broken}) THEN {moment} END"
    user = f"CAST({source.field(options.user)} AS VARCHAR)"
    return f"""SELECT user_id, us FROM (SELECT {user} AS user_id, {moment} AS us FROM {source.relation})
        WHERE us >= {EARLIEST} AND us < {LATEST} AND NOT {_empty("user_id")}"""


def stored_columns(source: SourceFile, options: ImportOptions, *, received_us: int) -> str:
    """The columns of the store; a bad row has no `event_date`.

    The message id is the content's digest, the same for identical rows: `events.importing.import_file` numbers those
    later.
    """
    message_id = f"md5({CONTENT})" if options.message_id is None else "given"
    return f"""SELECT user_id, event, make_timestamptz(us) AS "time", properties, {message_id} AS message_id,
        make_timestamptz({received_us}) AS received_at,
        CASE WHEN bad IS NULL THEN CAST(make_timestamp(us) AS DATE) END AS event_date
        FROM ({fields(source, options)})"""


def _bad(source: SourceFile, options: ImportOptions) -> str:
    blank = "line IS NULL OR trim(line, ' \t\r') = ''" if source.kind == "lines" else "false"
    nameless = f"WHEN {_empty('given')} THEN 'missing_message_id'" if options.message_id else ""
    return f"""CASE WHEN {blank} THEN 'blank' WHEN broken THEN 'fields'
        WHEN {_empty("user_id")} THEN 'missing_user'
        WHEN {_empty("event")} THEN 'missing_event'
        WHEN {_unkept("user_id")} OR {_unkept("event")} THEN 'bad_text'
        WHEN event IN ({", ".join(map(literal, RESERVED))}) THEN 'reserved_event'
        WHEN {_empty("raw_time")} THEN 'missing_time'
        WHEN us IS NULL THEN 'bad_time' WHEN us < {EARLIEST} OR us >= {LATEST} THEN 'time_out_of_range'
        {nameless} END"""


def _empty(name: str) -> str:
    """SQL that is true for a missing or blank text; the comparison avoids the costly `trim` for nearly every row."""
    return f"({name} IS NULL OR ({name} < '!' AND trim({name}) = ''))"


def _unkept(name: str) -> str:
    """SQL that is true for a name that no table of users could store."""
    return f"(length({name}) > {LONGEST_NAME} OR contains({name}, chr(0)))"


def _properties(source: SourceFile, options: ImportOptions) -> str:
    names, types = options.properties, dict(options.types)
    for name in names:
        source.require(name)
    if not names:
        return "'{}'"
    pairs = ", ".join(f"{literal(name)}, {_typed(source.json_field(name), types.get(name, ''))}" for name in names)
    made = f"CAST(json_object({pairs}) AS VARCHAR)"
    if len(names) > 1:
        return made
    whole = f"CAST({source.json_field(names[0])} AS VARCHAR)"
    return f"CASE WHEN starts_with(ltrim({whole}), '{{') AND json_valid({whole}) THEN {whole} ELSE {made} END"


def _typed(value: str, kind: str) -> str:
    """SQL of a property's value as JSON of its type; a cell of another type stays text."""
    text = f"CAST({value} AS VARCHAR)"
    if kind == "number":
        return f"CASE WHEN regexp_full_match({text}, '{NUMBER}') THEN CAST({text} AS JSON) ELSE to_json({text}) END"
    if kind == "flag":
        return (
            f"CASE WHEN lower({text}) IN ('true', 'yes', 'y', 't', '1') THEN to_json(true) "
            f"WHEN lower({text}) IN ('false', 'no', 'n', 'f', '0') THEN to_json(false) ELSE to_json({text}) END"
        )
    return value


def microseconds(source: SourceFile, column: str, time_format: str, zone: str) -> str:
    """SQL for microseconds since 1970 in UTC, null where the time can't be read."""
    moment = source.field(column)
    kind = source.types.get(column, "VARCHAR")
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"epoch_us({moment})"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return _in_zone(f"CAST({moment} AS TIMESTAMP)", zone)
    text = f"CAST({moment} AS VARCHAR)"
    trimmed = f"trim({text})"
    if time_format in UNIX:
        factor = UNIX[time_format]
        return f"TRY_CAST(round(TRY_CAST({trimmed} AS DECIMAL(24, 6)) * {factor}) AS BIGINT)"
    if time_format == "iso":
        # Casting to a zoned type honours the row's own offset; a plain TIMESTAMP would drop it silently. The
        # first digit excludes words such as 'infinity' and 'epoch', and avoids the costly `trim` for nearly every row.
        return (
            "CASE "
            + " ".join(
                f"WHEN {value} BETWEEN '0' AND ':' THEN epoch_us(TRY_CAST({value} AS TIMESTAMPTZ))"
                for value in (text, trimmed)
            )
            + " END"
        )
    if "%p" in time_format:  # Excel's AM and PM in Korean
        trimmed = f"replace(replace({trimmed}, '오전', 'AM'), '오후', 'PM')"
    parsed = f"try_strptime({trimmed}, {literal(time_format)})"
    if "%z" in time_format or "%Z" in time_format:
        return f"epoch_us({parsed})"
    return _in_zone(parsed, zone)


def _in_zone(wall: str, zone: str) -> str:
    return f"epoch_us({wall})" if zone == "UTC" else f"epoch_us(timezone({literal(zone)}, {wall}))"
