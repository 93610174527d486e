"""The event record: validation and conversion of sent events, and error codes. Pure.

An event that can't be kept never fails its batch: `read_batch` returns a `Rejection` that the API reports and the
quarantine stores. The rules are those of docs/events.md; the codes are part of the contract.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import orjson

from reporting.words import say

# The JSON of a request: parsed by orjson, or by Python's own parser if orjson would change or refuse a value. Pure.
#
# orjson reads a batch in much less time, but refuses NaN, Infinity, lone surrogates and numbers beyond a double, and
# silently turns integers beyond 64 bits into floats. A body that may hold one of these is parsed the slow way, where
# the value makes only its own event fail.

BOM = b"\xef\xbb\xbf"
NUL = b"\\u0000"  # the only way to write it; after two backslashes it is other text, but is parsed the slow way too
ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
LONG = b"0" * 19  # 2**63 has 19 digits
BEYOND = re.compile(rb"9[0-9]{18}|[0-9]{20}")


@dataclass(frozen=True)
class Body:
    """A parsed body.

    Attributes:
        data: what it holds.
        plain: True when no text contains NUL or a lone surrogate, each number is finite, and integers fit 64 bits.
    """

    data: Any
    plain: bool


def read_body(body: bytes) -> Body:
    """Read a request's body.

    Raises:
        ValueError: when it is not JSON in UTF-8, or nested too deeply to be read at all.
    """
    # Two steps: searching a pattern at each byte of a body costs more than parsing it.
    long = LONG in body.translate(ZEROS) and BEYOND.search(body) is not None
    if not long and NUL not in body:
        try:
            return Body(orjson.loads(body.removeprefix(BOM)), plain=True)
        except orjson.JSONDecodeError:  # is it JSON at all?
            pass
    return Body(load_json(body), plain=False)


def load_json(body: bytes) -> Any:
    """Parse with Python's own parser. A number beyond JSON or 64 bits becomes NaN, which makes only its own event fail.

    Raises:
        ValueError: when it is not JSON in UTF-8, or nested too deeply to be read at all.
    """
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, parse_constant=lambda _: math.nan, parse_int=_parse_int)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def dumps(value: Any) -> str:
    """The shortest JSON text, with letters unescaped; for any value that `load_json` returns."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def dump_plain(value: Any) -> bytes:
    """Serialise a part of a plain body to UTF-8; `value` may be nested 250 levels deep.

    Raises:
        TypeError: when it is nested deeper.
    """
    return orjson.dumps(value)


def _parse_int(text: str) -> int | float:
    number = int(text) if len(text) <= 20 else 2**64
    return number if -(2**63) <= number < 2**63 else math.nan


# Identify who sent an event from the prefix of its message id. Pure.
#
# The prefix is always added by us, never by the sender, so no sender can forge another's id:
#
#     {source}:s:{id}    by a server or admin key of that source
#     {source}:c:{id}    by a client key, which anyone can read in a web page
#     {source}:{id}      written by 0.3 without the kind of key; treated as a server's
#     assignment:{id}    Insight's own: an exposure that our API logged
#     anything else      read from a file by `import_events`, which only an operator can run
#
# Since 0.5, ids of events sent or evaluated with a client key also contain a mark of the visitor's address in that
# hour (`events.people.visits`), before the id: ``{source}:c:~{mark}:{id}``, and ``assignment:~{mark}:{id}``. Repeats
# are recognised without the mark: a sender told to retry may have another address by then.

Kind = Literal["insight", "server", "client", "file"]

OWN = "assignment"
# For SQL: POSIX classes and no groups, so that every engine matches alike.
BY_CLIENT = "^[0-9]+:c:"
BY_VISITOR = "^assignment:~"  # our own, for an evaluation with a client key
_MARKED = re.compile("^([0-9]{1,18}:c|assignment):~([0-9a-f]{8}):")
LETTERS = {"client": "c", "server": "s", "admin": "s"}


@dataclass(frozen=True)
class Sender:
    """Who sent an event.

    Attributes:
        source: the row of `events.Source`; None where no key sent the event.
        kind: ``client`` for a public key, ``server`` for a secret one (or unknown, of 0.3), ``insight`` for our own
            events, ``file`` for what an operator imported.
    """

    source: int | None
    kind: Kind


def prefix_of(source: int, kind: str) -> str:
    """The message id prefix of a caller, without the colon that follows.

    Args:
        source: the row of `events.Source`.
        kind: of the key: ``client``, ``server`` or ``admin``.

    Raises:
        KeyError: for another kind.
    """
    return f"{source}:{LETTERS[kind]}"


def marked(mark: str) -> str:
    """The mark as it stands between the prefix with its colon and the sender's id; "" without a mark."""
    return f"~{mark}:" if mark else ""


