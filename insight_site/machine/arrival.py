"""How much of a request has arrived: the worker asks before a thread takes it, so that a slow sender holds none."""

import re
from enum import Enum

HEAD_BYTES = 64 * 1024  # gunicorn takes longer ones, up to its own limits
HELD_BYTES = 1024 * 1024  # more than any door of machines takes, but a file
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
CHUNK_SIZE = re.compile(rb"[0-9a-f]+", re.IGNORECASE)
EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


class Arrived(Enum):
    """What is there of the first request among these bytes."""

    PART = "part"  # more must come first
    ASKS = "asks"  # the head, and the sender waits to be told to go on
    WHOLE = "whole"  # a thread can answer and waits for nothing
    LARGE = "large"  # too large to be held: a thread must read it as it comes


class Held(bytearray):
    """What a connection has sent and no thread has taken.

    Attributes:
        chunk: where the line of the next chunk begins, so that those before it are passed once.
    """

    chunk = 0


def arrived(held: Held) -> Arrived:
    """Judge what a connection has sent so far; what is no HTTP is whole, since there is nothing to wait for."""
    end = held.find(b"\r\n\r\n")
    if end < 0:
        return Arrived.LARGE if len(held) > HEAD_BYTES else Arrived.PART
    head, sent = held[: end + 4], len(held) - end - 4
    if CHUNKED.search(head):
        whole, large = _chunks(held, end + 4)
    else:
        length = LENGTH.search(head)
        wanted = int(length[1][:20]) if length else 0
        whole, large = sent >= wanted, wanted > HELD_BYTES
    if whole:
        return Arrived.WHOLE
    if large:
        return Arrived.LARGE
    return Arrived.ASKS if not sent and EXPECTS.search(head) else Arrived.PART


def _chunks(held: Held, body: int) -> tuple[bool, bool]:
    """Whether the last chunk and its trailers are there, and whether more comes than is held.

    An end is looked for where a chunk begins and nowhere else: in the data of one it would be the sender's to invent.
    """
    at = max(held.chunk, body)
    while (line := held.find(b"\r\n", at)) >= 0:
        size = CHUNK_SIZE.match(held, at, line)
        if size is None:
            return True, False  # no chunk: gunicorn refuses it
        if not (wanted := int(size[0], 16)):
            return held.startswith(b"\r\n", line + 2) or held.find(b"\r\n\r\n", line + 2) >= 0, len(
                held
            ) - body > HELD_BYTES
        at = held.chunk = line + 2 + wanted + 2
        if at - body > HELD_BYTES:
            return False, True
    return False, len(held) - body > HELD_BYTES
