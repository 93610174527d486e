"""What a search for segments says of users with planted styles of play, and of users without any. Pure."""

from dataclasses import dataclass, replace

import numpy as np

from segments.search.features import Floats, Ints, UnitTable
from segments.search.reduction import Method
from segments.search.segmentation import Options, Segmentation, segment
from stats.results import NotComputable

MOST_UNITS = 4_000
LIKE_THE_TRUTH = 0.8  # adjusted Rand index from which on groups are those that were planted
BEHAVIOURS = 3  # a style needs some to differ in
# Enough for a null at 5 % (1 of 20) and for the usual samples of a bootstrap; a page shows more.
EFFORT = Options(
    method=Method.PCA,
    umap_rows=600,
    reference_rows=1_000,
    refit_rows=300,
    measure_rows=600,
    picture_rows=100,
    resamples=(20, 5),
    null_draws=(19, 19),
    seeds=2,
)


@dataclass(frozen=True)
class StylesSay:
    """What a search says.

    Attributes:
        found: it calls its groups stable and more than a cloud.
        agreement: adjusted Rand index with the planted styles, 1 where every user is in the right group.
        units: users that it looked at.
    """

    found: bool
    agreement: float
    units: int


def search_planted(
    table: UnitTable, *, planted: bool, rng: np.random.Generator, seed: int
) -> StylesSay | NotComputable:
    """Search a copy in which half of the users have another style, or in which no style is left.

    With styles, one half deals its acts out anew: what the others do most it does least. Each user stays as active as
    in truth. Without, how often each behaviour is done on an active day is dealt out among all users, one behaviour at
    a time: nothing goes with anything.

    Args:
        table: counts of a window, from the log.
        planted: whether styles are planted or taken away.
        rng: who is in which half, and how rates are dealt.
        seed: of the search.
    """
    from sklearn.metrics import adjusted_rand_score

    rows = np.sort(rng.permutation(len(table))[:MOST_UNITS])
    copied = table.take(rows)
    styles = rng.integers(0, 2, len(copied))
    counts = _with_styles(copied, styles) if planted else _without(copied, rng)
    found = segment(replace(copied, counts=counts), options=replace(EFFORT, seed=seed))
    if not isinstance(found, Segmentation):
        return found
    known = found.labels >= 0
    agreement = float(adjusted_rand_score(styles[known], found.labels[known]))
    return StylesSay(found.clusters_found, agreement, int(known.sum()))


def _with_styles(table: UnitTable, styles: Ints) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """Behaviours by how often they are done, and in the second style the other way round."""
    order = np.argsort(-np.asarray(table.counts.sum(axis=0)), kind="stable")
    turned = table.counts.copy()
    turned[:, order] = table.counts[:, order[::-1]]
    return np.asarray(np.where(styles[:, None] == 1, turned, table.counts), dtype=np.int32)


def _without(table: UnitTable, rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    days: Floats = np.maximum(table.active_days, 1).astype(np.float64)
    rates = table.counts / days[:, None]
    dealt = np.column_stack([rng.permutation(column) for column in rates.T])
    return np.asarray(np.rint(dealt * days[:, None]), dtype=np.int32)
