"""Who counts, in numbers that add up."""

from aha.report import cohort
from tests.aha.make_report import report


def test_flow__numbers__add_up() -> None:
    rows = {row[0]: row[1] for row in cohort.flow(report()).rows}

    assert rows["signed up in the cohort"] == "1,050"
    assert rows["left out: their retention window isn't complete yet"] == "50"
    assert rows["eligible"] == "1,000"
