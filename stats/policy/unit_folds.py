"""Units in random folds, drawn from the moments of their cells: no row is needed to hold some of them out."""

from dataclasses import dataclass

import numpy as np

from stats.summaries import Array
from stats.trait_cells import TraitCells


@dataclass(frozen=True, eq=False)
class Fold:
    """Of each cell and arm the units of a fold, the mean of their outcome and its variance; cells x 2 each."""

    n: Array
    means: Array
    variance: Array

    @property
    def units(self) -> Array:
        """Per cell, of both arms."""
        return np.asarray(self.n.sum(axis=1))


def whole(cells: TraitCells) -> Fold:
    """All units."""
    return Fold(cells.n, cells.means[:, :, 0], cells.covariance[:, :, 0, 0])


def split(cells: TraitCells, folds: int, rng: np.random.Generator) -> list[Fold]:
    """Each unit into a fold at random.

    Of a 0/1 outcome this is exact: how many of a cell's units are 1 is all there is to know, and each falls into each
    fold alike. Of a number, the folds' means are drawn from the normal law that they have given the cell's own mean,
    v (diag(1/n_k) - 1/n): their law without that condition is then that of independent folds.

    Source: multinomial thinning; Neufeld, Dharamshi, Gao and Witten 2024 (data thinning of a normal mean).
    """
    n, means, variance = cells.n, cells.means[:, :, 0], cells.covariance[:, :, 0, 0]
    even = np.full(folds, 1 / folds)
    if cells.proportion:
        ones = np.rint(n * means).astype(np.int64)
        kept = rng.multinomial(ones, even)
        sizes = kept + rng.multinomial(np.rint(n).astype(np.int64) - ones, even)
        share = kept / np.maximum(sizes, 1)
        spread = share * (1 - share) * sizes / np.maximum(sizes - 1, 1)
        return [Fold(sizes[..., k].astype(float), share[..., k], spread[..., k]) for k in range(folds)]
    sizes = rng.multinomial(np.rint(n).astype(np.int64), even)
    noise = rng.standard_normal(sizes.shape) * np.sqrt(variance[..., None] / np.maximum(sizes, 1))
    centre = (sizes * noise).sum(axis=-1) / np.maximum(n, 1)
    drawn = np.where(sizes > 0, means[..., None] + noise - centre[..., None], 0.0)
    return [Fold(sizes[..., k].astype(float), drawn[..., k], variance) for k in range(folds)]


def joined(folds: list[Fold]) -> Fold:
    """Several folds as one."""
    n = np.sum([fold.n for fold in folds], axis=0)
    means = np.sum([fold.n * fold.means for fold in folds], axis=0) / np.maximum(n, 1)
    scatter = np.sum(
        [np.maximum(fold.n - 1, 0) * fold.variance + fold.n * np.square(fold.means - means) for fold in folds], axis=0
    )
    return Fold(n, means, scatter / np.maximum(n - 1, 1))
