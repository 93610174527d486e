"""Where two JSON documents differ, leaf by leaf. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose
from typing import Any

# Sums of floats depend on the order in which threads add them; smaller differences are never visible on a page.
RELATIVE, ABSOLUTE = 1e-9, 1e-12


@dataclass(frozen=True)
class Differing:
    """One differing value.

    Attributes:
        place: path to it, "report.outcomes.0.comparisons.0.difference.estimate".
        signed: the value that was signed or is stored; None where there was none.
        now: the value as it is found or computed now.
    """

    place: str
    signed: Any
    now: Any


def differing(signed: Any, now: Any, place: str = "") -> Iterator[Differing]:
    """Every path at which they differ: numbers by more than one part in 1e9, other values by any difference."""
    if isinstance(signed, dict) and isinstance(now, dict):
        for name in sorted({*signed, *now}):
            yield from differing(signed.get(name), now.get(name), f"{place}.{name}" if place else name)
    elif isinstance(signed, list) and isinstance(now, list) and len(signed) == len(now):
        for at, (one, other) in enumerate(zip(signed, now, strict=True)):
            yield from differing(one, other, f"{place}.{at}" if place else f"{at}")
    elif not _same(signed, now):
        yield Differing(place, signed, now)


def _same(one: Any, other: Any) -> bool:
    if _is_number(one) and _is_number(other):
        return isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
