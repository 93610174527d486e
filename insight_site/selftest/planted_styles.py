"""Run a segment search on users with planted play styles, and on users without any. Pure."""

from dataclasses import dataclass, replace

import numpy as np

from segments.search.features import Floats, Ints, UnitTable
from segments.search.reduction import Method
from segments.search.segmentation import Options, Segmentation, segment
from stats.results import NotComputable

MOST_UNITS = 4_000
LIKE_THE_TRUTH = 0.8  # adjusted Rand index from which the groups count as the planted ones
BEHAVIOURS = 3  # behaviours that a style needs to differ in
# Enough for a null at 5 % (1 of 20) and for the usual bootstrap samples; a page shows more.
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
    """Result of a segment search.

    Attributes:
        found: it reports its groups as stable, and as more than one continuous cloud.
        agreement: adjusted Rand index with the planted styles, 1 where every user is in the right group.
        units: users searched.
    """

    found: bool
    agreement: float
    units: int


def search_planted(
    table: UnitTable, *, planted: bool, rng: np.random.Generator, seed: int
) -> StylesSay | NotComputable:
    """Search a copy in which half of the users have another style, or in which no style is left.

    With styles, one half's acts are redistributed: what the others do most, it does least. Each user's total activity
    is unchanged. Without, each behaviour's rate per active day is shuffled among all users, one behaviour at a time, so
    that behaviours are independent.

    Args:
        table: counts of a window, from the log.
        planted: whether styles are planted or removed.
        rng: for the halves, and the shuffling of rates.
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
    """Behaviours by frequency, and in reverse order for the second style."""
    order = np.argsort(-np.asarray(table.counts.sum(axis=0)), kind="stable")
    turned = table.counts.copy()
    turned[:, order] = table.counts[:, order[::-1]]
    return np.asarray(np.where(styles[:, None] == 1, turned, table.counts), dtype=np.int32)


def _without(table: UnitTable, rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    days: Floats = np.maximum(table.active_days, 1).astype(np.float64)
    rates = table.counts / days[:, None]
    dealt = np.column_stack([rng.permutation(column) for column in rates.T])
    return np.asarray(np.rint(dealt * days[:, None]), dtype=np.int32)
