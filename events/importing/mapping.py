"""What the columns of an uploaded file mean: guessed, confirmed by a person, checked, and as options. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from events.importing import text_reading
from events.importing.options import NUMBER, SIGNUP, ImportOptions, Signup, SignupFrom
from events.importing.text_reading import Reading, Sample
from runs.refusals import Refused

# The mapping of a file's columns: confirmed by a person, validated, and converted to options. Pure.

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
    return mapping.time_format or text_reading.format_of(sample.values(mapping.time))


def needs_zone(mapping: Mapping, sample: Sample) -> bool:
    """True when a person must give the time zone."""
    if known_format(mapping, sample) and text_reading.needs_zone(
        known_format(mapping, sample), sample.values(mapping.time)
    ):
        return True
    return mapping.signup is SignupFrom.COLUMN


def mistakes(mapping: Mapping, sample: Sample) -> list[Refused]:
    """Validation errors of a mapping, each at its field, with what to do."""
    errors: list[Refused] = []
    if len(sample.columns) < 2:
        errors.append(
            Refused(
                "The file has one column, but an event has at least a user and a time: choose another separator.",
                at="separator",
            )
        )
    if mapping.user == mapping.time:
        errors.append(Refused("“{column}” is the time already: choose another column.", column=mapping.user, at="user"))
    if mapping.event and mapping.event in (mapping.user, mapping.time):
        errors.append(
            Refused("“{column}” is used above already: choose another column.", column=mapping.event, at="event")
        )
    if not mapping.event and not mapping.event_name.strip():
        errors.append(Refused("Give the event a name, for example “purchase”.", at="event_name"))
    if not known_format(mapping, sample):
        errors.append(_no_format(mapping, sample))
    return errors + _signup_mistakes(mapping, sample)


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
    if mapping.user != mapping.time and any(text_reading.format_of(sample.values(name)) for name in sample.columns):
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
    return text_reading.format_of(sample.values(mapping.signup_column)) if mapping.signup_column else ""


def _signup(mapping: Mapping, sample: Sample) -> Signup | None:
    others = mapping.signup_others
    if mapping.signup is SignupFrom.NONE or (mapping.signup is SignupFrom.EVENT and mapping.signup_event == SIGNUP):
        return Signup(SignupFrom.EVENT, event=SIGNUP, others=True) if others else None
    if mapping.signup is SignupFrom.COLUMN:
        return Signup(SignupFrom.COLUMN, mapping.signup_column, _signup_format(mapping, sample), others=others)
    if mapping.signup is SignupFrom.EVENT:
        return Signup(SignupFrom.EVENT, event=mapping.signup_event, others=others)
    return Signup(SignupFrom.FIRST)


# Guess the meaning of a file's columns from their names and first values. Pure; a person corrects it.
#
# Names count more than values; values decide when no name matches: in a log with the columns `source`, `target` and
# `weight`, `weight` is the time because it holds Unix seconds, and the user is the first column that is left.

# Names in order: the first that a file has wins. Compared without case, blanks, dots, hyphens and underscores.
USERS = (
    "userid", "user", "uid", "userpseudoid", "distinctid", "playerid", "player", "memberid", "member", "customerid",
    "customer", "studentid", "accountid", "account", "subscriberid", "clientid", "visitorid", "deviceid", "anonymousid",
    "username", "email", "source", "sender", "from",
    "사용자id", "사용자", "유저id", "유저", "회원id",
    "회원번호", "회원", "고객id", "고객번호", "고객", "플레이어", "계정", "아이디",
)  # fmt: skip
TIMES = (
    "timestamp", "eventtime", "eventtimestamp", "time", "datetime", "date", "createdat", "occurredat", "ts",
    "servertime", "clienttime", "eventdate", "일시", "시간", "시각", "날짜", "이벤트시간", "발생시각",
)  # fmt: skip
EVENTS = (
    "event", "eventname", "eventtype", "action", "activity", "actiontype", "activitytype", "verb", "이벤트", "이벤트명",
    "행동", "액션", "활동",
)  # fmt: skip
IDS = ("messageid", "eventid", "insertid", "$insertid", "uuid", "eventuuid", "rowid", "메시지id", "이벤트id")
SIGNUPS = (
    "signup", "signedup", "signupevent", "register", "registered", "registration", "install", "installed", "firstopen",
    "join", "joined", "accountcreated", "usercreated", "가입", "회원가입", "설치", "등록",
)  # fmt: skip
SIGNUP_COLUMNS = re.compile(
    r"sign_?ed?_?up|regist|install|joined|join_?date|first_?open|user_?created|가입|설치일|등록일"
)
TIME_WORDS = re.compile(r"(?:^|_)(?:date|time|datetime|timestamp|ts|at|on|when|utc|kst|user|event|day)(?=_|$)")
FILE_WORDS = re.compile(r"(?:^|_)(?:master|raw|log|logs|data|dataset|export|events?|sample|final|copy|\d+)(?=_|$)")
MOST_EVENTS = 200  # distinct names: beyond that a column holds free text
FLAGS = ({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"})
NAMES_SOMEONE = re.compile(r"(?i)(^|[_ ])(id|target|to|receiver|recipient|code|zip|phone)$|[a-z]Id$|번호$|코드$")
OTHERWISE = "event"


@dataclass(frozen=True)
class Context:
    """What is known apart from the file's content.

    Attributes:
        file_name: on the person's disk.
        time_zone: the site's.
        have_signed_up: whether most of these users have a signup event in the store already, so that none has to be
            made.
    """

    file_name: str
    time_zone: str = "UTC"
    have_signed_up: Callable[[list[str]], bool] = lambda users: False


def guess_mapping(sample: Sample, context: Context) -> Mapping:
    """The initial mapping: always complete, so that a preview can be shown at once."""
    formats = {column: text_reading.format_of(sample.values(column)) for column in sample.columns}
    time = _time(sample, formats)
    user = _user(sample, time, formats)
    event = _event(sample, {time, user})
    message_id = _message_id(sample, {time, user, event})
    mapping = Mapping(
        user=user,
        time=time,
        time_format="",
        time_zone=context.time_zone,
        event=event,
        event_name="" if event else _event_name(sample, time, context.file_name),
        message_id=message_id,
        properties=tuple(
            (column, "text" if NAMES_SOMEONE.search(column) else kind_of(sample.values(column)))
            for column in sample.columns
            if column not in {user, time, event, message_id}
        ),
    )
    return _with_signup(mapping, sample, formats, context)


def kind_of(values: list[str]) -> str:
    """The type of a property: ``number``, ``flag`` or ``text``."""
    if not values:
        return "text"
    if {value.lower() for value in values} in FLAGS or {value.lower() for value in values} < {"true", "false"}:
        return "flag"
    return "number" if all(re.fullmatch(NUMBER, value) for value in values) else "text"


def event_names(sample: Sample, column: str) -> list[str]:
    """The values of an event column, the most frequent first."""
    counts: dict[str, int] = {}
    for value in sample.values(column):
        counts[value] = counts.get(value, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))[:MOST_EVENTS]


def is_signup(name: str) -> bool:
    """True when an event's name is a common one for signups."""
    return _plain(name) in SIGNUPS


