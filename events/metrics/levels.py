"""Levels of activity, as published segmentations have cut them. Pure: the segments say how a model is looked up."""

from collections.abc import Callable
from dataclasses import dataclass

from runs.refusals import Refused

LOW, MID, HIGH = LEVELS = ("low", "mid", "high")


@dataclass(frozen=True)
class Levels:
    """The levels of one published version of a segmentation; they never change.

    Attributes:
        model: its key.
        number: of the version.
        days: of the window that was cut; the levels are those of as many days.
        low, mid: most active days of the two lower levels; who has more is high.
    """

    model: str
    number: int
    days: int
    low: int
    mid: int

    def least(self, level: str) -> int:
        """Fewest active days of a level; nobody without an active day is at any."""
        return {LOW: 1, MID: self.low + 1, HIGH: self.mid + 1}[level]

    def most(self, level: str) -> int:
        """Most active days of a level."""
        return {LOW: self.low, MID: self.mid, HIGH: self.days}[level]


def parse_model(text: str) -> tuple[str, int | None]:
    """Key and version of ``loyal@2``; ``loyal`` is its newest one.

    Raises:
        Refused: the version is no whole number of 1 or more.
    """
    key, _at, number = text.strip().partition("@")
    if not _at:
        return key, None
    if not (number.isascii() and number.isdigit() and 0 < int(number) < 100_000):
        raise Refused("'{given}' needs a version of 1 or more behind the @, such as loyal@2.", given=text)
    return key, int(number)


type LookUp = Callable[[str, int | None], Levels | None]


def _nobody_knows(_model: str, _number: int | None) -> None:
    return None


_look_up: LookUp = _nobody_knows


def looked_up_by(look_up: LookUp) -> LookUp:
    """Set how a model's levels are found, by its key and version (None: the newest); return how it was before.

    `look_up` gives None for a model that isn't published here, and refuses one without levels.
    """
    global _look_up
    before, _look_up = _look_up, look_up
    return before


def levels_of(model: str, number: int | None) -> Levels:
    """The levels of a published version.

    Args:
        model: its key.
        number: of the version; None for the newest.

    Raises:
        Refused: it isn't published here, or has no levels.
    """
    found = _look_up(model, number)
    if found is None and number is None:
        raise Refused("There is no published segmentation '{key}' whose levels could be used.", key=model)
    if found is None:
        raise Refused("There is no version {number} of a published segmentation '{key}'.", key=model, number=number)
    return found


def known_levels(model: str, number: int) -> Levels | None:
    """The same; None where the version isn't published here."""
    return _look_up(model, number)
