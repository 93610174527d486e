"""Import options: how the columns of a file become events, validated."""

from dataclasses import dataclass
from enum import StrEnum

from events.windows import Clock, DayMode
from runs.refusals import Refused

# The user's choice of which event or date of a file counts as signup. Pure.

SIGNUP = "signup"  # the name of the event that is made


class SignupFrom(StrEnum):
    """Where a user's signup comes from."""

    NONE = "none"
    FIRST = "first"
    COLUMN = "column"
    EVENT = "event"


@dataclass(frozen=True)
class Signup:
    """How the `signup` event of each user is made.

    Attributes:
        source: FIRST: the user's first event of the file; COLUMN: the earliest date in `column`; EVENT: the first
            event of the name `event`.
        column: with the date of the signup.
        time_format: of that column, as `ImportOptions.time_format`.
        event: name of the event that means a signup.
        others: users without that date or event get one at their first event of the file.
    """

    source: SignupFrom
    column: str = ""
    time_format: str = "iso"
    event: str = ""
    others: bool = False


WHITESPACE = "whitespace"  # the separator that stands for any run of blanks
# A number as JSON writes it, short enough to be restored exactly: `007` and a long id stay text.
NUMBER = r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?"


@dataclass(frozen=True)
class ImportOptions:
    """How the columns of a file become events.

    Attributes:
        user: column of the user id.
        time: column of the time.
        event: column of the event's name, or None with `event_name`.
        event_name: the name of all events of a file that holds one kind only.
        properties: columns that become properties; a single column that holds JSON objects is used as it is.
        types: ``number`` or ``flag`` of properties that are not text; a cell that is none stays the text that it is.
        message_id: column of an id that is unique per event; None makes ids from the content.
        time_format: ``iso``, ``unix_s``, ``unix_ms``, ``unix_us`` or a strptime pattern.
        time_zone: zone of times without one.
        separator: see `source_files.open_source`.
        columns: names of the columns of files without a header line.
        header: the files have one all the same, and `columns` replaces its names.
        max_bad: how many bad rows are left out before the import is refused; None for any number.
        examples: how many of them are named.
        signup: how signup events are made; None for none.
    """

    user: str
    time: str
    event: str | None = None
    event_name: str | None = None
    properties: tuple[str, ...] = ()
    types: tuple[tuple[str, str], ...] = ()
    message_id: str | None = None
    time_format: str = "iso"
    time_zone: str = "UTC"
    separator: str | None = None
    columns: tuple[str, ...] | None = None
    header: bool = False
    max_bad: int | None = 0
    examples: int = 10
    signup: Signup | None = None

    def __post_init__(self) -> None:
        if (self.event is None) == (self.event_name is None):
            raise Refused("Give either --event (a column) or --event-name (one name for all rows).")
        if self.max_bad is not None and self.max_bad < 0:
            raise Refused("--max-bad is 0 or more, not {given}.", given=self.max_bad)
        if self.time_format not in ("iso", "unix_s", "unix_ms", "unix_us") and "%" not in self.time_format:
            raise Refused(
                "--time-format is iso, unix_s, unix_ms, unix_us or a pattern such as %Y%m%d, not '{given}'.",
                given=self.time_format,
            )
        Clock(DayMode.CALENDAR, self.time_zone)  # refuses a zone that doesn't exist
