"""Folds that are drawn from moments: they add up to the whole, and are independent as folds of units are."""

import numpy as np
import pytest

from stats.policy import joined, split, whole
from tests.stats.policy.make import cells_of, levels


@pytest.mark.parametrize("proportion", [True, False])
def test_split__folds_together__are_all_units(*, proportion: bool) -> None:
    codes = levels(1, 3_000)
    cells = cells_of(1, codes, np.zeros(3_000), proportion=proportion)
    folds = split(cells, 5, np.random.default_rng(2))
    together, everything = joined(folds), whole(cells)

    assert sum(fold.n for fold in folds) == pytest.approx(cells.n)
    assert together.means == pytest.approx(everything.means)
    if proportion:
        assert together.variance == pytest.approx(everything.variance)
        assert all((fold.n * fold.means) % 1 == pytest.approx(0, abs=1e-9) for fold in folds)


@pytest.mark.slow
@pytest.mark.parametrize("proportion", [True, False])
def test_split__over_many_experiments__folds_are_independent(*, proportion: bool) -> None:
    """Given one experiment its folds are tied: what one has, others lack. Over experiments they must not be."""
    codes, pairs = np.zeros((400, 1), np.int64), []
    for seed in range(1_500):
        cells = cells_of(seed, codes, np.zeros(400), proportion=proportion, varied=False)
        folds = split(cells, 2, np.random.default_rng(10_000 + seed))
        pairs.append([fold.means[0, 1] for fold in folds])
    first, second = np.array(pairs).T

    assert abs(np.corrcoef(first, second)[0, 1]) < 3 / np.sqrt(1_500)
    # Half of an arm's 200 units each: variance v / 100.
    assert first.var() == pytest.approx((0.24 if proportion else 0.25) / 100, rel=0.12)
