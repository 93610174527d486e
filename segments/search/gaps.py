"""Test for a gap between neighbouring clusters: does K-means find groups, or cut a continuum? Pure.

Beating a unimodal null shows structure, not gaps: users spread evenly over mixes of a few styles beat it every time. So
each pair of neighbours is projected on the line that separates the two best. Two modes with a valley between them are
groups; one mode is a continuum, and its ends are styles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from segments.search.features import Flags, Floats, Ints
from stats.multiplicity import holm

# Hartigan's dip: distance of a sample from the nearest unimodal distribution. Pure, written from the paper.
#
# The p-value is simulated with uniform samples, the least favourable unimodal distribution in the paper's sense.

NULL_DRAWS = 999
# sqrt(n) times the dip of a uniform sample hardly changes with n above this; a larger null would only be slow.
NULL_ROWS = 1_000
NULL_SEED = 1985


def dip(values: Floats) -> float:
    """Largest distance between the empirical distribution and the nearest one with a single mode, 1/(2n) to 1/4.

    Around a modal interval that shrinks step by step, the fit is the greatest convex minorant of the empirical
    distribution on the left and its least concave majorant on the right; the dip is half the largest distance that
    either needs. Ties are one step of their total height.

    Args:
        values: the sample, at least one number, in any order.

    Raises:
        ValueError: an empty sample, or a value that is no number.

    Source: Hartigan and Hartigan 1985, section 4 (algorithm); Hartigan 1985 (AS 217).
    """
    if not len(values) or not np.isfinite(values).all():
        raise ValueError("a dip needs at least one value, and numbers only")
    places, counts = np.unique(values, return_counts=True)
    after = np.cumsum(counts).astype(np.float64)
    before = after - counts
    low, high, distance = 0, len(places) - 1, 1.0
    while low < high:
        minorant, majorant = _hulls(places, before, after, low, high)
        lower = np.interp(places[low : high + 1], places[minorant], before[minorant])
        upper = np.interp(places[low : high + 1], places[majorant], after[majorant])
        widest, left, right = _modal_interval(minorant, majorant, lower, upper, low, before, after)
        if widest <= distance:
            break
        # The steps at the ends of the modal interval aren't counted: a mode may be a jump.
        needed = (after[low:left] - lower[: left - low], upper[right + 1 - low :] - before[right + 1 : high + 1])
        distance = max(distance, *(float(part.max(initial=0.0)) for part in needed))
        if (left, right) == (low, high):
            break
        low, high = left, right
    return distance / (2 * len(values))


def dip_p_value(statistic: float, rows: int, *, draws: int = NULL_DRAWS) -> float:
    """Share of uniform samples with a dip at least as large, 1/(draws + 1) to 1; the seed is fixed.

    Args:
        statistic: of `dip`.
        rows: size of its sample, at least 1.
        draws: uniform samples.

    Source: Hartigan and Hartigan 1985, section 3 (the uniform as null; sqrt(n) times the dip has a limit law).
    """
    size = min(rows, NULL_ROWS)
    null = _null(size, draws)
    return float(1 + (null >= statistic * sqrt(rows / size) * (1 - 1e-12)).sum()) / (draws + 1)


@lru_cache(maxsize=64)
def _null(rows: int, draws: int) -> Floats:
    rng = np.random.default_rng((NULL_SEED, rows))
    return np.array([dip(rng.random(rows)) for _ in range(draws)])


def _hulls(places: Floats, before: Floats, after: Floats, low: int, high: int) -> tuple[Ints, Ints]:
    """Indices where the greatest convex minorant and the least concave majorant touch the steps, from low to high."""
    x = places[low : high + 1].tolist()
    below, above = before[low : high + 1].tolist(), (-after[low : high + 1]).tolist()
    return np.array(_lower_hull(x, below)) + low, np.array(_lower_hull(x, above)) + low


def _lower_hull(x: list[float], y: list[float]) -> list[int]:
    """Corners of the lower convex hull of points with rising x (the monotone chain of Andrew 1979)."""
    corners: list[int] = []
    for point in range(len(x)):
        while len(corners) > 1:
            a, b = corners[-2], corners[-1]
            if (y[b] - y[a]) * (x[point] - x[b]) < (y[point] - y[b]) * (x[b] - x[a]):
                break
            corners.pop()
        corners.append(point)
    return corners


def _modal_interval(
    minorant: Ints, majorant: Ints, lower: Floats, upper: Floats, low: int, before: Floats, after: Floats
) -> tuple[float, int, int]:
    """The largest distance between both hulls at their corners, and the ends of the modal interval around it."""
    at_minorant = upper[minorant - low] - before[minorant]
    at_majorant = after[majorant] - lower[majorant - low]
    if at_minorant.max() > at_majorant.max():
        left = int(minorant[at_minorant.argmax()])
        return float(at_minorant.max()), left, int(majorant[np.searchsorted(majorant, left)])
    right = int(majorant[at_majorant.argmax()])
    return float(at_majorant.max()), int(minorant[np.searchsorted(minorant, right, side="right") - 1]), right


GAP_LEVEL = 0.05
# Units with more events are placed with less noise; the others would fill the valley with noise.
MOST_ACTIVE = 1 / 3
MOST_UNITS = 2_000
# Without it, columns that hardly vary within the two groups would get unbounded weights.
RIDGE = 1e-6
TIE_SEED = 1


class Shape(StrEnum):
    """Result of the gap tests of a run."""

    GROUPS = "groups"  # a gap between all neighbours
    STYLES = "styles"  # no gap between some: corners of a continuum
    NONE = "none"  # no stable clusters


@dataclass(frozen=True)
class Gap:
    """The test of one pair of neighbours.

    Attributes:
        first, second: their labels, the smaller first.
        units: number of tested units of both.
        dip: Hartigan's dip of their positions on the line, 0 to 1/4.
        p_value: share of unimodal samples with a dip at least as large.
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

    The line is Fisher's discriminant, fitted on the pair's untested units; the most active third of the pair, at most
    2,000 units, is tested.

    Args:
        values: rows x features, scaled, not reduced: UMAP would split noise into islands.
        labels: cluster of each row, 0 to K-1; rows below 0 are left out.
        activity: how much each row's unit did, for example its number of events.

    Returns:
        One record per pair, ordered by labels; empty with fewer than two clusters.

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
    """Shape of the clusters: groups only where every pair of neighbours has a gap."""
    if not clusters_found:
        return Shape.NONE
    return Shape.GROUPS if gaps and all(gap.found for gap in gaps) else Shape.STYLES