def mark_of(message_id: str | None) -> str:
    """The visitor's mark in a stored message id; "" if it has none."""
    matched = _MARKED.match(message_id or "")
    return matched[2] if matched else ""


def unmarked(message_id: str) -> str:
    """A stored message id without the mark, as used to recognise repeats."""
    return _MARKED.sub(r"\1:", message_id, count=1)


def sender_of(message_id: str | None) -> Sender:
    """Who sent the event with this stored message id."""
    first, colon, rest = (message_id or "").partition(":")
    if first == OWN and colon:
        return Sender(None, "insight")
    if not colon or not re.fullmatch("[0-9]{1,18}", first):
        return Sender(None, "file")
    return Sender(int(first), "client" if rest.startswith("c:") else "server")


EVENT_BYTES = 32 * 1024
BATCH_BYTES = 500 * 1024
BATCH_EVENTS = 2_500
CONTEXT_BYTES = 8 * 1024
MAX_DEPTH = 64
MESSAGE_ID_CHARS = 99
NAME_CHARS = 256
SKEW_MIN = timedelta(seconds=5)
SKEW_MAX = timedelta(days=1)
HISTORY = timedelta(hours=48)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = ("track", "identify", "page", "screen", "group", "alias")
EXPOSURE = "Experiment Viewed"
EXPOSURE_EVENTS = (EXPOSURE, "experiment_viewed")
RESERVED = ("$user", "$joined")  # used by the dictionary of users (`events.store.dictionary`)
BAD_TEXT = re.compile(r"[\x00\ud800-\udfff]")  # PostgreSQL stores no NUL, and UTF-8 has no lone surrogates
ERRORS = {
    "not_an_object": say("an event must be a JSON object"),
    "unknown_type": say("type must be one of {names}", names=", ".join(KINDS)),
    "missing_identity": say("userId or anonymousId is required"),
    "missing_event_name": say("a track event needs a name in `event`"),
    "reserved_name": say("the event names {names} are the event store's own", names=", ".join(RESERVED)),
    "event_too_large": say(
        "an event may have at most {bytes} bytes and {levels} levels", bytes=EVENT_BYTES, levels=MAX_DEPTH
    ),
    "bad_message_id": say("messageId must be a string of 1 to {most} characters", most=MESSAGE_ID_CHARS),
    "bad_timestamp": say("timestamp must be an ISO 8601 date and time from 1970 on"),
    "too_old": say("a public key may not send an event from so long ago; send it with a server key, or import a file"),
    "bad_number": say("numbers must be finite, and integers must fit 64 bits"),
    "bad_text": say("text must be valid Unicode without NUL, and names and ids at most 256 characters"),
    "bad_exposure": say("an Experiment Viewed event needs experiment_id and variation_id"),
    "missing_field": say("alias needs previousId and group needs groupId"),
}


@dataclass(frozen=True)
class Caller:
    """The caller identified by the key; the site sets it as `request.caller`, apps only read it.

    Attributes:
        key_prefix: the first characters of the key, which may be logged; kind: ``client``, ``server`` or ``admin``.
        source_id: the row of `events.Source` that the caller's events belong to.
        scopes: what the key may do, for example ``{"events:write"}``.
        allowed_origins: browser origins that may use the key; empty for any.
        rate: calls a minute for each door, or None for the door's own default.
        log_exposures: whether evaluations with this key log exposures.
        preview: whether remote evaluation honours forced values; key_name: the key's name; made_by: account of its
            creator.
        key_id: its row.
    """

    key_prefix: str
    kind: str
    source_id: int
    scopes: frozenset[str]
    allowed_origins: tuple[str, ...] = ()
    rate: int | None = None
    log_exposures: bool = True
    preview: bool = False
    key_name: str = ""
    made_by: int | None = None
    key_id: int = 0

    def may(self, scope: str) -> bool:
        """True when the key has the scope itself or the wildcard of its family (``admin:*``)."""
        return scope in self.scopes or f"{scope.split(':')[0]}:*" in self.scopes


class EventRecord(NamedTuple):
    """One accepted event, in the columns of the store. A frozen dataclass would take three times as long to create.

    Attributes:
        user_id: the unit.
        event: the name; kinds other than track are called ``$page``, ``$identify`` and so on.
        time: when it happened, after the correction of the sender's clock, UTC.
        properties: JSON text.
        message_id: the sender's id, or None: then a repeat of the event can't be recognised.
        traits: of an identify event, else None.
        clamped: True when the event claimed to come from the future and was set to the time of arrival.
        earlier_id: the same person's earlier id: the anonymous id sent with a user's, or an alias's `previousId`.
        is_user: whether the event has a `userId`.
    """

    user_id: str
    event: str
    time: datetime
    properties: str
    message_id: str | None
    traits: dict[str, Any] | None = None
    clamped: bool = False
    earlier_id: str | None = None
    is_user: bool = True


