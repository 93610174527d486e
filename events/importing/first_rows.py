"""Preview of a file: its first rows as they would be imported, and warnings.

It uses the import's own SQL, so rows are shown exactly as they will be stored.
"""

import codecs
import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from events.importing import text_reading
from events.importing.import_report import REJECTED, reason_words
from events.importing.mapping import Mapping, known_format, options_of
from events.importing.options import SIGNUP, WHITESPACE, ImportOptions, Signup, SignupFrom
from events.importing.parquet_files import read_parquet
from events.importing.source_files import Scratch, ScratchError, SourceFile, fields, open_source, scratch, signup_dates
from events.importing.text_reading import Reading, Sample, refuse_width
from events.warehouse.engine import identifier, literal
from runs.refusals import Refused

ROWS = 20
MOST_ROWS = 200_000  # of a Parquet file, which can't be cut after some megabytes
MOST_SHOWN = 40  # maximum number of property columns
TAIL_BYTES = 1_000_000
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Kept:
    """One row as it would be stored, or why it would be refused (`bad`, `shown`)."""

    user: str
    event: str
    time: datetime | None
    properties: tuple[tuple[str, str], ...]
    bad: str
    shown: str

    @property
    def reason(self) -> str:
        """Why it would be refused, in words; "" for a good row."""
        return reason_words(self.bad, self.shown) if self.bad else ""


@dataclass(frozen=True)
class Preview:
    """The first rows of a file as they would be stored.

    Attributes:
        rows: the first rows.
        count: rows that were examined.
        whole: whether they are all rows of the file.
        estimate: about how many rows the file has; None if that can't be estimated.
        refused: of `count`, by reason.
        users: different users among the good rows.
        oldest: time of the first good row.
        newest: time of the last one.
        signups: users for whom a signup event would be made.
        without: users without a signup: none in the file, to be made, or in the store.
        others: how many users get theirs at their first event, since they lack the chosen date or event.
        warnings: codes and figures.
    """

    rows: tuple[Kept, ...]
    count: int
    whole: bool
    estimate: int | None
    refused: dict[str, int]
    users: int
    oldest: datetime | None
    newest: datetime | None
    signups: int
    without: int
    others: int
    warnings: tuple[tuple[str, float], ...]

    @property
    def properties(self) -> tuple[str, ...]:
        """Names of the properties in the first rows, at most `MOST_SHOWN`: the columns of the preview."""
        return tuple(dict.fromkeys(name for row in self.rows for name, _ in row.properties))[:MOST_SHOWN]

    @property
    def table(self) -> tuple[tuple[Kept, tuple[str, ...]], ...]:
        """Each row with its values of `properties`."""
        return tuple((row, tuple(dict(row.properties).get(name, "") for name in self.properties)) for row in self.rows)

    @property
    def refused_rows(self) -> int:
        """Rows that would be refused."""
        return sum(self.refused.values())


@dataclass(frozen=True)
class Beginning:
    """The part of a file that is examined.

    Attributes:
        path: the file itself.
        head: its first bytes, unpacked; empty for Parquet.
        whole: `head` is the whole file.
        packed: by gzip.
    """

    path: Path
    head: bytes
    whole: bool
    packed: bool


def parquet_sample(path: Path) -> Sample:
    """Columns and first rows of a Parquet file.

    Raises:
        Refused: at "file", when it is none, or has too many columns.
    """
    with _engine() as (connection, _):
        try:
            header = connection.execute(f"SELECT * FROM read_parquet({literal(str(path))}) LIMIT 0").description or []
            columns = tuple(str(row[0]) for row in header)
            refuse_width(len(columns))
            texts = ", ".join(f"CAST({identifier(name)} AS VARCHAR)" for name in columns)
            rows = connection.execute(f"SELECT {texts} FROM read_parquet({literal(str(path))}) LIMIT 1000").fetchall()
        except (ScratchError, UnicodeDecodeError) as error:  # the second for a column's name
            raise Refused("The Parquet file is damaged or cut: save it again.", at="file") from error
    return Sample(columns, tuple(tuple(cell or None for cell in row) for row in rows))


def users_with_event(files: list[str], name: str, users: list[str]) -> int:
    """How many of these users have an event of this name in the store's files."""
    if not files or not users:
        return 0
    with _engine() as (connection, _):
        sql = (
            f"SELECT count(DISTINCT user_id) FROM {read_parquet(files)} WHERE event = {literal(name)} "
            "AND user_id IN (SELECT unnest(?))"
        )
        return int(connection.execute(sql, [users]).fetchall()[0][0])


