"""Guess how to read a file from its beginning: compression, kind, encoding, separator, header. Pure."""

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.importing.options import WHITESPACE
from runs.refusals import Refused

# Time formats of a column: guessed from its values, and shown by an example. Pure.

ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?(?P<zone>Z|UTC|[+-]\d{2}(:?\d{2})?))?)?", re.IGNORECASE
)
UNIX = {  # number of digits for moments between 1990 and 2100
    "unix_s": (631_152_000, 4_102_444_800),
    "unix_ms": (631_152_000_000, 4_102_444_800_000),
    "unix_us": (631_152_000_000_000, 4_102_444_800_000_000),
}
HOURS = ("", " %H:%M", " %H:%M:%S", " %p %I:%M", " %p %I:%M:%S")
DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y. %m. %d",
    "%Y. %m. %d.",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
)
PATTERNS = ("%Y%m%d", "%Y%m%d%H%M%S", *(date + hours for date in DATES for hours in HOURS))
FORMATS = ("iso", *UNIX, *PATTERNS)
ENOUGH = 0.9  # share of the values that a format must read
MOST_VALUES = 200  # strptime takes 10 microseconds, and there may be hundreds of columns
EXAMPLE = datetime(2026, 3, 31, 15, 5, 9)  # noqa: DTZ001 - shown as a wall clock


def format_of(values: Sequence[str]) -> str:
    """The format that reads nearly all of these values; "" when none does.

    A date such as 03/04/2026 is read day first, unless only month first reads all.
    """
    some = [value.strip() for value in values if value.strip()][:MOST_VALUES]
    if not some:
        return ""
    likely = [code for code in _likely(some[0]) if any(reads(code, value) for value in some[:3])]
    shares = {code: sum(reads(code, value) for value in some) / len(some) for code in likely}
    best = max(shares.values(), default=0.0)
    return next((code for code, share in shares.items() if share == best), "") if best >= ENOUGH else ""


def reads(code: str, value: str) -> bool:
    """True when a format reads a value."""
    if code == "iso":
        if not ISO.fullmatch(value):
            return False
        return _parses(value[:10], "%Y-%m-%d")
    if code in UNIX:
        low, high = UNIX[code]
        return bool(re.fullmatch(r"\d{9,17}(\.\d{1,9})?", value)) and low <= float(value) < high
    if "%p" in code:
        value = value.replace("오전", "AM").replace("오후", "PM")
    return _parses(value, code)


def has_zone(values: Sequence[str]) -> bool:
    """True when every ISO value says its time zone itself."""
    matches = [ISO.fullmatch(value.strip()) for value in values if value.strip()]
    return bool(matches) and all(match and match["zone"] for match in matches)


def needs_zone(code: str, values: Sequence[str]) -> bool:
    """True when the time zone of the values can't be determined from the data."""
    return code not in UNIX and not (code == "iso" and has_zone(values))


def is_ambiguous(code: str, values: Sequence[str]) -> bool:
    """True when day and month could be swapped."""
    swapped = code.translate(str.maketrans("dm", "md")) if code.startswith(("%d", "%m")) else ""
    some = [value.strip() for value in values if value.strip()][:MOST_VALUES]
    return bool(swapped) and all(reads(swapped, value) for value in some)


def example(code: str) -> str:
    """31 March 2026, 15:05:09, in one of `PATTERNS`."""
    return EXAMPLE.strftime(code)


def _likely(value: str) -> list[str]:
    """The formats that could match a value of this shape, the simplest first."""
    if value.isdigit() or re.fullmatch(r"\d+\.\d+", value):
        return ["%Y%m%d", "%Y%m%d%H%M%S", *UNIX] if value.isdigit() else [*UNIX, "%Y.%m.%d"]
    if not re.search(r"\d", value):
        return []
    return ["iso", *(code for code in PATTERNS if not code.startswith("%Y%m%d"))]


def _parses(value: str, pattern: str) -> bool:
    try:
        year = datetime.strptime(value, pattern).year  # noqa: DTZ007 - only its shape is asked for
    except ValueError:
        return False
    return 1900 <= year < 2200


