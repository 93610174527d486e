"""Drift of a published model: segment shares, features, migration, and matching of old and new clusters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from runs.payloads import Schema
from segments.search.ranks import Floats, Ints
from segments.search.result import Drivers
from stats.results import NotComputable, Reason

# Labels below 0 are units outside every cluster.
UNLIKE_ANY, TOO_LITTLE_DATA, ABSENT = -1, -2, -3
WATCH_AT, REFIT_AT = 0.1, 0.25
# An empty bin would make the index infinite.
EMPTY_SHARE = 1e-4
TENTHS = np.arange(1, 10) / 10
# A centroid that moved further than this share of the distance to its nearest neighbour may be another cluster.
NAMED_WITHIN = 0.5


class Drift(StrEnum):
    """Recommended action by stability index."""

    STABLE = "stable"
    WATCH = "watch"
    REFIT = "refit"


@dataclass(frozen=True)
class StabilityIndex:
    """Population stability index of two distributions over the same bins.

    Attributes:
        value: sum of (p - q) ln(p / q), 0 or more.
        by_chance: its expected value without drift, from the two sample sizes.
        code: stable below .1, watch from .1, refit from .25.
    """

    value: float
    by_chance: float
    code: Drift


@dataclass(frozen=True)
class Migration:
    """Moves of units between two labelings of the same units.

    Attributes:
        states: the labels that occur, clusters first, then -1 unlike any, -2 too little data, -3 absent: a unit absent
            before is new, one absent after is gone.
        counts: one row per state before, one column per state after.
        stayed: share of the units in a cluster both times whose cluster is the same, 0 to 1.
        adjusted_rand: agreement of the two labelings on those units, regardless of names; 0 by chance, 1 at best.
    """

    states: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]
    stayed: float | NotComputable
    adjusted_rand: float | NotComputable


@dataclass(frozen=True)
class Match:
    """A new cluster and the old one whose name it may take over.

    Attributes:
        new: the new cluster.
        old: the old cluster matched to it, or None when there are more new ones.
        distance: between the two centroids, or None.
        neighbour: distance from either centroid to the nearest other one of its own version, or None when it has none.
        keeps_name: the distance is at most half of `neighbour`.
    """

    new: int
    old: int | None
    distance: float | None
    neighbour: float | None
    keeps_name: bool


def stability_index(before: Ints, after: Ints) -> StabilityIndex | NotComputable:
    """Population stability index of two vectors of counts over the same bins.

    Args:
        before: units per bin when the model was made.
        after: units per bin now, same bins in the same order.

    Returns:
        The index and its code. ``NotComputable``: no units, a single bin, or samples so small that chance alone
        reaches .1.

    Raises:
        ValueError: two different numbers of bins.

    Source: Siddiqi 2006 (.1 and .25); Yurdakul 2018 (without drift: 1/n + 1/m times a chi-square, bins - 1 degrees).
    """
    if before.shape != after.shape:
        raise ValueError(f"the bins differ: {before.shape} and {after.shape}")
    n, m = int(before.sum()), int(after.sum())
    if min(n, m) == 0 or len(before) < 2:
        return NotComputable(Reason.NO_DATA)
    used = int(((before + after) > 0).sum())
    by_chance = (used - 1) * (1 / n + 1 / m)
    if by_chance >= WATCH_AT:
        return NotComputable(Reason.TOO_FEW_FOR_DRIFT, {"n": min(n, m), "bins": used})
    p, q = np.maximum(before / n, EMPTY_SHARE), np.maximum(after / m, EMPTY_SHARE)
    value = float(((p - q) * np.log(p / q)).sum())
    return StabilityIndex(value, by_chance, drift_code(value))


def drift_code(value: float) -> Drift:
    """Stable below .1, watch from .1, refit from .25."""
    if value >= REFIT_AT:
        return Drift.REFIT
    return Drift.WATCH if value >= WATCH_AT else Drift.STABLE


def decile_edges(values: Floats) -> tuple[float, ...]:
    """Inner edges of the deciles, as observed values, to be stored with the model. Ties give fewer than nine."""
    return tuple(float(edge) for edge in np.unique(np.quantile(values, TENTHS, method="inverted_cdf")))


def bin_counts(values: Floats, edges: Sequence[float]) -> Ints:
    """Units in each bin: up to and including the first edge, up to the second, ..., above the last."""
    position = np.searchsorted(np.asarray(edges), values, side="left")
    return np.bincount(position, minlength=len(edges) + 1).astype(np.int64)


def feature_drift(
    before: Sequence[Ints], values: Floats, edges: Sequence[Sequence[float]]
) -> tuple[StabilityIndex | NotComputable, ...]:
    """Stability index of every feature by the stored deciles.

    Args:
        before: stored counts per bin, one array per feature (`bin_counts` of the training rows).
        values: units x features now, prepared as in training.
        edges: stored `decile_edges`, one per feature.
    """
    return tuple(
        stability_index(old, bin_counts(values[:, j], cut))
        for j, (old, cut) in enumerate(zip(before, edges, strict=True))
    )


def migration(before: Ints, after: Ints) -> Migration:
    """Count the moves of units between two labelings.

    Args:
        before, after: one label per unit, in the same order of units; -3 where a unit was not there.

    Raises:
        ValueError: labels of different lengths.
    """
    from sklearn.metrics import adjusted_rand_score

    if before.shape != after.shape:
        raise ValueError("both labelings need the same units in the same order")
    labels = np.unique(np.concatenate([before, after]))
    states = [*labels[labels >= 0].tolist(), *labels[labels < 0][::-1].tolist()]
    place = {state: index for index, state in enumerate(states)}
    size = len(states)
    position = np.array([place[state] for state in labels.tolist()], dtype=np.int64)
    from_row = position[np.searchsorted(labels, before)]
    to_column = position[np.searchsorted(labels, after)]
    counts = np.bincount(from_row * size + to_column, minlength=size * size).reshape(size, size)
    both = (before >= 0) & (after >= 0)
    stayed: float | NotComputable = NotComputable(Reason.NO_DATA)
    rand: float | NotComputable = NotComputable(Reason.NO_DATA)
    if both.any():
        stayed = float((before[both] == after[both]).mean())
        rand = float(adjusted_rand_score(before[both], after[both]))
    return Migration(tuple(states), tuple(tuple(row) for row in counts.tolist()), stayed, rand)


def match_centroids(old: Floats, new: Floats) -> tuple[Match, ...]:
    """Match the clusters of a new version to those of the old one: the pairing with the least total distance.

    Args:
        old: old centroids, clusters x dimensions, in the space of the old model.
        new: new centroids in the same space.

    Returns:
        One match per new cluster, in their order.

    Raises:
        ValueError: spaces of different dimension.

    Source: Kuhn 1955; docs/methods/profiles.md, "Drift".
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    if old.ndim != 2 or new.ndim != 2 or old.shape[1] != new.shape[1]:
        raise ValueError(f"centroids of shapes {old.shape} and {new.shape} don't share a space")
    distance = cdist(old, new)
    pairs = {int(column): int(row) for row, column in zip(*linear_sum_assignment(distance), strict=True)}
    old_nearest, new_nearest = _nearest(old), _nearest(new)
    matches = []
    for number in range(len(new)):
        row = pairs.get(number)
        if row is None:
            matches.append(Match(number, None, None, None, keeps_name=False))
            continue
        gap, neighbour = float(distance[row, number]), float(min(old_nearest[row], new_nearest[number]))
        known = None if np.isinf(neighbour) else neighbour
        matches.append(Match(number, row, gap, known, keeps_name=gap <= NAMED_WITHIN * neighbour))
    return tuple(matches)