@dataclass(frozen=True)
class Rejection:
    """One refused event: a code of `ERRORS`, its index in the batch, and its beginning."""

    index: int
    message_id: str | None
    code: str
    payload: str

    @property
    def message(self) -> str:
        """The code as one sentence for the sender, in English; pages translate the code."""
        return ERRORS[self.code].english


class BadEventError(Exception):
    """Raised within this module with a code of `ERRORS`."""


def read_batch(
    events: list[Any],
    *,
    received_at: datetime,
    kind: str | None = None,
    context: Any = None,
    sent_at: Any = None,
    historical: bool = False,
    plain: bool = False,
    oldest: datetime = EARLIEST,
) -> tuple[list[EventRecord], list[Rejection]]:
    """Read the events of one request.

    Args:
        events: as parsed from JSON.
        received_at: our time of arrival, aware.
        kind: the type if the path gives it; otherwise each event has its own.
        context: the batch's context, given to each event that has none; ignored if it is over 8 KiB or contains
            something invalid, since refusing it would refuse every event.
        sent_at: the sender's clock when it sent the request, as parsed from JSON; an unreadable one counts as absent,
            since refusing it would make the libraries drop the batch.
        historical: True for `/v1/import`: times are kept as sent.
        plain: from `events.json_body.Body`: texts and numbers then need no check.
        oldest: the earliest time allowed for an event.
    """
    sent, context = _sent_at(sent_at), _shared_context(context)
    accepted: list[EventRecord] = []
    rejected: list[Rejection] = []
    for index, raw in enumerate(events):
        try:
            shared = context if isinstance(raw, dict) and raw.get("context") is None else None
            own = _sent_at(raw.get("sentAt")) if sent is None and isinstance(raw, dict) else sent
            accepted.append(_read_event(raw, kind, shared, own, received_at, historical, plain, oldest))
        except BadEventError as error:
            rejected.append(Rejection(index, _safe_id(raw), str(error), excerpt(raw)))
    return accepted, rejected


def correct_time(
    original: datetime, *, sent_at: datetime | None, received_at: datetime, historical: bool = False
) -> datetime:
    """The event's time by our clock. Source: Segment's rule, `receivedAt - (sentAt - originalTimestamp)`.

    The clock difference is applied if it is over 5 seconds and under a day; an import, and an event more than 48
    hours older than its sending, keep their time. The result may be later than `received_at`: the caller decides.
    """
    if historical or sent_at is None or sent_at - original > HISTORY:
        return original
    if not SKEW_MIN < abs(received_at - sent_at) < SKEW_MAX:
        return original
    return received_at - (sent_at - original)


def excerpt(raw: Any, limit: int = 2_000) -> str:
    """The beginning of an event as plain ASCII JSON, for a person to read; safe for every database."""
    try:
        text = json.dumps(raw)
    except (RecursionError, ValueError):
        text = "(nested too deeply to be shown)"
    return text if len(text) <= limit else text[:limit] + " ..."


def _read_event(
    raw: Any,
    kind: str | None,
    context: Any,
    sent_at: datetime | None,
    received_at: datetime,
    historical: bool,
    plain: bool,
    oldest: datetime,
) -> EventRecord:
    if not isinstance(raw, dict):
        raise BadEventError("not_an_object")
    _check_whole(raw, plain)
    kind = kind or raw.get("type")
    if kind not in KINDS:
        raise BadEventError("unknown_type")
    user, anonymous = _identity(raw.get("userId")), _identity(raw.get("anonymousId"))
    if not (user or anonymous):
        raise BadEventError("missing_identity")
    message_id = _message_id(raw)
    original = _timestamp(raw.get("timestamp"), received_at)
    time = correct_time(original, sent_at=sent_at, received_at=received_at, historical=historical)
    if time < oldest:
        raise BadEventError("bad_timestamp" if time < EARLIEST else "too_old")
    event, properties = _name_and_properties(kind, raw)
    own = raw.get("context") if context is None else context
    extra: dict[str, Any] = dict(own) if isinstance(own, dict) else {}
    if user and anonymous and user != anonymous:
        extra["anonymousId"] = anonymous
    if min(time, received_at) != original:
        extra["originalTimestamp"] = original.isoformat()
    stored = properties if "context" in properties or not extra else {**properties, "context": extra}
    return EventRecord(
        user_id=user or anonymous,
        event=event,
        time=min(time, received_at),
        properties=dump_plain(stored).decode() if plain else dumps(stored),
        message_id=message_id,
        traits=properties if kind == "identify" else None,
        clamped=time > received_at,
        earlier_id=_earlier_id(kind, user, anonymous, properties) if user and (anonymous or kind == "alias") else None,
        is_user=bool(user),
    )


