"""A rung that is missing is said."""

from dataclasses import replace

from aha.report.candidate import ladder
from stats.results import NotComputable, Reason
from tests.aha.make_report import candidate


def test_ladder__missing_last_rung__says_why_and_keeps_the_raw_number() -> None:
    row = candidate()
    gone = replace(row.ladder.rungs[3], difference=NotComputable(Reason.NO_OVERLAP), adjusted=None)
    row = replace(row, ladder=replace(row.ladder, rungs=(*row.ladder.rungs[:3], gone)))

    assert ladder.finding(row).startswith("The raw difference is 37.5 points; how much is left can't be said.")
    assert ladder.overlap(row) == ""
