"""Exposures must not be used as behaviours: later outcomes by exposed arm are exactly what is locked. Pure."""

from collections.abc import Iterator, Mapping

from events.metrics.line import unescape
from events.schema import EXPOSURE_EVENTS
from runs.refusals import Refused

_NAMES = tuple(name.casefold() for name in EXPOSURE_EVENTS)


def counts_exposures(*given: object) -> bool:
    """Whether a definition counts exposures.

    Args:
        given: texts, or lists and objects of them, that define behaviours, outcomes, start events or segments.
    """
    return any(name in unescape(text).casefold() for text in texts_in(given) for name in _NAMES)


def refuse_exposures(*given: object, at: str = "") -> None:
    """Refuse definitions that count exposures.

    Args:
        given: as for `counts_exposures`.
        at: the option or field named in the refusal.

    Raises:
        Refused: one of them does.
    """
    if counts_exposures(*given):
        raise Refused("Exposures can't be counted here: an experiment's arms are compared by its own analysis.", at=at)


def texts_in(value: object) -> Iterator[str]:
    """Every text in nested lists and objects, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)
