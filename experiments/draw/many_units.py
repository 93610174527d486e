"""The arms that many units draw in one row of an audience: `evaluation` vectorised over units. Pure."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from experiments.draw.bucketing import bucket_ranges, choose, unit_hash
from experiments.draw.bucketing_many import choose_all, read_units, unit_hashes
from experiments.draw.evaluation import Flag, Row
from experiments.draw.whole_clusters import Saturation, saturation_ranges, within_seed, within_weights

type Arms = npt.NDArray[np.int16]
OUT = -1


def arms_drawn(flag: Flag, row: Row, units: Sequence[str], clusters: Sequence[str | None]) -> Arms:
    """The arm of each unit in a row of the audience; -1 where it is out, or its cluster is needed but unknown."""
    version = flag.hash_version
    if not flag.cluster:
        return choose_all(unit_hashes(flag.seed, read_units(units), version=version), row.ranges)
    known = np.array([bool(cluster) for cluster in clusters], dtype=np.bool_)
    draws = unit_hashes(flag.seed, read_units([cluster or "" for cluster in clusters]), version=version)
    if not flag.saturations:
        return np.where(known, choose_all(draws, row.ranges), OUT).astype(np.int16)
    stages = choose_all(draws, saturation_ranges(flag.saturations, row.coverage))
    inner = unit_hashes(within_seed(flag.seed), read_units(units), version=version)
    found = np.full(len(units), OUT, dtype=np.int16)
    for place, saturation in enumerate(flag.saturations):
        inside = known & (stages == place)
        found[inside] = choose_all(inner[inside], bucket_ranges(2, 1.0, within_weights(saturation)))
    return found


def saturation_of(seed: str, saturations: Sequence[Saturation], cluster: str) -> int:
    """Index of the saturation that a cluster draws, whatever the coverage: raising it moves no cluster."""
    found = choose(unit_hash(seed, cluster), saturation_ranges(saturations, 1.0))
    return len(saturations) - 1 if found is None else found  # rounding may leave a gap below 1, at most 1e-15 wide
