"""Draws of whole clusters (guilds, classes, companies): which id is hashed, and the two stages of a saturation plan.

Pure (docs/methods/clusters.md; docs/assignment.md, "Clusters"). A cluster's draw gives all its units one arm; in a plan
with saturations it gives the cluster a share, and each unit's own draw decides whether it is among those who are
nudged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.draw.bucketing import Range, bucket_ranges

LONGEST = 256


@dataclass(frozen=True)
class Saturation:
    """What a cluster may draw: the share of its units that is nudged, and the share of clusters that draw it."""

    share: float
    weight: float


def cluster_id(value: Any) -> str | None:
    """The text of a cluster's id as SDKs hash it; None for what is no id.

    A whole number is written in digits. Zero, truth values and fractions are no ids: SDKs of different languages write
    them differently or take them for "missing".
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if value else None
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST else None


def within_seed(seed: str) -> str:
    """Seed of the draws inside the clusters: another one, or the two stages would not be independent."""
    return f"{seed}:within"


def saturation_ranges(saturations: Sequence[Saturation], coverage: float) -> tuple[Range, ...]:
    """The draws of clusters that each saturation owns."""
    return bucket_ranges(len(saturations), coverage, [one.weight for one in saturations])


def within_weights(saturation: Saturation) -> tuple[float, float]:
    """Shares of control and nudge among the units of a cluster with this saturation."""
    return 1 - saturation.share, saturation.share
