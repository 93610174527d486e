"""Names and values that the data have, so that rows are picked and a name they don't have is answered by the nearest.
Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from anyascii import anyascii

from segments.rules.records import Scalar

ALIKE = 0.55  # from here on two names are taken for a slip of one another
CONSONANTS = str.maketrans({"r": "l", "v": "b", "f": "p", "z": "s"} | dict.fromkeys("aeiouyw "))
MOST_CHOICES = 60  # longer lists are searched by typing instead of read


@dataclass(frozen=True)
class KnownTrait:
    """A trait of the users that were looked at: its commonest values first; `whole` when these are all of them."""

    values: tuple[Scalar, ...] = ()
    whole: bool = True


@dataclass(frozen=True)
class KnownEvent:
    """An event of the log: its properties with their commonest values as text."""

    properties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What can be picked.

    Attributes:
        traits: by name, the commonest first.
        events: by name, the one that most users do first.
        users_read: users whose traits were looked at; None when it was everybody.
        signup: the event that probably starts a user's clock, or None.
    """

    traits: Mapping[str, KnownTrait] = field(default_factory=dict)
    events: Mapping[str, KnownEvent] = field(default_factory=dict)
    users_read: int | None = None
    signup: str | None = None


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name most like this one, whatever its case and script; None when none is alike."""
    rated = [(_likeness(name, other), other) for other in names if other != name]
    best, found = max(rated, default=(0.0, None), key=lambda pair: pair[0])
    return found if best >= ALIKE else None


def _likeness(name: str, other: str) -> float:
    """0 to 1. Where one is in another script its consonants decide: 플랫폼 is romanised as peullaespom."""
    one, two = (anyascii(text).casefold().replace("_", " ").replace("-", " ") for text in (name, other))
    ratio = SequenceMatcher(None, one, two).ratio()
    if name.isascii() and other.isascii():
        return ratio
    return max(ratio, SequenceMatcher(None, one.translate(CONSONANTS), two.translate(CONSONANTS)).ratio())
