"""Names and values in the data, offered as choices, and the nearest one for an unknown name.
Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from anyascii import anyascii

from segments.rules.records import Scalar

ALIKE = 0.55  # similarity from which a name counts as a typo of another
CONSONANTS = str.maketrans({"r": "l", "v": "b", "f": "p", "z": "s"} | dict.fromkeys("aeiouyw "))
MOST_CHOICES = 60  # longer lists are searched by typing


@dataclass(frozen=True)
class KnownTrait:
    """A trait of the users read: its values, the most frequent first; `whole` when these are all values."""

    values: tuple[Scalar, ...] = ()
    whole: bool = True


@dataclass(frozen=True)
class KnownEvent:
    """An event of the log: its properties with their most frequent values as text."""

    properties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """Choices of a rule editor.

    Attributes:
        traits: by name, the most frequent first.
        events: by name, the one with the most users first.
        users_read: number of users whose traits were read; None when all were.
        signup: the likely signup event, or None.
    """

    traits: Mapping[str, KnownTrait] = field(default_factory=dict)
    events: Mapping[str, KnownEvent] = field(default_factory=dict)
    users_read: int | None = None
    signup: str | None = None


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The most similar name, ignoring case and script; None when none is similar."""
    rated = [(_likeness(name, other), other) for other in names if other != name]
    best, found = max(rated, default=(0.0, None), key=lambda pair: pair[0])
    return found if best >= ALIKE else None


def _likeness(name: str, other: str) -> float:
    """Similarity, 0 to 1. Names in different scripts are compared by consonants: 플랫폼 is romanised as peullaespom."""
    one, two = (anyascii(text).casefold().replace("_", " ").replace("-", " ") for text in (name, other))
    ratio = SequenceMatcher(None, one, two).ratio()
    if name.isascii() and other.isascii():
        return ratio
    return max(ratio, SequenceMatcher(None, one.translate(CONSONANTS), two.translate(CONSONANTS)).ratio())
