"""What the checks of files and of stored experiments have in common. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.analyse.comparator import Comparator
from stats.clusters import ClusterCount
from stats.results import NotComputable
from stats.srm import SampleRatio, sample_ratio


@dataclass(frozen=True)
class Split:
    """How the units of an experiment, or of one segment or week, are split between its arms.

    Attributes:
        counts: units by arm; clusters where clusters were assigned.
        found: chi-square of the counts against the planned shares. While the experiment is checked every night, its
            `any_look` is set and decides.
        label: of the segment or week; "" for all units.
    """

    counts: Mapping[str, int]
    found: SampleRatio | NotComputable
    label: str = ""


def split_of(counts: Mapping[str, int], shares: Mapping[str, float], label: str = "") -> Split:
    """Counts with their chi-square test at one look."""
    return Split(counts, sample_ratio(counts, shares), label)


@dataclass(frozen=True, kw_only=True)
class Context:
    """Input of a check. `FileContext` and `StoredContext` add what only one of the two has.

    Attributes:
        counts: units by arm that enter the analysis.
        split: of the assigned units or clusters.
        segments: the same in each segment.
        placebo: the arm with a nudge towards something inert.
        comparators: what each arm is compared with, control or the placebo.
        clusters: of each arm, where clusters were assigned; None where units were.
        mixed: clusters that hold units of several arms though each was to have one; `all_clusters` is all of them.
    """

    counts: Mapping[str, int]
    split: Split
    segments: tuple[Split, ...] = ()
    placebo: str | None = None
    comparators: Mapping[str, Comparator] = field(default_factory=dict)
    clusters: Mapping[str, ClusterCount] | None = None
    mixed: int = 0
    all_clusters: int = 0
