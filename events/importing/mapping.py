"""The mapping of a file's columns: confirmed by a person, validated, and converted to options. Pure."""

from dataclasses import dataclass

from events.importing import time_formats
from events.importing.options import ImportOptions
from events.importing.signup_choice import SIGNUP, Signup, SignupFrom
from events.importing.text_reading import Reading, Sample
from runs.refusals import Refused

MOST_REFUSED = 1_000  # refused rows reported by name


@dataclass(frozen=True)
class Mapping:
    """What the columns of a file mean.

    Attributes:
        user: column of the user id.
        time: column of the time.
        time_format: one of `time_formats.FORMATS`; "" detects it from the values.
        time_zone: of times without one.
        event: column of the event's name; "" with `event_name`.
        event_name: the name of all rows.
        properties: column and type (``text``, ``number``, ``flag``) of the properties.
        message_id: column of an id that is unique per event; "" makes ids from the row's content.
        signup: source of the signup events to be made.
        signup_column: with COLUMN.
        signup_event: with EVENT.
        signup_others: users who have none of these count from their first event.
    """

    user: str
    time: str
    time_format: str
    time_zone: str
    event: str = ""
    event_name: str = ""
    properties: tuple[tuple[str, str], ...] = ()
    message_id: str = ""
    signup: SignupFrom = SignupFrom.NONE
    signup_column: str = ""
    signup_event: str = ""
    signup_others: bool = False


def known_format(mapping: Mapping, sample: Sample) -> str:
    """The chosen or detected time format; "" when none reads the values."""
    return mapping.time_format or time_formats.format_of(sample.values(mapping.time))


def needs_zone(mapping: Mapping, sample: Sample) -> bool:
    """True when a person must give the time zone."""
    if known_format(mapping, sample) and time_formats.needs_zone(
        known_format(mapping, sample), sample.values(mapping.time)
    ):
        return True
    return mapping.signup is SignupFrom.COLUMN


def mistakes(mapping: Mapping, sample: Sample) -> list[Refused]:
    """Validation errors of a mapping, each at its field, with what to do."""
    found: list[Refused] = []
    if len(sample.columns) < 2:
        found.append(
            Refused(
                "The file has one column, but an event has at least a user and a time: choose another separator.",
                at="separator",
            )
        )
    if mapping.user == mapping.time:
        found.append(Refused("“{column}” is the time already: choose another column.", column=mapping.user, at="user"))
    if mapping.event and mapping.event in (mapping.user, mapping.time):
        found.append(
            Refused("“{column}” is used above already: choose another column.", column=mapping.event, at="event")
        )
    if not mapping.event and not mapping.event_name.strip():
        found.append(Refused("Give the event a name, for example “purchase”.", at="event_name"))
    if not known_format(mapping, sample):
        found.append(_no_format(mapping, sample))
    return found + _signup_mistakes(mapping, sample)


def options_of(mapping: Mapping, reading: Reading, sample: Sample) -> ImportOptions:
    """The import options for this mapping, which must be valid."""
    rename = reading.kind == "csv" and (sample.renamed or not reading.header)
    plain = reading.kind != "csv"  # JSON and Parquet have types of their own
    return ImportOptions(
        user=mapping.user,
        time=mapping.time,
        event=mapping.event or None,
        event_name=None if mapping.event else mapping.event_name.strip(),
        properties=tuple(name for name, _ in mapping.properties),
        types=() if plain else tuple((name, kind) for name, kind in mapping.properties if kind != "text"),
        message_id=mapping.message_id or None,
        time_format=known_format(mapping, sample),
        time_zone=mapping.time_zone,
        separator=reading.separator or None,
        columns=sample.columns if rename else None,
        header=rename and reading.header,
        max_bad=None,
        examples=MOST_REFUSED,
        signup=_signup(mapping, sample),
    )


def _no_format(mapping: Mapping, sample: Sample) -> Refused:
    shown = next(iter(sample.values(mapping.time)), "")
    if not shown:
        return Refused("“{column}” is empty: choose the column with the time.", column=mapping.time, at="time")
    if mapping.user != mapping.time and any(time_formats.format_of(sample.values(name)) for name in sample.columns):
        return Refused(
            "“{column}” holds no times (for example “{value}”): choose another column.",
            column=mapping.time,
            value=shown[:40],
            at="time",
        )
    return Refused(
        "The times can't be recognised (for example “{value}”): choose how they are written.",
        value=shown[:40],
        at="time_format",
    )


def _signup_mistakes(mapping: Mapping, sample: Sample) -> list[Refused]:
    if mapping.signup is SignupFrom.COLUMN and not _signup_format(mapping, sample):
        return [
            Refused("This column holds no dates: choose the column with the day of the signup.", at="signup_column")
        ]
    if mapping.signup is SignupFrom.EVENT and not mapping.event:
        return [Refused("All rows are one event here: choose another answer about the signup.", at="signup")]
    if mapping.signup is SignupFrom.EVENT and not mapping.signup_event:
        return [Refused("Choose the event that is the signup.", at="signup_event")]
    return []


def _signup_format(mapping: Mapping, sample: Sample) -> str:
    return time_formats.format_of(sample.values(mapping.signup_column)) if mapping.signup_column else ""


def _signup(mapping: Mapping, sample: Sample) -> Signup | None:
    others = mapping.signup_others
    if mapping.signup is SignupFrom.NONE or (mapping.signup is SignupFrom.EVENT and mapping.signup_event == SIGNUP):
        return Signup(SignupFrom.EVENT, event=SIGNUP, others=True) if others else None
    if mapping.signup is SignupFrom.COLUMN:
        return Signup(SignupFrom.COLUMN, mapping.signup_column, _signup_format(mapping, sample), others=others)
    if mapping.signup is SignupFrom.EVENT:
        return Signup(SignupFrom.EVENT, event=mapping.signup_event, others=others)
    return Signup(SignupFrom.FIRST)
