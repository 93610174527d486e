"""Read JSON bodies of machine APIs: require a length, limit the size, refuse JSON that databases can't store."""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from django.http import HttpRequest, UnreadablePostError

from events.schema import BAD_TEXT

BODY_BYTES = 64 * 1024


class BadBodyError(Exception):
    """A body that can't be read: status and a sentence. `parse` is True for invalid JSON."""

    def __init__(self, status: int, message: str, *, parse: bool = False) -> None:
        super().__init__(message)
        self.status, self.message, self.parse = status, message, parse


def read_json(request: HttpRequest) -> Any:
    """The JSON of a body, whatever its content type says: browser libraries send text/plain to avoid a preflight.

    Raises:
        BadBodyError: no length (a chunked body would read as an empty one), too large, truncated, or invalid JSON.
    """
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdigit() or request.META.get("HTTP_TRANSFER_ENCODING"):
        raise BadBodyError(411, "send a Content-Length; chunked bodies are not taken")
    if int(length) > BODY_BYTES:
        raise BadBodyError(413, f"the body may have at most {BODY_BYTES} bytes")
    try:
        body = request.read(BODY_BYTES + 1)
    except (OSError, UnreadablePostError):
        body = b""
    if len(body) < int(length):
        raise BadBodyError(400, "the body did not arrive as long as its Content-Length", parse=True)
    return parse(body)


def parse(body: bytes) -> Any:
    """The parsed JSON of some bytes.

    Raises:
        BadBodyError: invalid JSON or UTF-8, integers over 64 bits, infinite numbers, or text that PostgreSQL can't
            store.
    """
    try:
        data = _DECODER.decode(body.decode("utf-8-sig"))
        if b"\\u" in body:  # NUL and lone surrogates can only come escaped
            bad = any(BAD_TEXT.search(text) for text in _texts(data))
            if bad:
                raise ValueError
    except (ValueError, RecursionError):
        message = "the body must be JSON in UTF-8, with finite numbers, 64-bit integers and no NUL"
        raise BadBodyError(400, message, parse=True) from None
    return data


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= (number := int(text)) < 2**63:
        raise ValueError("not a 64-bit integer")
    return number


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError("not finite")
    return number


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        yield from data
        for value in data.values():
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer, parse_float=_finite)
