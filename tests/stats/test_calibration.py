"""The calibration of docs/calibration.md in short, so that it can't rot: fewer runs, wide bands."""

import importlib
from typing import Any

import pytest
from scipy import stats

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.proof]

# benchmarks/ is no package that the product imports: mypy and the import contracts leave it alone.
calibration = importlib.import_module("benchmarks.calibration")

RUNS, SLOW_RUNS, SEED = 1_500, 200, 7
# A hundred rows, each outside by luck once in ten thousand runs; the seed is fixed anyway.
BAND = 0.9999
DEVIATIONS = 3.9  # of the same probability, for a share's own error


@pytest.fixture(scope="module")
def found() -> Any:
    return calibration.measure(RUNS, SEED, slow_runs=SLOW_RUNS)


def _band(row: Any) -> tuple[float, float]:
    low, high = stats.binom.interval(BAND, row.runs, row.level)
    return float(low) / row.runs, float(high) / row.runs


def _error(row: Any) -> float:
    return float((row.share * (1 - row.share) / row.runs) ** 0.5)


def test_alarms__without_effect__keep_their_level(found: Any) -> None:
    outside = []
    for row in found.alarms:
        low, high = _band(row)
        if row.share > high or (row.share < low and not row.bounded):
            outside.append((row.name, row.level, row.share))
    assert outside == []


def test_alarms__looking_every_evening__stay_below_the_level(found: Any) -> None:
    promised = [row for row in found.peeking if row.name != "naive"]
    # Three levels each: confidence sequence, two spendings, and two closings when promising (with the closing rule).
    assert len(promised) == 15
    assert [(row.name, row.level, row.share) for row in promised if row.share > _band(row)[1]] == []


def test_alarms__naive_looks__break_the_level(found: Any) -> None:
    naive = [row for row in found.peeking if row.name == "naive"]
    assert len(naive) == 3
    assert all(row.share > 2 * row.level for row in naive), "if even these pass, the looks are not looked at"


def test_coverage__known_truth__holds_95_percent_less_a_point(found: Any) -> None:
    promised = [row for row in found.coverage if row.promised]
    assert [(row.name, row.share) for row in promised if row.share + DEVIATIONS * _error(row) < 0.94] == []


def test_power__planned_size__finds_what_was_calculated(found: Any) -> None:
    far = [row for row in found.power if abs(row.share - row.calculated) > 0.02 + DEVIATIONS * _error(row)]
    assert [(row.name, row.calculated, row.share) for row in far] == []
