"""Read the table of a finished experiment: CSV, TSV or Parquet, also compressed. Bad files get one clear sentence."""

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.csv as pa_csv

from runs.refusals import Refused

# Spreadsheets and data frames write these for "no value". Text columns keep them: "NA" may be North America.
NULLS = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "null", "NULL", "None", "\\N"]
HEADER_BYTES = 1 << 20
SEPARATORS = [",", "\t", ";", "|"]


@dataclass(frozen=True)
class Source:
    """A file's table, and the number of its first row in an editor.

    Attributes:
        name: the file's name as the person gave it.
        table: all columns; text stays text.
        first_row: number of the first data row as an editor shows it (2 below a header line).
    """

    name: str
    table: pa.Table
    first_row: int


def read_table(path: Path, *, text_columns: frozenset[str]) -> Source:
    """Read the file at ``path``.

    Args:
        path: a .csv, .tsv, .txt or .parquet file; .gz is unpacked.
        text_columns: case-folded names of labels and ids, which must not be read as numbers ("007" stays "007").

    Returns:
        The table. In the other columns, types (number, boolean, text) are inferred from the values.

    Raises:
        Refused: the file is missing, empty, not a table, or not in UTF-8 (or UTF-16 with a byte order mark).
    """
    if path.exists() and not path.is_file():
        raise Refused("{file}: this is not a file", file=path)
    if not path.is_file():
        raise Refused("{file}: there is no such file", file=path)
    if path.stat().st_size == 0:
        raise Refused("{file}: the file is empty", file=path)
    try:
        with _open(path) as stream:
            magic = stream.read(4)
        if not magic:
            raise Refused("{file}: the file is empty", file=path)
        if magic == b"PAR1":
            return Source(str(path), _read_parquet(path), 1)
        return Source(str(path), _read_text(path, magic, text_columns), 2)
    except (OSError, EOFError, zlib.error) as error:
        raise Refused(
            "{file}: the file is damaged or can't be read ({why})", file=path, why=_first_line(error)
        ) from None


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pa_parquet

    try:
        with _open(path) as stream:
            # Never read_table: it goes through a dataset, which aborts the process at exit beside deltalake.
            table = pa_parquet.ParquetFile(pa.BufferReader(stream.read())).read()
        table.validate(full=True)  # text that isn't UTF-8 is read without an error, which would occur later
        return table
    except (pa.ArrowException, UnicodeDecodeError) as error:  # UnicodeDecodeError: from a column's name
        raise Refused("{file}: the Parquet file can't be read ({why})", file=path, why=_first_line(error)) from None


def _read_text(path: Path, magic: bytes, text_columns: frozenset[str]) -> pa.Table:
    encoding = "utf-16" if magic[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    header, separator = _header(path, encoding)
    convert = pa_csv.ConvertOptions(
        null_values=NULLS,
        strings_can_be_null=False,
        column_types={name: pa.string() for name in header if name.strip().casefold() in text_columns},
    )
    try:
        with _open(path) as stream:
            table = pa_csv.read_csv(
                stream,
                read_options=pa_csv.ReadOptions(encoding=encoding, block_size=16 << 20),
                parse_options=pa_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
                convert_options=convert,
            )
            return table.rename_columns([name.strip() for name in table.column_names])
    except UnicodeDecodeError:
        raise _bad_encoding(path, encoding) from None
    except pa.ArrowException as error:
        text = _first_line(error)
        if "UTF8" in text or "UTF-8" in text or "utf" in text:
            raise _bad_encoding(path, encoding) from None
        raise Refused("{file}: {why}", file=path, why=text) from None


def _header(path: Path, encoding: str) -> tuple[list[str], str]:
    """Column names and the separator: comma, tab, semicolon or bar."""
    with _open(path) as stream:
        start = stream.read(HEADER_BYTES)
    try:
        # A letter cut at the end of the buffer isn't an error.
        errors = "strict" if len(start) < HEADER_BYTES else "ignore"
        text = start.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors=errors)
    except UnicodeDecodeError:
        raise _bad_encoding(path, encoding) from None
    if "\x00" in text:
        raise Refused("{file}: the file is neither text nor Parquet (it holds NUL bytes)", file=path)
    lines = [line for line in io.StringIO(text, newline=None) if line.strip()][:2]

    def split(separator: str, line: str) -> list[str]:
        return next(csv.reader([line], delimiter=separator), [])

    def fit(separator: str) -> tuple[bool, int]:
        """Score of a separator: whether header and first row have equally many columns, and how many."""
        sizes = [len(split(separator, line)) for line in lines] or [0]
        return len(set(sizes)) == 1, sizes[0]

    separator = "\t" if ".tsv" in path.suffixes else max(SEPARATORS, key=fit)
    return split(separator, lines[0]) if lines else [], separator


def _bad_encoding(path: Path, encoding: str) -> Refused:
    """The refusal, naming the first line that isn't in the expected encoding."""
    if encoding == "utf-8":
        with _open(path) as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    return Refused(
                        '{file}: line {line} isn\'t UTF-8 text; save the file as UTF-8 (in Excel: "CSV UTF-8") and '
                        "try again",
                        file=path,
                        line=number,
                    )
    return Refused("{file}: the file isn't valid {encoding} text", file=path, encoding=encoding.upper())


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
