"""What is stored of a churn model. Pure record."""

from dataclasses import dataclass

from segments.churn.model import Quality
from stats.results import NotComputable


@dataclass(frozen=True)
class ChurnResult:
    """A finished churn model.

    Attributes:
        definition: of retention, as a SPEC.
        units: of the segment that were scored.
        known: those whose outcome is known.
        quality: how good the scores are, or why there are none.
        mean_risk: chance of leaving, 0 to 1; None without scores.
    """

    definition: str
    units: int
    known: int
    quality: Quality | NotComputable
    mean_risk: float | None = None
