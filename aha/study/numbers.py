"""A number with its interval, or the reason why there is none: light, since the pages of moments read it too."""

from dataclasses import dataclass

from stats.results import NotComputable


@dataclass(frozen=True)
class Interval:
    """A number with its interval, both on the scale of the metric."""

    estimate: float
    low: float
    high: float


Number = Interval | NotComputable
