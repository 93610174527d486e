"""The report of an import: printed by the command and stored with the run. Pure."""

from dataclasses import dataclass, field

from runs.payloads import Document, Schema, Unreadable


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
    """What an import did. rows = imported + already_there + bad.

    Attributes:
        files: how many were read.
        rows: of the files.
        imported: rows that are new in the store.
        already_there: rows that the store had, or that share a given message id with another row.
        bad: refused rows by reason.
        examples: the first of them.
        seconds: that it took.
        signups: signup events that were made.
        users: of the files' good rows.
        oldest: the first good row's time, ISO 8601 in UTC; "" without one.
        newest: the last one's.
        without_signup: users of the files who have no signup event though others have; no study counts them. None
            in imports of version 0.4 and before, which didn't count them.
    """

    files: int
    rows: int
    imported: int
    already_there: int
    bad: dict[str, int] = field(default_factory=dict)
    examples: tuple[BadRow, ...] = ()
    seconds: float = 0.0
    signups: int = 0
    users: int = 0
    oldest: str = ""
    newest: str = ""
    without_signup: int | None = None


IMPORT = Schema(ImportReport)


def read_import(payload: Document) -> ImportReport | Unreadable:
    """The report of a finished import, from its stored payload."""
    return IMPORT.read(payload)
