"""Canonical JSON (RFC 8785), so that a program in any language computes the same digest and can check a signature.

Keys are sorted by their UTF-16 units, there are no blanks, and numbers are written as ECMAScript writes them.
"""

import hashlib
import json
from typing import Any

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
