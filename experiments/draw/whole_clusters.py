"""Draws of whole clusters (guilds, classes, companies): which id is hashed, and the two stages with saturations.

Pure (docs/methods/clusters.md; docs/assignment.md, "Clusters"). A cluster's draw gives all its units one arm; in a plan
with saturations it gives the cluster a share, and each unit's own draw decides whether it is nudged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.draw.bucketing import Range, bucket_ranges

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
    return bucket_ranges(len(saturations), coverage, [one.weight for one in saturations])


def within_weights(saturation: Saturation) -> tuple[float, float]:
    """Shares of control and nudge among the units of a cluster with this saturation."""
    return 1 - saturation.share, saturation.share