def preview(
    beginning: Beginning,
    reading: Reading,
    sample: Sample,
    mapping: Mapping,
    now: datetime,
    *,
    signed_up: Callable[[list[str]], int] = lambda users: 0,
) -> Preview:
    """The first rows as this mapping would store them; the mapping must be valid.

    `signed_up` returns how many of some users have a signup event in the store.

    Raises:
        Refused: when the engine can't read the file this way.
    """
    options = options_of(mapping, reading, sample)
    with _engine() as (connection, folder):
        connection.execute(f"SET TimeZone = {literal(options.time_zone)}")
        try:
            source = _source(beginning, reading, options, connection, folder)
            connection.execute(f"CREATE TEMP TABLE kept AS {fields(source, options)}")
            rejected = _rejected(connection)
            signups, left = _signups(connection, source, options)
        except ScratchError as error:
            raise Refused("The file can't be read so: choose another separator or encoding.", at="separator") from error
        rows = connection.execute(
            "SELECT user_id, event, us, properties, bad, shown FROM kept WHERE bad IS DISTINCT FROM 'blank' "
            f"LIMIT {ROWS}"
        ).fetchall()
        counts = _counts(connection, rejected, now)
    whole = beginning.whole if reading.kind != "parquet" else counts["rows"] < MOST_ROWS
    made = Preview(
        rows=tuple(_kept(row) for row in rows),
        count=counts["rows"],
        whole=whole,
        estimate=counts["rows"] if whole else _estimate(beginning, counts["rows"]),
        refused=counts["bad"],
        users=counts["users"],
        oldest=_moment(counts["oldest"]),
        newest=_moment(counts["newest"]),
        signups=counts["users"] if options.signup and options.signup.others else signups,
        without=0,
        others=0,
        warnings=(),
    )
    if left:
        number = len(left) - signed_up(left)
        made = replace(made, others=number) if mapping.signup_others else replace(made, without=number)
    return replace(made, warnings=tuple(_warnings(made, counts, beginning, reading, sample, mapping)))


def ends_in_the_middle(beginning: Beginning, reading: Reading, columns: int) -> bool:
    """True when the last row of a text file is incomplete; False for packed files, which would have to be unpacked."""
    if reading.kind == "parquet" or beginning.packed:
        return False
    with beginning.path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_BYTES) // 2 * 2)
        tail = file.read()
    encoding = (
        "utf-16-le" if tail and reading.encoding == "utf-16" and beginning.head[:2] == codecs.BOM_UTF16_LE else ""
    )
    encoding = encoding or ("utf-16-be" if reading.encoding == "utf-16" else reading.encoding)
    text = tail.decode(encoding, errors="replace")
    if text.endswith(("\n", "\r")):
        return False
    last = text.replace("\r", "\n").rsplit("\n", 1)[-1]
    if reading.kind == "jsonl":
        try:
            return not isinstance(json.loads(last), dict)
        except (ValueError, RecursionError):
            return True
    if reading.separator == WHITESPACE:
        return len(last.split()) < columns
    try:
        cells = next(csv.reader(io.StringIO(last), delimiter=reading.separator), [])
    except csv.Error:
        return False
    return len(cells) < columns


@contextmanager
def _engine() -> Iterator[tuple[Scratch, Path]]:
    with (
        tempfile.TemporaryDirectory(prefix="insight-preview-") as folder,
        scratch(Path(folder), memory="256MB") as connection,
    ):
        connection.execute("SET threads = 1")  # a page, among other requests
        yield connection, Path(folder)


def _source(
    beginning: Beginning, reading: Reading, options: ImportOptions, connection: Scratch, folder: Path
) -> SourceFile:
    if reading.kind == "parquet":
        source = open_source(beginning.path, connection, separator=None, columns=None)
        return replace(source, relation=f"(SELECT * FROM {source.relation} LIMIT {MOST_ROWS})")
    path = folder / f"head.{reading.kind}"
    path.write_bytes(utf_8(beginning.head, reading.encoding))
    return open_source(path, connection, separator=options.separator, columns=options.columns, header=options.header)


def utf_8(data: bytes, encoding: str) -> bytes:
    """Convert to UTF-8. Undecodable bytes stay as they are, so that the reader refuses their row."""
    if encoding == "utf-8":
        return data
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    return codecs.getincrementaldecoder(encoding)(errors=errors).decode(data).encode("utf-8", "surrogateescape")


