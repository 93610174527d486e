"""Cells of traits hold what their units hold, however the units were grouped before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.summaries import Joint
from stats.trait_cells import NO_COLUMNS, TraitCells, TraitColumns, trait_cells


def units(seed: int, n: int = 300) -> tuple[TraitColumns, np.ndarray, np.ndarray]:
    """Traits, arm, and outcome with behaviour of some units."""
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.integers(0, 3, n), rng.integers(0, 2, n), np.zeros(n, np.int64)])
    columns = TraitColumns(("", "platform", "same"), (("a", "b", "c"), ("ios", "web"), ("x",)), codes)
    return columns, rng.integers(0, 2, n), rng.normal(size=(n, 2))


def cells_of(columns: TraitColumns, arm: np.ndarray, values: np.ndarray) -> TraitCells:
    n, k = values.shape
    return trait_cells(columns, arm, np.ones(n), values, np.zeros((n, k, k)), proportion=False)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_trait_cells__units__give_the_moments_of_each_combination(seed: int) -> None:
    columns, arm, values = units(seed)
    cells = cells_of(columns, arm, values)

    # What is the same for everybody tells nobody apart.
    assert cells.traits == ("", "platform")
    assert cells.units == len(arm)
    for cell, (segment, platform) in enumerate(cells.codes.tolist()):
        inside = (columns.codes[:, 0] == segment) & (columns.codes[:, 1] == platform)
        for found, code in zip(cells.joints(cell), (0, 1), strict=True):
            expected = Joint.from_columns(values[inside & (arm == code)])
            assert found.n == expected.n
            assert found.means == pytest.approx(expected.means)
            assert found.covariance == pytest.approx(expected.covariance)


def test_without__a_trait__is_as_if_it_had_not_been_known() -> None:
    columns, arm, values = units(3)
    fewer = cells_of(columns, arm, values).without(1)
    expected = cells_of(TraitColumns(("",), columns.levels[:1], columns.codes[:, :1]), arm, values)

    assert fewer.traits == ("",)
    assert fewer.n == pytest.approx(expected.n)
    assert fewer.means == pytest.approx(expected.means)
    assert fewer.covariance == pytest.approx(expected.covariance)


def test_without__the_last_trait__leaves_one_cell_of_all() -> None:
    columns, arm, values = units(4)
    one = cells_of(columns, arm, values).without(1).without(0)

    assert one.codes.shape == (1, 0)
    assert one.joints(0)[1].means == pytest.approx(values[arm == 1].mean(axis=0))
    assert NO_COLUMNS.of(np.ones(3, dtype=bool)) is NO_COLUMNS
