"""What an import did: the record that a command prints and a run stores, and the words for it. Pure."""

from dataclasses import dataclass, field

from reporting.numbers import percent
from reporting.words import gettext
from runs.payloads import Schema

# Messages of an import: why a row is refused, and which step is running. Pure.

# DuckDB's codes for the records that it skips.
REJECTED = {
    "MISSING COLUMNS": "fields",
    "TOO MANY COLUMNS": "fields",
    "UNQUOTED VALUE": "quotes",
    "INVALID ENCODING": "encoding",
    "LINE SIZE OVER MAXIMUM": "too_long",
}


def reason_words(reason: str, value: str = "") -> str:
    """Why a row is refused.

    Args:
        reason: code of a bad row.
        value: the text that can't be read, where the reason names it.
    """
    sentences = {
        "fields": gettext("the number of fields is wrong, or the line is no JSON object"),
        "quotes": gettext("a quotation mark is not closed"),
        "encoding": gettext("the text can't be read in this encoding"),
        "too_long": gettext("the line is too long"),
        "missing_user": gettext("there is no user id"),
        "missing_event": gettext("there is no event name"),
        "bad_text": gettext("the user id or the event name is longer than 256 characters, or holds a NUL character"),
        "reserved_event": gettext("the event's name is one that the event store itself uses"),
        "missing_time": gettext("there is no time"),
        "bad_time": gettext("the time can't be read: {value}") if value else gettext("the time can't be read"),
        "time_out_of_range": gettext("the time lies outside 1900 to 2199: {value}")
        if value
        else gettext("the time lies outside 1900 to 2199"),
        "missing_message_id": gettext("there is no message id"),
    }
    return sentences[reason].replace("{value}", value)


def step_words(step: str) -> str:
    """Label of an import's current step."""
    return {
        "read": gettext("reading the rows"),
        "bad": gettext("checking refused rows"),
        "signup": gettext("finding signups"),
        "compare": gettext("comparing with what is there"),
        "store": gettext("storing"),
    }[step]


# Texts of warnings about a file, each with advice. Pure.


def warning_words(code: str, figure: float) -> str:
    """The sentence of a warning from `events.importing.first_rows`."""
    sentences = {
        "nothing": gettext("No row could be stored so: read the reasons in the table and choose other columns."),
        "no_user": gettext("{share} of the rows have no user: is it the right column?"),
        "many_refused": gettext("{share} of the rows would be refused: read the reasons in the table."),
        "future": gettext("{count} rows lie in the future: check how the times are written, and the time zone."),
        "long_ago": gettext("All times lie before 1990: check how the times are written."),
        "one_user": gettext("One user makes {share} of the rows: a test account, or the wrong column?"),
        "row_each": gettext(
            "Each user has one row: if this is a table of users and no log of what they did, there is nothing to find "
            "in it but signups."
        ),
        "day_or_month": gettext("Day and month could be the other way round: check a date in the preview."),
        "cut": gettext("The file ends in the middle of a row, so it may be cut: compare its size with the original."),
    }
    return sentences[code].format(share=percent(figure, 0), count=f"{figure:,.0f}")


# The report of an import: printed by the command and stored with the run. Pure.


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
