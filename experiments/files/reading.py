"""Read the table of a finished experiment: CSV, TSV or Parquet, also compressed. Bad files get one clear sentence."""

import csv
import gzip
import io
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from experiments.plan.design import Codes, Covariate, Floats, Kind, Outcome
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


# Read columns of a file as numbers, codes and dummies. A refusal names the file, the column and the row.

MISSING_LABEL = "(missing)"
MAX_LEVELS = 1000
# Programs write these for "no value". "NA", "None" and "null" stay labels: they may be countries or variants.
NO_LABEL = ["", "NaN", "nan", "<NA>", "\\N", "#N/A"]
LARGEST_WHOLE = 2.0**53
# The square of a larger value exceeds the range of floating point numbers.
LARGEST_VALUE = 1e100
SMALLEST_VALUE = 1e-100
MAX_CATEGORIES = 100


@dataclass(frozen=True)
class Labels:
    """A text column: a code per row (-1 is a missing value) and the label of each code."""

    codes: Codes
    names: tuple[str, ...]


def raw_column(source: Source, name: str) -> pa.Array:
    """The column as one array, with text as plain strings."""
    column = source.table.column(name).combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string_view(column.type) or pa.types.is_large_string(column.type):
        column = pc.cast(column, pa.string())
    return column


def _text(column: pa.Array) -> pa.Array:
    """Labels as text; whole numbers without ".0", labels stripped of blanks."""
    if pa.types.is_floating(column.type):
        # pandas writes missing values in a column of numbers as NaN, which is no label.
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
        whole = pc.and_(pc.equal(column, pc.round(column)), pc.less(pc.abs(column), LARGEST_WHOLE))
        if pc.all(whole).as_py():
            column = pc.cast(column, pa.int64())
    text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    return pc.if_else(pc.is_in(text, pa.array(NO_LABEL)), pa.scalar(None, pa.string()), text)


def label_column(source: Source, name: str) -> Labels:
    """A column of labels as codes; code -1 is a missing value."""
    column = raw_column(source, name)
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        raise Refused(
            "{file}: column {column!r} holds {kind}, which can't be a label",
            file=source.name,
            column=name,
            kind=column.type,
        )
    encoded = _text(column).dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Labels(codes, tuple(encoded.dictionary.to_pylist()))


def numbers(source: Source, name: str, role: str) -> Floats:
    """The column as floats with NaN for missing; text, dates and infinity are refused with the row."""
    column = raw_column(source, name)
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        values: Floats = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
        large = np.flatnonzero(np.abs(values) > LARGEST_VALUE)
        if len(large):
            raise Refused(
                "{file}: row {row}, column {column!r} ({role}) holds {value:g}, which is too large to compute with",
                file=source.name,
                row=large[0] + source.first_row,
                column=name,
                role=role,
                value=values[large[0]],
            )
        values[np.abs(values) < SMALLEST_VALUE] = 0.0
        return values
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        row, value = _first_text(column)
        raise Refused(
            "{file}: column {column!r} ({role}) must hold numbers (0 and 1, or true and false, for a share), but row "
            "{row} holds {value!r}",
            file=source.name,
            column=name,
            role=role,
            row=row + source.first_row,
            value=value,
        )
    raise Refused(
        "{file}: column {column!r} ({role}) must hold numbers, but it holds {kind}",
        file=source.name,
        column=name,
        role=role,
        kind=kind,
    )


def _first_text(column: pa.Array) -> tuple[int, str]:
    for row, value in enumerate(column.to_pylist()):
        if value is None or not value.strip():
            continue
        try:
            float(value)
        except ValueError:
            return row, value
    return 0, str(column[0])


def outcome_column(source: Source, name: str, mask: NDArray[np.bool_]) -> Outcome:
    """An outcome of the kept rows: a share when every value is 0 or 1, else a mean."""
    values = numbers(source, name, "--outcome")[mask]
    present = values[~np.isnan(values)]
    share = len(present) > 0 and bool(np.isin(present, (0.0, 1.0)).all())
    return Outcome(name, Kind.PROPORTION if share else Kind.MEAN, values)


