"""A, B and C by number of times."""

import pytest

from aha.report.candidate.cells import splits
from tests.aha.make_report import candidate, report


def test_splits__only_the_candidates_days__shares_of_the_union() -> None:
    rows = splits(report(), candidate())

    assert [row.times for row in rows] == [1, 2, 3]
    assert [row.chosen for row in rows] == [False, True, False]
    assert [row.union for row in rows] == [700, 550, 460]
    assert rows[1].share(rows[1].b) == pytest.approx(250 / 550)
