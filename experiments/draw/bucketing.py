"""GrowthBook's bucketing: hash a unit to a number, and map it to an arm. Pure (docs/assignment.md, "Bucketing").

Local SDKs, our server and a batch file must agree for every unit, so the order of the floating-point steps is part of
the contract. The vectorised versions in `bucketing_many` give bit-identical numbers; a web worker draws one unit at a
time, without NumPy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

OFFSET, PRIME, MASK = 0x811C9DC5, 0x01000193, 0xFFFFFFFF
STEPS = 10_000  # version 2 has this many buckets; version 1 has a tenth of them
WEIGHT_TOLERANCE = 1e-9
Range = tuple[float, float]


def fnv1a(text: str, start: int = OFFSET) -> int:
    """32-bit FNV-1a over UTF-16 code units, continued from `start`. Source: Fowler, Noll, Vo; GrowthBook SDK spec."""
    value = start
    codes = (
        text.encode("latin-1") if text.isascii() else memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    )
    for code in codes:
        value = ((value ^ code) * PRIME) & MASK
    return value


def unit_hash(seed: str, unit: str, *, version: int = 2) -> float:
    """The number that a unit draws, 0 up to but not including 1, in steps of 0.0001 (version 1: 0.001).

    Args:
        seed: of the experiment, layer or holdout; another seed is another, independent draw.
        unit: the id.
        version: 2. Version 1 is only for reading old configurations: its draws of two experiments are correlated.

    Raises:
        ValueError: for another version.
    """
    if version == 2:
        return fnv1a(str(fnv1a(unit, fnv1a(seed)))) % STEPS / STEPS
    if version == 1:
        return fnv1a(unit + seed) % 1000 / 1000
    raise ValueError(f"hash version must be 1 or 2, not {version}")


def bucket_ranges(count: int, coverage: float, weights: Sequence[float] | None = None) -> tuple[Range, ...]:
    """The half-open range of draws of each arm. Source: GrowthBook SDK spec, `getBucketRanges`.

    Args:
        count: number of arms.
        coverage: share of units that take part, 0 to 1. Raising it moves no unit that is in.
        weights: share of each arm, adding up to 1; None for equal shares.

    Raises:
        ValueError: for a coverage outside 0 to 1, or weights that don't fit: SDKs would silently use equal ones.
    """
    if not 0 <= coverage <= 1:
        raise ValueError(f"coverage must lie between 0 and 1, not {coverage}")
    shares = [1 / count] * count if weights is None else list(weights)
    if len(shares) != count or min(shares, default=0) < 0 or abs(sum(shares) - 1) > WEIGHT_TOLERANCE:
        raise ValueError(f"{count} weights of 0 or more that add up to 1 are needed, not {shares}")
    ranges, start = [], 0.0
    for share in shares:
        ranges.append((start, start + coverage * share))
        start += share
    return tuple(ranges)


def choose(n: float, ranges: Sequence[Range]) -> int | None:
    """The first arm whose range contains the draw `n` (low <= n < high); None when the unit is out."""
    for index, (low, high) in enumerate(ranges):
        if low <= n < high:
            return index
    return None


# Draws of whole clusters (guilds, classes, companies): which id is hashed, and the two stages with saturations.
#
# Pure (docs/methods/clusters.md; docs/assignment.md, "Clusters"). A cluster's draw gives all its units one arm; in a
# plan with saturations it gives the cluster a share, and each unit's own draw decides whether it is nudged.

LONGEST = 256


@dataclass(frozen=True)
class Saturation:
    """A saturation: the share of a cluster's units that is nudged, and the share of clusters that draw it."""

    share: float
    weight: float


def cluster_id(value: Any) -> str | None:
    """The text of a cluster's id as SDKs hash it; None for an invalid id.

    An integer becomes its digits. Zero, booleans and fractions are invalid: SDKs of different languages format them
    differently or treat them as missing.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if value else None
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST else None


def within_seed(seed: str) -> str:
    """Seed of the draws within clusters; it must differ, so that the two stages are independent."""
    return f"{seed}:within"


def saturation_ranges(saturations: Sequence[Saturation], coverage: float) -> tuple[Range, ...]:
    """The range of cluster draws of each saturation."""
    return bucket_ranges(len(saturations), coverage, [saturation.weight for saturation in saturations])


def within_weights(saturation: Saturation) -> tuple[float, float]:
    """Shares of control and nudge among the units of a cluster with this saturation."""
    return 1 - saturation.share, saturation.share
