"""The JSON of a request: read by orjson, and by Python's own reader where orjson would change or refuse a value. Pure.

orjson reads a batch in much less time, but refuses NaN, Infinity, lone surrogates and numbers beyond a double, and
turns integers beyond 64 bits into floats without a word. A body that may hold one of these is read the slow way, where
the value fails its event alone.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import orjson

BOM = b"\xef\xbb\xbf"
NUL = b"\\u0000"  # the one way to write it; written with two backslashes it is another text, and read the slow way too
ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
LONG = b"0" * 19  # 2**63 has 19 digits
BEYOND = re.compile(rb"9[0-9]{18}|[0-9]{20}")


@dataclass(frozen=True)
class Body:
    """A body that was read.

    Attributes:
        data: what it holds.
        plain: True when no text in it holds NUL or a lone surrogate, each number is finite, and integers fit 64 bits.
    """

    data: Any
    plain: bool


def read_body(body: bytes) -> Body:
    """Read a request's body.

    Raises:
        ValueError: when it is not JSON in UTF-8, or nested too deeply to be read at all.
    """
    # Two steps: looking for a pattern at each byte of a body costs more than reading it.
    long = LONG in body.translate(ZEROS) and BEYOND.search(body) is not None
    if not long and NUL not in body:
        try:
            return Body(orjson.loads(body.removeprefix(BOM)), plain=True)
        except orjson.JSONDecodeError:  # is it JSON at all?
            pass
    return Body(load_json(body), plain=False)


def load_json(body: bytes) -> Any:
    """Read with Python's own reader. A number that JSON or 64 bits can't hold becomes NaN, which fails its event alone.

    Raises:
        ValueError: when it is not JSON in UTF-8, or nested too deeply to be read at all.
    """
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, parse_constant=lambda _: math.nan, parse_int=_parse_int)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def dumps(value: Any) -> str:
    """The shortest JSON text, letters as they are; of any value that `load_json` reads."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def dump_plain(value: Any) -> bytes:
    """The same as UTF-8, of a part of a plain body; `value` may be nested 250 levels deep.

    Raises:
        TypeError: when it is nested deeper.
    """
    return orjson.dumps(value)


def _parse_int(text: str) -> int | float:
    number = int(text) if len(text) <= 20 else 2**64
    return number if -(2**63) <= number < 2**63 else math.nan
