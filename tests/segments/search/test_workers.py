"""A segmentation is the same, to the last digit, with any number of workers; UMAP then runs in other processes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from runs import processes
from runs.parallel import use_workers
from segments.search.segmentation import Options, Segmentation, segment
from tests.marks import first_in_ci
from tests.segments.make import world_table

SMALL = Options(
    reference_rows=400,
    umap_rows=400,
    refit_rows=200,
    measure_rows=200,
    picture_rows=200,
    seeds=2,
    resamples=(4, 2),
    null_draws=(19, 19),
)


@pytest.fixture(autouse=True)
def _one_worker_afterwards() -> Iterator[None]:
    yield
    processes.close()
    use_workers(1)


def numbers(found: Segmentation) -> list[Any]:
    """All but the seconds."""
    rows = [replace(row, seconds=0.0) for row in found.scorecard]
    pictures = {name: (one.rows.tolist(), one.points.tolist()) for name, one in found.pictures.items()}
    return [found.labels.tolist(), rows, found.k_scores, found.null, found.stability, found.model, found.gaps, pictures]


@pytest.mark.slow
@pytest.mark.parametrize("numbers_of_workers", first_in_ci([[1, 4], [1, 2]]))
def test_segment__one_or_several_workers__gives_the_same_groups(numbers_of_workers: list[int]) -> None:
    table, simulation = world_table("planted_groups", seed=1, units=1_500)
    outcome = 1.0 - simulation.retained.astype(np.float64)
    found = []

    for number in numbers_of_workers:
        use_workers(number)
        result = segment(table, outcome=outcome, options=SMALL)
        assert isinstance(result, Segmentation)
        found.append(numbers(result))

    assert processes.take_spent()[0] > 0
    assert found[1] == found[0]