def _nearest(centroids: Floats) -> Floats:
    """Distance from each centroid to the nearest other one; infinite for a single one."""
    from scipy.spatial.distance import cdist

    own = cdist(centroids, centroids)
    np.fill_diagonal(own, np.inf)
    return np.asarray(own.min(axis=1))


# Stored results of comparisons and refreshes of published models. Pure records.

ORDER = (Drift.REFIT, Drift.WATCH, Drift.STABLE)


@dataclass(frozen=True)
class ComparisonResult:
    """Difference between two segments, or why it isn't computable; `window` names the days of play."""

    drivers: Drivers | NotComputable
    window: str


@dataclass(frozen=True)
class Baseline:
    """The population of a version's first membership, with which later ones are compared.

    Attributes:
        names: of the features.
        edges: inner edges of each feature's deciles.
        counts: units per bin of each feature.
        sizes: units per segment.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[float, ...], ...]
    counts: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Moves(Migration):
    """Moves of units since an earlier membership; `names` of its segments by their number."""

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
        """For lists: `Drift` of the largest index, or the first one's reason where none is computable."""
        indices = [self.shares, *self.features.values()]
        known = [row.code for row in indices if isinstance(row, StabilityIndex)]
        missing = [row.reason for row in indices if isinstance(row, NotComputable)]
        return str(min(known, key=ORDER.index)) if known else str(missing[0])


# Parse stored records of published models, of any version. Pure.

COMPARISON, BASELINE, DRIFT = Schema(ComparisonResult), Schema(Baseline), Schema(DriftResult)
