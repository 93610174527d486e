"""What people and programs write into the calendar: by hand, by CSV or over REST; changed and deleted later."""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from events.models import CalendarEntry
from reporting.words import Message
from runs.refusals import Refused

KINDS: tuple[str, ...] = tuple(CalendarEntry.Kind.values)
LONGEST = {"title": 120, "owner": 150, "link": 500, "note": 1_000, "reference": 200}
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 12, 31)
COLUMNS = ("kind", "title", "starts", "ends", "owner", "link", "note", "reference")
NEEDED = ("kind", "title", "starts")
MOST_ROWS = 5_000  # of one file
MOST_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Written:
    """One entry as it is written down.

    Attributes:
        kind: one of `KINDS`.
        title: what it was, in a few words.
        starts, ends: local dates of the site, both inclusive; `ends` None for a single day.
        owner: a team, or a person's account; "" for nobody.
        link: address where one reads more; "" for none.
        note: what else one should know.
        reference: its name in the system that it comes from, which makes a repeated call change it; "" for none.
    """

    kind: str
    title: str
    starts: date
    ends: date | None = None
    owner: str = ""
    link: str = ""
    note: str = ""
    reference: str = ""


def add(*, entry: Written, by: User | None) -> CalendarEntry:
    """Write an entry down.

    Raises:
        Refused: a field is wrong, or another entry has its reference.
    """
    clean = checked(entry)
    try:
        with transaction.atomic():
            return CalendarEntry.objects.create(created_by=by, **asdict(clean))
    except IntegrityError:
        raise _taken(clean.reference) from None


def put(*, entry: Written, by: User | None) -> tuple[CalendarEntry, bool]:
    """Write an entry down, or change the one that has its reference; whether it is new.

    Raises:
        Refused: a field is wrong.
    """
    clean = checked(entry)
    if not clean.reference:
        return add(entry=clean, by=by), True
    values = asdict(clean)
    row, made = CalendarEntry.objects.get_or_create(reference=clean.reference, defaults={**values, "created_by": by})
    return (row, True) if made else (change(row=row, entry=clean), False)


def change(*, row: CalendarEntry, entry: Written) -> CalendarEntry:
    """Put other values in the place of an entry's; where none differs, nothing is written.

    Raises:
        Refused: a field is wrong, or another entry has the reference.
    """
    clean = checked(entry)
    values = {name: value for name, value in asdict(clean).items() if getattr(row, name) != value}
    if not values:
        return row
    for name, value in values.items():
        setattr(row, name, value)
    try:
        with transaction.atomic():
            row.save(update_fields=[*values, "updated_at"])
    except IntegrityError:
        raise _taken(clean.reference) from None
    return row


def delete(*, row: CalendarEntry) -> None:
    """Take an entry out of the calendar; the audit log keeps what it said."""
    row.delete()


def checked(entry: Written) -> Written:
    """The entry with tidy texts.

    Raises:
        Refused: naming the field.
    """
    texts = {name: _tidy(getattr(entry, name)) for name in LONGEST}
    for name, most in LONGEST.items():
        if len(texts[name]) > most:
            raise Refused("It has at most {most} letters.", at=name, most=most)
    if entry.kind not in KINDS:
        raise Refused("“{kind}” is none of {kinds}.", at="kind", kind=entry.kind, kinds=", ".join(KINDS))
    if not texts["title"]:
        raise Refused("It needs a title.", at="title")
    for name, day in (("starts", entry.starts), ("ends", entry.ends)):
        if day is not None and not EARLIEST <= day <= LATEST:
            raise Refused("{day} isn't between {first} and {last}.", at=name, day=day, first=EARLIEST, last=LATEST)
    if entry.ends is not None and entry.ends < entry.starts:
        raise Refused("It ends before it starts.", at="ends")
    if texts["link"] and not _is_address(texts["link"]):
        raise Refused("An address begins with https:// or http://.", at="link")
    return Written(kind=entry.kind, starts=entry.starts, ends=entry.ends, **texts)


def read_csv(content: bytes) -> list[Written]:
    """The entries of a CSV file with the columns of `COLUMNS`; `NEEDED` must be there, dates are YYYY-MM-DD.

    Raises:
        Refused: with the row and the column of what is wrong first.
    """
    if len(content) > MOST_BYTES:
        raise Refused("The file is larger than {most} MB.", most=MOST_BYTES // 2**20)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("The file isn't UTF-8 text.") from None
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise Refused("This isn't a CSV file ({why}).", why=error) from None
    header = [name.strip().lower() for name in rows[0]] if rows else []
    missing = [name for name in NEEDED if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    if missing or unknown or len(set(header)) < len(header):
        raise Refused(
            "The first line names the columns: {columns}; the first three must be there.", columns=", ".join(COLUMNS)
        )
    lines = [(number, row) for number, row in enumerate(rows[1:], 2) if any(cell.strip() for cell in row)]
    if len(lines) > MOST_ROWS:
        raise Refused("A file has at most {most} rows; this one has {n}.", most=MOST_ROWS, n=len(lines))
    return [_entry(number, header, row) for number, row in lines]


def import_all(*, entries: Iterable[Written], by: User | None) -> tuple[int, int]:
    """Write all of them down, or none: how many are new, and how many there were under their reference.

    Raises:
        Refused: a field of one is wrong.
    """
    with transaction.atomic():
        made = [put(entry=entry, by=by)[1] for entry in entries]
    return sum(made), len(made) - sum(made)


def _entry(number: int, header: list[str], row: list[str]) -> Written:
    if len(row) != len(header):
        raise Refused(
            "Line {n} has {found} columns; the first line has {wanted}.", n=number, found=len(row), wanted=len(header)
        )
    cells: dict[str, Any] = dict(zip(header, (cell.strip() for cell in row), strict=True))
    try:
        for name in ("starts", "ends"):
            cells[name] = _day(name, cells[name]) if cells.get(name) else None
        if cells["starts"] is None:
            raise Refused("It needs a date.", at="starts")
        return checked(Written(**{**cells, "kind": cells["kind"].lower()}))
    except Refused as refusal:
        raise Refused("Line {n}, {column}: {why}", n=number, column=refusal.at, why=refusal.message) from None


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused("“{text}” is no date such as 2026-03-31.", at=name, text=text[:40]) from None


def _tidy(text: str) -> str:
    return " ".join(text.replace("\x00", " ").split())


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _taken(reference: str) -> Refused:
    return Refused(Message("Another entry has the reference {reference}.", {"reference": reference}), at="reference")
