"""Moments of the holdout and of the rest. Pure."""

from dataclasses import dataclass

from stats.summaries import Joint


@dataclass(frozen=True)
class SideMoments:
    """Moments of both sides.

    Attributes:
        units: number that count, by side.
        outcome: joint moments of the outcome (and its denominator) over the mature ones, by side.
    """

    units: dict[str, int]
    outcome: dict[str, Joint]
