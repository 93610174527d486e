"""Is there a gap between neighbouring groups, or does K-means cut a continuum? Pure.

Beating a null of one lump shows structure, not gaps: users spread evenly over mixes of a few styles beat it every time.
So each pair of neighbours is looked at along the line that tells the two best apart. Two hills with a valley between
them are groups; one hill is a continuum, and its ends are styles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from segments.search.dip import dip, dip_p_value
from segments.search.features import Flags, Floats, Ints
from stats.multiplicity import holm

GAP_LEVEL = 0.05
# A unit's place is the less blurred the more it did; the others fill the valley with noise.
MOST_ACTIVE = 1 / 3
MOST_UNITS = 2_000
# Columns that hardly vary within the two groups would get a weight without bound.
RIDGE = 1e-6
TIE_SEED = 1


class Shape(StrEnum):
    """What the clusters of a run are."""

    GROUPS = "groups"  # a gap between all neighbours
    STYLES = "styles"  # no gap between some: corners of a continuum
    NONE = "none"  # no stable clusters


@dataclass(frozen=True)
class Gap:
    """The test of one pair of neighbours.

    Attributes:
        first, second: their labels, the smaller first.
        units: units of both that were looked at.
        dip: Hartigan's dip of their places on the line, 0 to 1/4.
        p_value: share of one-hill samples with a dip at least as large.
        adjusted_p: the same after Holm over the pairs.
    """

    first: int
    second: int
    units: int
    dip: float
    p_value: float
    adjusted_p: float

    @property
    def found(self) -> bool:
        """True when there is a gap."""
        return self.adjusted_p <= GAP_LEVEL


def find_gaps(values: Floats, labels: Ints, activity: NDArray[np.number]) -> tuple[Gap, ...]:
    """Test each pair of clusters of which one is the other's nearest.

    The line is Fisher's discriminant of the pair, learnt on those of its units that are not tested; tested is the most
    active third of the pair, at most 2,000 units.

    Args:
        values: rows x features, scaled, whatever the reduction: a UMAP tears noise into islands.
        labels: cluster of each row, 0 to K-1; rows below 0 are left out.
        activity: how much each row's unit did, for example its number of events.

    Returns:
        One record a pair, by labels; empty with fewer than two clusters.

    Source: Hartigan and Hartigan 1985 (dip); Kalogeratos and Likas 2012 (dip along lines); Fisher 1936; Holm 1979.
    """
    present = [label for label in range(int(labels.max(initial=-1)) + 1) if (labels == label).any()]
    pairs = neighbours(np.array([values[labels == label].mean(axis=0) for label in present]))
    tested = []
    for one, other in pairs:
        first, second = present[one], present[other]
        chosen = _most_active((labels == first) | (labels == second), activity)
        line = _discriminant(values, labels, first, second, chosen)
        places = values[chosen] @ line
        statistic = dip(places)
        tested.append((first, second, len(places), statistic, dip_p_value(statistic, len(places))))
    adjusted = holm([row[-1] for row in tested])
    return tuple(Gap(*row, p) for row, p in zip(tested, adjusted, strict=True))


def shape_of(gaps: Sequence[Gap], *, clusters_found: bool) -> Shape:
    """What to call the clusters: groups only where every pair of neighbours has a gap."""
    if not clusters_found:
        return Shape.NONE
    return Shape.GROUPS if gaps and all(gap.found for gap in gaps) else Shape.STYLES


def neighbours(centres: Floats) -> tuple[tuple[int, int], ...]:
    """Pairs of rows of which one is the other's nearest, the smaller index first; none for fewer than two rows."""
    if len(centres) < 2:
        return ()
    distances = ((centres[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    return tuple(sorted({(min(row, int(near)), max(row, int(near))) for row, near in enumerate(nearest)}))


def _most_active(members: Flags, activity: NDArray[np.number]) -> Ints:
    rows = np.flatnonzero(members)
    # Ties by a fixed draw: rows may come cluster by cluster.
    order = np.lexsort((np.random.default_rng(TIE_SEED).random(len(rows)), -activity[rows]))
    wanted = min(max(int(len(rows) * MOST_ACTIVE), 1), MOST_UNITS)
    return rows[order[:wanted]]


def _discriminant(values: Floats, labels: Ints, first: int, second: int, tested: Ints) -> Floats:
    """Fisher's direction between two clusters; a line learnt on the units that it judges would part noise."""
    kept = np.ones(len(labels), dtype=np.bool_)
    kept[tested] = False
    parts = []
    for label in (first, second):
        rows = (labels == label) & kept
        parts.append(values[rows] if rows.sum() > 1 else values[labels == label])
    centred = np.vstack([part - part.mean(axis=0) for part in parts])
    within = centred.T @ centred / max(len(centred) - 2, 1)
    within += np.eye(len(within)) * (RIDGE * np.trace(within) / len(within) or 1.0)
    return np.asarray(np.linalg.solve(within, parts[0].mean(axis=0) - parts[1].mean(axis=0)))
