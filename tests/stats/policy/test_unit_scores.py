"""Scores of cells against the formula written out unit by unit."""

import numpy as np
import pytest

from stats.policy import Fold, scores, variant_share, whole
from stats.trait_cells import TraitColumns, trait_cells
from tests.stats.policy.make import cells_of, levels


def test_scores__of_cells__are_sums_over_their_units() -> None:
    rng = np.random.default_rng(1)
    n = 500
    code, arm, value = rng.integers(0, 2, n), rng.integers(0, 2, n), rng.normal(size=n)
    columns = TraitColumns(("x",), (("a", "b"),), code[:, None].astype(np.int64))
    cells = trait_cells(columns, arm, np.ones(n), value[:, None], np.zeros((n, 1, 1)), proportion=False)
    # An outcome model that has seen nobody of these: a mean of 1 in control, of 3 in the variant.
    model = Fold(np.full((2, 2), 1e12), np.array([[1.0, 3.0], [1.0, 3.0]]), np.zeros((2, 2)))
    share = np.array([0.4, 0.4])
    unit = 2.0 + arm * (value - 3) / 0.4 - (1 - arm) * (value - 1) / 0.6
    found = scores(whole(cells), model, share)

    for cell in (0, 1):
        assert found.units[cell] == (code == cell).sum()
        assert found.total[cell] == pytest.approx(unit[code == cell].sum())
        assert found.squares[cell] == pytest.approx((unit[code == cell] ** 2).sum())
    net = found.net(0.5)
    assert net.squares.sum() == pytest.approx(((unit - 0.5) ** 2).sum())
    told = net.mean(0.05)
    assert told.estimate == pytest.approx((unit - 0.5).mean())
    assert told.high - told.low == pytest.approx(2 * 1.959964 * unit.std() / np.sqrt(n), rel=1e-6)


@pytest.mark.slow
def test_scores__wrong_outcome_model__keep_the_mean_of_the_effect() -> None:
    """What "doubly robust" leaves: the split is known, so any model will do."""
    codes = levels(2, 200_000)
    cells = cells_of(2, codes, np.where(codes[:, 0] == 1, 0.1, -0.05), share=0.3)
    wrong = Fold(np.full((len(cells.n), 2), 1e12), np.full((len(cells.n), 2), [0.9, 0.1]), np.zeros((len(cells.n), 2)))
    found = scores(whole(cells), wrong, variant_share(cells))
    inside = cells.codes[:, 0] == 1

    assert found.inside(inside).mean(0.001).low < 0.1 < found.inside(inside).mean(0.001).high
    assert found.inside(~inside).mean(0.001).low < -0.05 < found.inside(~inside).mean(0.001).high


def test_variant_share__segments_with_splits_of_their_own__each_has_its_share() -> None:
    codes = levels(3, 40_000)
    arm = np.random.default_rng(33).random(40_000) < np.where(codes[:, 0] == 0, 0.2, 0.5)
    columns = TraitColumns(("",), (("a", "b", "c", "d"),), codes[:, :1])
    none = np.zeros((40_000, 1, 1))
    cells = trait_cells(columns, arm, np.ones(40_000), np.ones((40_000, 1)), none, proportion=True, stratum=codes[:, 0])

    assert variant_share(cells) == pytest.approx([0.2, 0.5, 0.5, 0.5], abs=0.02)