ENCODINGS = ("utf-8", "utf-16", "cp949", "shift_jis", "cp1252")  # for UTF-16 the byte-order mark gives the order
SEPARATORS = (",", "\t", ";", "|", WHITESPACE)
MOST_COLUMNS = 500
LONGEST_LINE = 1_000_000  # bytes of the first line: beyond that the file is no table
SAMPLE_ROWS = 1_000
FEW_BROKEN = 0.001  # tolerated share of undecodable characters in a file whose encoding is recognised
CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\f\r")  # bytes that are rare in any text
HANGUL = re.compile(r"[가-힣]")
# Files that aren't text, by their first bytes.
OTHER_FILES = {
    b"PK\x03\x04": "zip",
    b"\xd0\xcf\x11\xe0": "excel",
    b"%PDF": "pdf",
    b"\x89PNG": "picture",
    b"\xff\xd8\xff": "picture",
    b"SQLite format 3": "database",
}


@dataclass(frozen=True)
class Reading:
    """How a file is read.

    Attributes:
        kind: ``csv`` (any separator), ``jsonl`` or ``parquet``.
        encoding: a codec's name.
        separator: one character or ``whitespace``; "" but for csv.
        header: the first line holds names.
    """

    kind: str
    encoding: str = "utf-8"
    separator: str = ""
    header: bool = True


@dataclass(frozen=True)
class Sample:
    """The columns of a file and its first rows, as text; None for an empty cell.

    `renamed` means that the header's names could not be used: one is empty or repeated.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    renamed: bool = False

    def values(self, column: str) -> list[str]:
        """The cells of a column that aren't empty."""
        place = self.columns.index(column)
        return [value for row in self.rows if (value := row[place])]


def guess_reading(head: bytes) -> Reading:
    """Guess how to read a file from its beginning.

    Raises:
        Refused: at "file", for a file without rows, with advice.
    """
    if not head.strip():
        raise Refused("The file is empty: choose one with at least one row.", at="file")
    if head.startswith(b"PAR1"):
        return Reading("parquet")
    _refuse_other_files(head)
    encoding = _encoding(head)
    text = decoded(head, encoding)
    _refuse_odd_text(text)
    first = text.lstrip()[:1]
    if first == "{":
        return Reading("jsonl", encoding)
    if first == "[":
        raise Refused(
            "This is one JSON list. Write one object a line instead (JSON Lines), or save the list as CSV.", at="file"
        )
    separator = _separator(text.splitlines()[:200])
    return Reading("csv", encoding, separator, _has_header(rows_of(text, separator)))


def sample_of(head: bytes, reading: Reading) -> Sample:
    """Columns and first rows of a text file, from its beginning.

    Raises:
        Refused: at "encoding" or "file", when it can't be read so.
    """
    text = decoded(head, reading.encoding)
    _refuse_odd_text(text)
    if reading.kind == "jsonl":
        return _sample_of_objects(text)
    rows = rows_of(text, reading.separator)
    if not rows:
        raise Refused("The file is empty: choose one with at least one row.", at="file")
    width = max(len(row) for row in rows[:1]) if reading.header else Counter(map(len, rows)).most_common(1)[0][0]
    refuse_width(width)
    given = [cell.strip() for cell in rows[0]] if reading.header else [""] * width
    names = _distinct(given)
    body = rows[1:] if reading.header else rows
    cells = tuple(tuple(cell or None for cell in row) for row in body if len(row) == width)
    return Sample(names, cells, renamed=reading.header and names != tuple(rows[0]))


def decoded(head: bytes, encoding: str) -> str:
    """The beginning of a file as text, without a character cut off at the end.

    Raises:
        Refused: at "encoding", when nearly nothing can be decoded.
    """
    try:
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        text = decoder.decode(head)
    except (LookupError, UnicodeError) as error:
        raise Refused("The file can't be read in this encoding: choose another one.", at="encoding") from error
    return text.removeprefix("\ufeff")