def _rejected(connection: Scratch) -> dict[str, int]:
    """Rows that the reader skipped, by kind of error."""
    if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'rejects'").fetchall():
        return {}
    records = "SELECT min(error_type) AS kind FROM rejects GROUP BY line_byte_position"
    return dict(connection.execute(f"SELECT kind, count(*) FROM ({records}) GROUP BY kind").fetchall())


def _counts(connection: Scratch, rejected: dict[str, int], now: datetime) -> dict[str, Any]:
    future = int(now.timestamp() * 1_000_000) + DAY_US
    bad = dict(
        connection.execute(
            "SELECT bad, count(*) FROM kept WHERE bad IS NOT NULL AND bad <> 'blank' GROUP BY bad"
        ).fetchall()
    )
    for kind, count in rejected.items():
        code = REJECTED.get(kind, "fields")
        bad[code] = bad.get(code, 0) + count
    good, users, oldest, newest, late = connection.execute(
        f"SELECT count(*), count(DISTINCT user_id), min(us), max(us), count(*) FILTER (us > {future}) FROM kept "
        "WHERE bad IS NULL"
    ).fetchall()[0]
    most = connection.execute(
        "SELECT count(*) AS rows FROM kept WHERE bad IS NULL GROUP BY user_id ORDER BY rows DESC LIMIT 1"
    ).fetchall()
    return {
        "rows": good + sum(bad.values()),
        "good": good,
        "bad": bad,
        "users": users,
        "oldest": oldest,
        "newest": newest,
        "late": late,
        "most": most[0][0] if most else 0,
    }


def _signups(connection: Scratch, source: SourceFile, options: ImportOptions) -> tuple[int, list[str]]:
    """Number of users for whom a signup would be made, and the users without one in this file; the store isn't queried.

    If no signup is made and the file holds none, signups come from elsewhere, and no user counts as lacking one.
    """
    signup = options.signup or Signup(SignupFrom.EVENT, event=SIGNUP)
    everybody = "SELECT user_id FROM kept WHERE bad IS NULL"
    rows = everybody
    if signup.source is SignupFrom.EVENT:
        rows += f" AND event = {literal(signup.event)}"
    if signup.source is SignupFrom.COLUMN:
        rows = signup_dates(source, options, signup.column, signup.time_format)
    number = int(connection.execute(f"SELECT count(DISTINCT user_id) FROM ({rows})").fetchall()[0][0])
    if not number:
        return 0, []
    left = connection.execute(f"SELECT user_id FROM ({everybody}) EXCEPT SELECT user_id FROM ({rows})").fetchall()
    return number if options.signup else 0, [user for (user,) in left]


def _warnings(
    made: Preview, counts: dict[str, Any], beginning: Beginning, reading: Reading, sample: Sample, mapping: Mapping
) -> Iterator[tuple[str, float]]:
    """Warnings, most serious first: code and figure."""
    rows, good = max(1, counts["rows"]), counts["good"]
    if not good:
        yield "nothing", 0
    if made.refused.get("missing_user", 0) >= 0.9 * rows:
        yield "no_user", made.refused["missing_user"] / rows
    elif good and made.refused_rows >= 0.1 * rows:
        yield "many_refused", made.refused_rows / rows
    if counts["late"]:
        yield "future", counts["late"]
    if made.newest and made.newest.year < 1990:
        yield "long_ago", made.newest.year
    if good >= ROWS and counts["most"] >= 0.5 * good:
        yield "one_user", counts["most"] / good
    elif good >= ROWS and made.users == good and not mapping.event and mapping.event_name != "signup":
        yield "row_each", good
    if text_reading.is_ambiguous(known_format(mapping, sample), sample.values(mapping.time)):
        yield "day_or_month", 0
    if ends_in_the_middle(beginning, reading, len(sample.columns)):
        yield "cut", 0


def _kept(row: tuple[Any, ...]) -> Kept:
    user, event, us, properties, bad, shown = row
    return Kept(user or "", event or "", _moment(us), _pairs(properties), bad or "", shown or "")


def _pairs(properties: str | None) -> tuple[tuple[str, str], ...]:
    try:
        decoded = json.loads(properties or "{}")
    except ValueError:
        return ()
    items = decoded.items() if isinstance(decoded, dict) else ()
    return tuple(
        (str(name), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in items
        if value is not None
    )


def _moment(us: int | None) -> datetime | None:
    try:
        return None if us is None else datetime.fromtimestamp(us / 1_000_000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _estimate(beginning: Beginning, rows: int) -> int | None:
    if beginning.packed or not beginning.head:
        return None
    return round(rows * beginning.path.stat().st_size / len(beginning.head))
