"""In how many segments a candidate holds."""

from dataclasses import replace

import pytest

from aha.report import subgroups
from aha.study.numbers import Interval
from tests.aha.make_report import candidate, cell


@pytest.mark.parametrize(
    ("share", "low", "said"), [(0.0, -0.01, "In 0 of 2"), (0.1, 0.0, "In 0 of 2"), (0.1, 0.001, "In 2 of 2")]
)
def test_segments__interval_at_zero__is_not_clearly_more(share: float, low: float, said: str) -> None:
    row = candidate()
    same = cell(difference=Interval(share, low, 0.2))
    row = replace(row, by_segment=tuple(replace(part, cell=same) for part in row.by_segment))

    assert subgroups.by_segment_finding(row).startswith(said)
