"""Partial results that are shown while a segmentation runs, and their names. The report replaces them. Pure."""

from dataclasses import dataclass

import numpy as np

from segments.search.clustering import FoundGroups, Null
from segments.search.features import Ints
from segments.search.gaps import Gap, Shape
from segments.search.reduction import Method
from segments.search.tiers import Cuts, assign_tiers, find_cuts
from stats.results import NotComputable

STARTED, TIERS, FEATURES, GROUPS, METHOD, CHANCE, GAPS, SIZES = (
    "started",
    "tiers",
    "features",
    "groups",
    "method",
    "chance",
    "gaps",
    "sizes",
)


@dataclass(frozen=True)
class Started:
    """Number of users who signed up, and of those whose windows are complete."""

    signed_up: int
    eligible: int


@dataclass(frozen=True)
class TierSizes:
    """The activity tiers of the users counted so far.

    Attributes:
        users: number counted: all of the `eligible`, or a sample drawn by `seed`.
        eligible: number of eligible users.
        seed: of the run.
        cuts: borders in active days, or why there are none.
        sizes: users in the low, middle and high tier; empty without cuts.
        too_little: users with too few active days for a pattern.
    """

    users: int
    eligible: int
    seed: int
    cuts: Cuts | NotComputable
    sizes: tuple[int, ...]
    too_little: int


@dataclass(frozen=True)
class Compared:
    """Number of feature columns, and of behaviours left out."""

    features: int
    dropped: int


@dataclass(frozen=True)
class GroupCount:
    """The number of groups found with PCA: `k`, whether it is recommended, and its mean adjusted Rand index, 0 to 1."""

    k: int
    recommended: bool
    stability: float


@dataclass(frozen=True)
class Chosen:
    """The reduction that is used, its number of groups and their stability."""

    method: Method
    groups: GroupCount


@dataclass(frozen=True)
class Chance:
    """The silhouette against populations without groups."""

    p_value: float
    draws: int


@dataclass(frozen=True)
class Neighbours:
    """Number of pairs of neighbours with a gap; no pairs where there are no stable clusters."""

    found: int
    pairs: int
    shape: Shape


@dataclass(frozen=True)
class Sizes:
    """Users of each cluster, the largest first."""

    sizes: tuple[int, ...]


def tier_sizes(active_days: Ints, *, eligible: int, seed: int, least: int) -> TierSizes:
    """Activity tiers of the counted users.

    Args:
        active_days: of each user counted.
        eligible: number of eligible users.
        seed: of the run.
        least: least number of active days for a pattern.
    """
    cuts, too_little = find_cuts(active_days), int((active_days < least).sum())
    sizes: tuple[int, ...] = ()
    if not isinstance(cuts, NotComputable):
        tier = assign_tiers(active_days, cuts)
        sizes = tuple(map(int, np.bincount(tier[tier >= 0], minlength=3)))
    return TierSizes(active_days.size, eligible, seed, cuts, sizes, too_little)


def group_count(groups: FoundGroups) -> GroupCount:
    """The number of groups, and their stability."""
    return GroupCount(groups.k, groups.choice.k is not None, groups.stability.mean_ari)


def chance_of(null: Null) -> Chance:
    """The p-value and its draws."""
    return Chance(null.p_value, len(null.values))


def neighbours_of(gaps: tuple[Gap, ...], shape: Shape) -> Neighbours:
    """The gap test in three numbers."""
    return Neighbours(sum(gap.found for gap in gaps), len(gaps), shape)
