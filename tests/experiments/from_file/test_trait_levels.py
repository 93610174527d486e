"""What a file says of its units before the assignment, as levels."""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.files.cleaning import trait_levels
from experiments.files.reading import read_table
from experiments.plan.design import Covariate, Design
from stats.trait_cells import OTHER, SEGMENT, TraitColumns
from tests.make import csv_file

ROWS = 48


def levels(tmp_path: Path, columns: dict[str, list[Any]], *covariates: Covariate, segment: str | None) -> TraitColumns:
    source = read_table(csv_file(tmp_path, columns), text_columns=frozenset({"part"}))
    design = Design(variant="arm", control="a", outcomes=("kept",), segment=segment, covariates=covariates)
    kept = np.arange(ROWS) > 0  # the first row is left out
    return trait_levels(source, design, kept)


def test_levels__numbers_by_their_quartiles__categories_as_they_are(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "part": ["x", "y"] * (ROWS // 2),
        "age": [99, *range(1, ROWS)],
        "flag": [0, 1] * (ROWS // 2),
    }
    found = levels(tmp_path, columns, Covariate("part"), Covariate("age"), Covariate("flag"), segment="part")

    # The segment counts once, under its own name.
    assert found.traits == (SEGMENT, "age", "flag")
    assert found.levels[0] == ("x", "y")
    assert found.levels[2] == ("0", "1")
    assert found.levels[1] == ("≤ 12.50", "12.50 < … ≤ 24.00", "24.00 < … ≤ 35.50", "> 35.50")
    assert np.bincount(found.codes[:, 1]).tolist() == [12, 12, 11, 12]
    # 24 is the upper end of its level.
    assert found.codes[23, 1] == 1


def test_levels__many_categories_and_holes__are_pooled_and_named(tmp_path: Path) -> None:
    cities = [f"c{min(place, 14):02d}" for place in range(ROWS)]
    columns: dict[str, list[Any]] = {"city": cities, "age": [None if row % 4 == 0 else row for row in range(ROWS)]}
    found = levels(tmp_path, columns, Covariate("city"), Covariate("age"), segment=None)

    assert len(found.levels[0]) == 11
    assert found.levels[0][-1] == OTHER
    assert "c14" in found.levels[0]
    assert (found.codes[:, 0] == 10).sum() == 4
    assert found.levels[1][-1] == "(missing)"
    assert (found.codes[:, 1] == len(found.levels[1]) - 1).sum() == 11


def test_levels__nothing_known__is_no_trait(tmp_path: Path) -> None:
    found = levels(tmp_path, {"arm": ["a"] * ROWS}, segment=None)

    assert found.traits == ()
    assert found.codes.shape == (ROWS - 1, 0)