def behaviour_column(source: Source, name: str, option: str = "--behaviour") -> Floats:
    """0, 1 or NaN per row; any other value is refused with its row."""
    values = numbers(source, name, option)
    wrong = np.flatnonzero(~np.isnan(values) & ~np.isin(values, (0.0, 1.0)))
    if len(wrong):
        raise Refused(
            "{file}: column {column!r} ({role}) must be 0 or 1, but row {row} holds {value:g}",
            file=source.name,
            column=name,
            role=option,
            row=wrong[0] + source.first_row,
            value=values[wrong[0]],
        )
    return values


def segment_column(
    source: Source, name: str, mask: NDArray[np.bool_]
) -> tuple[Codes, tuple[str, ...], NDArray[np.bool_]]:
    """Segments in natural order; units without one form their own segment: excluding them would bias the result."""
    column = label_column(source, name)
    codes = column.codes[mask]
    used = sorted({int(code) for code in np.unique(codes)} - {-1}, key=lambda code: _natural(column.names[code]))
    if len(used) > MAX_LEVELS:
        raise Refused(
            "{file}: column {column!r} (--segment) has {count:,} different values; at most {most:,} segments make "
            "sense",
            file=source.name,
            column=name,
            count=len(used),
            most=MAX_LEVELS,
        )
    absent = codes < 0
    place = np.full(len(column.names) + 1, len(used), dtype=np.int64)
    for position, code in enumerate(used):
        place[code] = position
    names = [column.names[code] for code in used]
    return place[codes], tuple([*names, MISSING_LABEL] if absent.any() else names), absent


def _natural(label: str) -> tuple[int, float, str]:
    """Sort key: numbers by value, then text alphabetically."""
    try:
        value = float(label)
    except ValueError:
        return 1, 0.0, label
    return (1, 0.0, label) if math.isnan(value) else (0, value, label)


def covariate_matrix(
    source: Source, covariates: tuple[Covariate, ...], mask: NDArray[np.bool_]
) -> tuple[Floats, tuple[str, ...], dict[str, NDArray[np.bool_]]]:
    """Matrix of covariates. A missing value becomes the mean, with a dummy column that marks it; under random
    assignment this is valid (Zhao and Ding 2024), while excluding the units would change the population.
    """
    columns: list[Floats] = []
    names: list[str] = []
    holes: dict[str, NDArray[np.bool_]] = {}
    for covariate in covariates:
        kind = raw_column(source, covariate.name).type
        if covariate.category or pa.types.is_string(kind) or pa.types.is_large_string(kind):
            absent = _add_dummies(source, covariate.name, mask, columns, names)
        else:
            values = numbers(source, covariate.name, "--covariate")[mask]
            absent = np.isnan(values)
            if absent.all():
                raise Refused(
                    "{file}: column {column!r} (--covariate) has no values", file=source.name, column=covariate.name
                )
            columns.append(np.where(absent, values[~absent].mean(), values))
            names.append(covariate.name)
            if absent.any():
                columns.append(absent.astype(float))
                names.append(f"{covariate.name}={MISSING_LABEL}")
        if absent.any():
            holes[covariate.name] = absent
    matrix = np.column_stack(columns) if columns else np.empty((int(mask.sum()), 0))
    return matrix, tuple(names), holes


def _add_dummies(
    source: Source, name: str, mask: NDArray[np.bool_], columns: list[Floats], names: list[str]
) -> NDArray[np.bool_]:
    segment, labels, absent = segment_column(source, name, mask)
    if len(labels) > MAX_CATEGORIES:
        raise Refused(
            "{file}: column {column!r} (--covariate) has {count:,} different values; at most {most} can become dummies",
            file=source.name,
            column=name,
            count=len(labels),
            most=MAX_CATEGORIES,
        )
    for code, label in list(enumerate(labels))[1:]:
        columns.append((segment == code).astype(float))
        names.append(f"{name}={label}")
    return absent