def rows_of(text: str, separator: str) -> list[list[str]]:
    """The first rows of a text, as the import reads them."""
    if separator == WHITESPACE:
        lines = text.splitlines()[: SAMPLE_ROWS + 1]
        return [cells for line in lines if (cells := line.split())]
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            if row:
                rows.append(row)
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error:  # a cell of more than 131,072 characters: the rows before it are enough
        pass
    return rows


def _refuse_other_files(head: bytes) -> None:
    kind = next((kind for start, kind in OTHER_FILES.items() if head.startswith(start)), "")
    if kind == "excel" or (kind == "zip" and b"xl/" in head[:65_536]):
        raise Refused(
            "This is an Excel workbook. Save it in Excel as “CSV UTF-8 (comma delimited)” and upload that file.",
            at="file",
        )
    if kind == "zip":
        raise Refused("This is a zip archive: unpack it and upload the file inside.", at="file")
    utf_16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    odd = sum(byte in CONTROLS for byte in head[:4096])
    if kind or (not utf_16 and odd > 3 + len(head[:4096]) / 100):
        raise Refused("This is no table of text: choose a file of CSV, TSV, JSON Lines or Parquet.", at="file")


def _refuse_odd_text(text: str) -> None:
    first = text.split("\n", 1)[0]
    if len(first) > LONGEST_LINE:
        raise Refused(
            "The first line has more than a million characters, so this is no table with a row a line.", at="file"
        )


def refuse_width(columns: int) -> None:
    """Refuse, at "file", a table with too many columns for the form."""
    if columns > MOST_COLUMNS:
        raise Refused(
            "The file has {count} columns; at most {most} can be read. Save a copy with the user, the time, the event "
            "and the columns that you need.",
            count=f"{columns:,}",
            most=MOST_COLUMNS,
            at="file",
        )


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if _fits(head, "utf-8"):
        return "utf-8"
    if _share_broken(head, "utf-8") < FEW_BROKEN:
        return "utf-8"
    korean = _share_broken(head, "cp949") < FEW_BROKEN and HANGUL.search(decoded(head, "cp949"))
    return "cp949" if korean else "cp1252"


def _fits(head: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeError:
        return False
    return True


def _share_broken(head: bytes, encoding: str) -> float:
    """Share of characters that an encoding can't decode: a few broken rows don't rule the encoding out."""
    text = decoded(head, encoding)
    return text.count("\ufffd") / max(1, len(text))


def _separator(lines: Sequence[str]) -> str:
    """The separator that gives nearly all lines the same number of fields, two or more."""
    text = "\n".join(lines)
    for separator in SEPARATORS:
        widths = Counter(len(row) for row in rows_of(text, separator))
        width, count = max(widths.items(), key=lambda item: item[1], default=(0, 0))
        if width > 1 and count >= 0.8 * sum(widths.values()):
            return separator
    return ","


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """True unless a cell of the first line is a number or a time, or is empty in all rows."""
    cells = [cell.strip() for cell in rows[0]] if rows else []
    return not any(re.fullmatch(r"[+-]?\d+([.,]\d+)?", cell) or format_of([cell]) for cell in cells)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Unique column names: an empty one is named by its position, a repeated one gets a number."""
    made: list[str] = []
    for place, given in enumerate(names, start=1):
        name, number = given or f"column {place}", 2
        while name in made:
            name, number = f"{given or f'column {place}'} ({number})", number + 1
        made.append(name)
    return tuple(made)


def _sample_of_objects(text: str) -> Sample:
    objects: list[dict[str, object]] = []
    for line in text.split("\n")[:SAMPLE_ROWS]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            objects.append(value)
    columns = tuple(dict.fromkeys(name for row in objects for name in row))
    if not columns:
        raise Refused("No line of the file is a JSON object with a field: choose another file.", at="file")
    refuse_width(len(columns))
    return Sample(columns, tuple(tuple(_cell(row.get(name)) for name in columns) for row in objects))


def _cell(value: object) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