def neighbours(centres: Floats) -> tuple[tuple[int, int], ...]:
    """Pairs of rows where one is the other's nearest, the smaller index first; none for fewer than two rows."""
    if len(centres) < 2:
        return ()
    distances = ((centres[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    return tuple(sorted({(min(row, int(near)), max(row, int(near))) for row, near in enumerate(nearest)}))


def _most_active(members: Flags, activity: NDArray[np.number]) -> Ints:
    rows = np.flatnonzero(members)
    # Ties are broken by a fixed draw, since rows may be ordered by cluster.
    order = np.lexsort((np.random.default_rng(TIE_SEED).random(len(rows)), -activity[rows]))
    wanted = min(max(int(len(rows) * MOST_ACTIVE), 1), MOST_UNITS)
    return rows[order[:wanted]]


def _discriminant(values: Floats, labels: Ints, first: int, second: int, tested: Ints) -> Floats:
    """Fisher's direction between two clusters, fitted without the `tested` units: otherwise it would separate noise."""
    untested = np.ones(len(labels), dtype=np.bool_)
    untested[tested] = False
    parts = []
    for label in (first, second):
        rows = (labels == label) & untested
        parts.append(values[rows] if rows.sum() > 1 else values[labels == label])
    centred = np.vstack([part - part.mean(axis=0) for part in parts])
    within = centred.T @ centred / max(len(centred) - 2, 1)
    within += np.eye(len(within)) * (RIDGE * np.trace(within) / len(within) or 1.0)
    return np.asarray(np.linalg.solve(within, parts[0].mean(axis=0) - parts[1].mean(axis=0)))
