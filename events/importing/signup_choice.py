"""The user's choice of which event or date of a file counts as signup. Pure."""

from dataclasses import dataclass
from enum import StrEnum

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
