"""The proofs about several experiments, in short: the report covers, the plain sum is too large, interactions show."""

import numpy as np
import pytest

from benchmarks.several.figures import page
from benchmarks.several.runs import (
    cells_by_warehouse,
    cells_of,
    holdout_run,
    interaction_run,
    programme,
    sides_by_warehouse,
    sides_of,
    two_experiments,
)
from stats.interaction import interaction
from stats.results import NotComputable

pytestmark = pytest.mark.slow


def test_questions_to_the_log__give_what_the_world_holds() -> None:
    world = programme(5, 2_000)

    mine, theirs = sides_of(world), sides_by_warehouse(world, 5)

    assert mine.units == theirs.units
    for side, joint in mine.outcome.items():
        assert theirs.outcome[side].n == joint.n
        assert theirs.outcome[side].means == pytest.approx(joint.means)
        assert theirs.outcome[side].covariance == pytest.approx(joint.covariance)


def test_cells_of_two_experiments__are_those_of_the_world() -> None:
    world = two_experiments(5, 2_000, added=0.06)

    asked = cells_by_warehouse(world)

    assert not isinstance(asked, NotComputable)
    for mine, theirs in zip(cells_of(world), asked, strict=True):
        assert [cell.n for cell in theirs] == [cell.n for cell in mine]
        assert [cell.mean for cell in theirs] == pytest.approx([cell.mean for cell in mine])
        assert [cell.variance for cell in theirs] == pytest.approx([cell.variance for cell in mine])


def test_three_shipped_changes__the_report_covers_and_the_plain_sum_is_too_large() -> None:
    runs = [holdout_run(seed, 8_000) for seed in range(1, 41)]

    # 35 of 40 or fewer happen once in a thousand times at 95 %.
    assert sum(run.low <= run.truth <= run.high for run in runs) >= 34
    naive = np.array([run.naive[0] - run.winners for run in runs])
    shrunk = np.array([run.shrunk[0] - run.winners for run in runs])
    assert naive.mean() > 3 * naive.std() / len(runs) ** 0.5
    assert abs(shrunk.mean()) < naive.mean() / 2
    assert not any(run.broken for run in runs)


def test_interactions__planted_are_found_and_others_at_the_nominal_rate() -> None:
    planted = [interaction_run(seed, 24_000, added=0.06).p_value < 0.05 for seed in range(1, 21)]
    null = [interaction_run(seed, 4_000, added=0.0).p_value < 0.05 for seed in range(1, 201)]

    assert sum(planted) >= 18
    assert sum(null) <= 22  # 23 or more of 200 happen once in ten thousand times at 5 %
    assert isinstance(interaction(cells_of(two_experiments(1, 60, added=0.0))), NotComputable)


def test_page__says_each_figure() -> None:
    records = [
        {"proof": "holdout", "seed": 1, "truth": 0.03, "found": 0.04, "low": 0.02, "high": 0.06, "winners": 0.05,
         "naive": [0.08, 0.04, 0.12], "shrunk": [0.05, 0.02, 0.08], "broken": False},
        {"proof": "interaction_null", "seed": 1, "p_value": 0.5},
        {"proof": "interaction_planted", "seed": 1, "p_value": 0.01},
    ]  # fmt: skip

    text = page(records)

    assert "| holdout report | 1 of 1" in text
    assert "+3.00" in text
    assert "| both together add 6 points more | 1 of 1" in text