def _earlier_id(kind: str, user: str, anonymous: str, properties: dict[str, Any]) -> str | None:
    earlier = str(properties["previousId"]) if kind == "alias" else anonymous
    return earlier if earlier and earlier != user else None


def _name_and_properties(kind: str, raw: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    given = raw.get("traits" if kind in ("identify", "group") else "properties")
    if kind == "identify" and not isinstance(given, dict) and isinstance(raw.get("context"), dict):
        given = raw["context"].get("traits")  # RudderStack's libraries send traits only there
    properties: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    if kind == "track":
        name = raw.get("event")
        if not isinstance(name, str) or not name.strip():
            raise BadEventError("missing_event_name")
        if len(name) > NAME_CHARS:
            raise BadEventError("bad_text")
        if name in RESERVED:
            raise BadEventError("reserved_name")
        return (EXPOSURE, _exposure(properties)) if name in EXPOSURE_EVENTS else (name, properties)
    for field in ("name", "category") if kind in ("page", "screen") else ():
        if isinstance(raw.get(field), str):
            properties.setdefault(field, raw[field])
    for needed, field in (("alias", "previousId"), ("group", "groupId")):
        if kind == needed:
            properties[field] = _identity(raw.get(field))
            if not properties[field]:
                raise BadEventError("missing_field")
    return f"${kind}", properties


def _exposure(properties: dict[str, Any]) -> dict[str, Any]:
    """Check only the shape: the existing experiments are not known here."""
    for name, other in (("experiment_id", "experimentId"), ("variation_id", "variationId")):
        value = properties.get(name, properties.get(other))
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise BadEventError("bad_exposure")
        properties[name] = str(value)
    return properties


def _shared_context(context: Any) -> dict[str, Any] | None:
    try:
        if isinstance(context, dict):
            _check_values(context)
            return context if len(dumps(context).encode()) <= CONTEXT_BYTES else None
    except BadEventError:
        pass
    return None


def _check_whole(raw: dict[str, Any], plain: bool) -> None:
    """Refuse an event for its size, its depth, or any invalid text or number in it."""
    if plain:
        try:
            text = dump_plain(raw)
        except TypeError:
            raise BadEventError("event_too_large") from None
        if text.count(b"{") + text.count(b"[") > MAX_DEPTH:  # otherwise it can't be that deep
            for _ in _scalars(raw):
                pass
    else:
        _check_values(raw)
        text = dumps(raw).encode()
    if len(text) > EVENT_BYTES:
        raise BadEventError("event_too_large")


def _check_values(raw: dict[str, Any]) -> None:
    for value in _scalars(raw):
        if isinstance(value, str):
            if BAD_TEXT.search(value):
                raise BadEventError("bad_text")
        elif isinstance(value, float) and not math.isfinite(value):
            raise BadEventError("bad_number")


def _scalars(raw: Any) -> Iterator[Any]:
    """Iterate over all keys and non-container values, level by level without recursion."""
    level = [raw]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                yield from item.keys()
            values = item.values() if isinstance(item, dict) else item
            for value in values:
                if isinstance(value, dict | list):
                    below.append(value)
                else:
                    yield value
        if not below:
            return
        level = below
    raise BadEventError("event_too_large")


def _identity(value: Any) -> str:
    """An id as a string; null and "" count as absent."""
    if value is None or isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    if len(text) > NAME_CHARS:
        raise BadEventError("bad_text")
    return text


def _message_id(raw: dict[str, Any]) -> str | None:
    value = raw.get("messageId")
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MESSAGE_ID_CHARS:
        raise BadEventError("bad_message_id")
    return value


def _safe_id(raw: Any) -> str | None:
    value = raw.get("messageId") if isinstance(raw, dict) else None
    if not isinstance(value, str):
        return None
    return value.encode("ascii", "backslashreplace").decode().replace("\0", "\\x00")[:100]


def _timestamp(value: Any, default: datetime) -> datetime:
    if value is None:
        return default
    try:
        return _utc(value)
    except (TypeError, ValueError, OverflowError):
        raise BadEventError("bad_timestamp") from None


def _sent_at(value: Any) -> datetime | None:
    try:
        return _utc(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _utc(value: Any) -> datetime:
    time = datetime.fromisoformat(value)
    if time.tzinfo is UTC:
        return time
    return (time.replace(tzinfo=UTC) if time.tzinfo is None else time).astimezone(UTC)
