"""What a run would read, and what it has read: files, bytes and rows, and the meter that an engine adds to. Pure."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from statistics import median

TERABYTE = 10**12
GROWTH = 0.6  # the power of its size by which a study's and a search's seconds grow (docs/scale.md)


@dataclass(frozen=True)
class Price:
    """What a run would read.

    Attributes:
        files: different files, each counted once; None for a warehouse, which doesn't say it.
        bytes: of all readings together; a file that is read twice counts twice.
        rows: events in those files; of a warehouse those of the largest reading.
        known: False where neither the log's statistics nor the engine could say it; the numbers are 0 then.
        engine: the name of the warehouse's engine that couldn't say it; "" for a store, or any other reason.
    """

    files: int | None = 0
    bytes: int = 0
    rows: int = 0
    known: bool = True
    engine: str = ""


UNKNOWN = Price(known=False)


def unknown(engine: str) -> Price:
    """The price of a run in a warehouse whose engine can't say it."""
    return Price(known=False, engine=engine)


def seconds_for(size: int, past: Sequence[tuple[int, float]]) -> float | None:
    """Seconds that a run may take; None where no run has been measured.

    Args:
        size: bytes that it would read.
        past: bytes and seconds of the last runs of its kind.
    """
    taken = [seconds * (max(size, 1) / read) ** GROWTH for read, seconds in past if read > 0]
    return median(taken) if taken else None


# Bytes that the engine reads while a run is computed, added up by whoever opens the engine.


@dataclass
class Meter:
    """The bytes read so far; `counted` is False where the engine couldn't say them."""

    bytes: int = 0
    counted: bool = False


_meter: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def metered() -> Iterator[Meter]:
    """Count what the block's engines read."""
    meter = Meter()
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)


def is_metered() -> bool:
    """Whether somebody wants to know what is read."""
    return _meter.get() is not None


def add_read(size: int) -> None:
    """Add the bytes that an engine has read."""
    meter = _meter.get()
    if meter is not None:
        meter.bytes += size
        meter.counted = True
