"""The JSON of a request: parsed by orjson, or by Python's own parser if orjson would change or refuse a value. Pure.

orjson reads a batch in much less time, but refuses NaN, Infinity, lone surrogates and numbers beyond a double, and
silently turns integers beyond 64 bits into floats. A body that may hold one of these is parsed the slow way, where the
value makes only its own event fail.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import orjson

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
