"""What is stored of comparisons and refreshes of published models. Pure records."""

from dataclasses import dataclass, field

from segments.published.drift import Drift, Migration, StabilityIndex
from segments.search.result import Drivers
from stats.results import NotComputable

ORDER = (Drift.REFIT, Drift.WATCH, Drift.STABLE)


@dataclass(frozen=True)
class ComparisonResult:
    """What separates two segments, or why nothing can be said; `window` names the days of play."""

    drivers: Drivers | NotComputable
    window: str


@dataclass(frozen=True)
class Baseline:
    """The population of a version's first membership, which later ones are compared with.

    Attributes:
        names: of the features.
        edges: inner cuts of each feature's deciles.
        counts: units per bin of each feature.
        sizes: units per segment.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[float, ...], ...]
    counts: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Moves(Migration):
    """Where units went since an earlier membership; `names` of its segments by their number."""

    from_version: int
    names: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DriftResult:
    """How a version's population has moved since its baseline.

    Attributes:
        shares: index of the sizes of the segments.
        features: index of each feature.
        unlike_share: placed units that are unlike any segment, 0 to 1.
        migration: since the membership before; None without one.
    """

    shares: StabilityIndex | NotComputable
    features: dict[str, StabilityIndex | NotComputable]
    unlike_share: float
    migration: Moves | None

    @property
    def code(self) -> str:
        """For lists: `Drift` of the strongest index, or the reason of the first where none can be told."""
        found = [self.shares, *self.features.values()]
        known = [row.code for row in found if isinstance(row, StabilityIndex)]
        missing = [row.reason for row in found if isinstance(row, NotComputable)]
        return str(min(known, key=ORDER.index)) if known else str(missing[0])
