"""Files of events as DuckDB relations: how fields are read from CSV, TSV, whitespace, JSON Lines or Parquet.

Everything here builds SQL text and reads at most a header; `events.importing.import_file` runs it.
"""

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from events.importing.options import WHITESPACE
from events.importing.scratch import Scratch, ScratchError
from events.warehouse import identifier, literal
from runs.refusals import Refused

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
            "{file}: --separator is needed, since the ending '{ending}' doesn't tell (or 'whitespace').",
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
    wanted, found, ordinal = set(ordinals), dict[int, int](), -source.skipped
    width = len(source.columns or ())
    with open_text(source.path) as text:
        reader, line = csv.reader(text, delimiter=source.separator), 1
        for record in reader:
            if len(record) == width or ordinal < 0:
                if ordinal in wanted:
                    found[ordinal] = line
                ordinal += 1
            line = reader.line_num + 1
            if len(found) == len(wanted):
                break
    return found


def lines_at_bytes(source: SourceFile, positions: list[int]) -> dict[int, int]:
    """Map byte positions of the unpacked file to line numbers (from 1), reading it once."""
    found, count, here = dict[int, int](), 1, 0
    with _open_bytes(source.path) as data:
        for position in sorted(set(positions)):
            while here < position and (block := data.read(min(position - here, 1 << 20))):
                count += block.count(b"\n")
                here += len(block)
            found[position] = count
    return found


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
