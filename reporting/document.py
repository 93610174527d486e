"""Frozen records as JSON and back, for storing and for other programs; and canonical JSON (RFC 8785) for digests."""

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from reporting.words import reason_words
from stats.results import NotComputable, Reason

if TYPE_CHECKING:
    from pydantic import TypeAdapter


# Canonical JSON (RFC 8785), so that a program in any language computes the same digest and can check a signature.
#
# Keys are sorted by their UTF-16 units, there are no blanks, and numbers are written as ECMAScript writes them.

LARGEST = 2**53  # larger integers are written as the nearest double, as programs that know only doubles do
PLAIN_FROM, PLAIN_BELOW = 1e-6, 1e21  # outside this range ECMAScript writes an exponent


def canonical(value: Any) -> bytes:
    """The canonical text of a JSON value.

    Raises:
        ValueError: for what JSON doesn't have: NaN, infinity, keys that aren't strings, other types.
    """
    return "".join(_parts(value)).encode()


def sha256_of(value: Any) -> str:
    """SHA-256 of the canonical text, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _parts(value: Any) -> list[str]:
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise ValueError("keys must be texts")
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        inner = [[_text(name), ":", *_parts(value[name])] for name in names]
        return ["{", *_joined(inner), "}"]
    if isinstance(value, list | tuple):
        return ["[", *_joined([_parts(one) for one in value]), "]"]
    if isinstance(value, str):
        return [_text(value)]
    if value is None or isinstance(value, bool):
        return [json.dumps(value)]
    if isinstance(value, int | float):
        return [_number(value)]
    raise ValueError(f"{type(value).__name__} is no JSON value")


def _joined(inner: list[list[str]]) -> list[str]:
    return [part for at, parts in enumerate(inner) for part in ([",", *parts] if at else parts)]


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _number(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{value} is no JSON number")
    value = float(value) if abs(value) > LARGEST else value
    if value == int(value) and abs(value) <= LARGEST:
        return str(int(value))
    # The shortest digits that give the same double, as Python and ECMAScript both choose them.
    digits, _, exponent = f"{value!r}".partition("e")
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    whole, _, part = digits.partition(".")
    part = "" if part == "0" else part
    point = len(whole) + int(exponent or 0)
    figures = (whole + part).lstrip("0")
    point -= len(whole + part) - len(figures)
    figures = figures.rstrip("0")
    if PLAIN_FROM <= abs(value) < PLAIN_BELOW:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{figures}"
        if point >= len(figures):
            return f"{sign}{figures}{'0' * (point - len(figures))}"
        return f"{sign}{figures[:point]}.{figures[point:]}"
    mantissa = figures[0] + (f".{figures[1:]}" if len(figures) > 1 else "")
    return f"{sign}{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


# Convert frozen records to JSON and back: for storing a result with its run, and for other programs.
#
# In storage, a missing number keeps its reason as a code, so that a page can show it in the reader's language. For
# other programs (command line, REST) it is ``{"not_computable": "reason in words"}``.

NOT_COMPUTABLE_KEYS = {"reason", "details"}


@cache
def _adapter(kind: type) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def dump(record: Any) -> dict[str, Any]:
    """A frozen dataclass as JSON values.

    Raises:
        ValueError: for NaN or infinity anywhere inside: a missing number must be a reason.
    """
    document: dict[str, Any] = _adapter(type(record)).dump_python(record, mode="json")  # type: ignore[arg-type]
    _refuse_nan(document, type(record).__name__)
    return document


def load[T](kind: type[T], document: Any) -> T:
    """The record that `dump` wrote.

    Raises:
        pydantic.ValidationError: when the document has another shape.
    """
    record: T = _adapter(kind).validate_python(document)  # type: ignore[arg-type]
    return record


def outward(document: Any) -> Any:
    """The document as other programs receive it: each missing number with its reason in words.

    Missing numbers may stand in it as `dump` wrote them or as records.
    """
    if isinstance(document, NotComputable):
        return {"not_computable": reason_words(document)}
    if isinstance(document, dict):
        if document.keys() == NOT_COMPUTABLE_KEYS:
            return outward(NotComputable(Reason(document["reason"]), document["details"]))
        return {name: outward(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [outward(value) for value in document]
    return document


def chosen(record: Any, *names: str) -> Any:
    """Some fields of a record, by name; None and not computable numbers stay as they are."""
    if record is None or isinstance(record, NotComputable):
        return record
    return {name: getattr(record, name) for name in names}


def _refuse_nan(value: Any, path: str) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_nan(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _refuse_nan(inner, f"{path}[{place}]")
    elif isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise ValueError(f"{path} is {value}; a missing number must be a reason")