def _with_signup(mapping: Mapping, sample: Sample, formats: dict[str, str], context: Context) -> Mapping:
    """The mapping with the source of signup events added."""
    if mapping.event:
        names = event_names(sample, mapping.event)
        event = next((name for name in names if name == SIGNUP), next(filter(is_signup, names), ""))
        if event:
            made = SignupFrom.NONE if event == SIGNUP else SignupFrom.EVENT
            return replace(mapping, signup=made, signup_event="" if event == SIGNUP else event)
    if mapping.event_name == SIGNUP:
        return mapping
    dates = [column for column in sample.columns if column != mapping.time and formats[column]]
    column = next((name for name in dates if SIGNUP_COLUMNS.search(name.lower())), "")
    if column:
        return replace(mapping, signup=SignupFrom.COLUMN, signup_column=column)
    known = context.have_signed_up(sorted(set(sample.values(mapping.user))))
    return mapping if known else replace(mapping, signup=SignupFrom.FIRST)


def _time(sample: Sample, formats: dict[str, str]) -> str:
    dated = [column for column in sample.columns if formats[column]]
    named = _named(dated, TIMES)
    if named:
        return named
    spoken = [column for column in dated if re.search(r"time|date|_at$|_ts$|일시|날짜|시각", column.lower())]
    others = [column for column in spoken if not SIGNUP_COLUMNS.search(column.lower())]
    # Of several, the one with most distinct values: a day of birth is the same on all rows of a user.
    candidates = others or spoken or dated
    if candidates:
        return max(candidates, key=lambda column: len(set(sample.values(column))))
    return _named(sample.columns, TIMES) or sample.columns[-1]


def _user(sample: Sample, time: str, formats: dict[str, str]) -> str:
    left = [column for column in sample.columns if column != time] or list(sample.columns)
    named = _named(left, USERS)
    if named:
        return named
    ids = [column for column in left if re.search(r"(user|player|member|customer).*id$|^id$", column.lower())]
    texts = [column for column in left if not formats[column]]
    return (ids or texts or left)[0]


def _event(sample: Sample, taken: set[str]) -> str:
    column = _named([column for column in sample.columns if column not in taken], EVENTS)
    different = len(set(sample.values(column))) if column else 0
    return column if 0 < different <= MOST_EVENTS else ""


def _message_id(sample: Sample, taken: set[str]) -> str:
    """A column that by its name identifies rows, and is unique in the sample.

    Plain numbers such as `purchase_id` don't qualify: ids of two files would collide in the store.
    """
    column = _named([column for column in sample.columns if column not in taken], IDS)
    values = sample.values(column) if column else []
    return column if values and len(set(values)) == len(sample.rows) else ""


def _event_name(sample: Sample, time: str, file_name: str) -> str:
    """One event name for all rows: from the time's column (`date_watched`), else from the file's name."""
    name = _trimmed(_snake(time), TIME_WORDS) if text_reading.format_of(sample.values(time)) else ""
    if re.search(r"time|date|_at$|_on$", _snake(time)) and len(name) > 2:
        return SIGNUP if SIGNUP_COLUMNS.search(name) else name
    stem = _snake(file_name.removesuffix(".gz").rsplit(".", 1)[0])
    return (_trimmed(stem, FILE_WORDS) or OTHERWISE)[:64]


def _named(columns: "tuple[str, ...] | list[str]", names: tuple[str, ...]) -> str:
    plain = {_plain(column): column for column in reversed(columns)}
    return next((plain[name] for name in names if name in plain), "")


def _plain(name: str) -> str:
    return re.sub(r"[\s._-]+", "", name).lower()


def _snake(name: str) -> str:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    return re.sub(r"\W+", "_", parted).strip("_").lower()


def _trimmed(name: str, words: re.Pattern[str]) -> str:
    return re.sub(r"_+", "_", words.sub("", name)).strip("_")
