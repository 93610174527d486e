"""Rows of candidates: numbers with their bars, and "n/a" with its reason where there is none."""

from dataclasses import replace

import pytest

from aha.report.candidates_table import caption, rows
from aha.study.step import LevelsOff, StepVerdict
from reporting.numbers import Absent
from stats.results import NotComputable, Reason
from tests.aha.make_report import candidate, report


def test_rows__one_candidate__says_gap_reach_and_on_whom() -> None:
    (row,) = rows(report(candidates=(candidate(),)))

    assert (row.place, row.did, row.other, row.gap) == (1, "58%", "21%", "+37")
    assert row.pair.label.startswith("training part")
    assert row.number == "2+ times within 3 days"
    assert row.reach_share == row.candidate.cell.b / 1_000 + row.candidate.cell.c / 1_000


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (StepVerdict.JUMP, "jump at 2"),
        (StepVerdict.LEVELS_OFF, "levels off at 4"),
        (StepVerdict.SMOOTH, "no jump"),
        (StepVerdict.CANNOT_TELL, "not clear"),
    ],
)
def test_rows__jump__is_said_in_words_beside_its_sign(verdict: StepVerdict, said: str) -> None:
    (row,) = rows(report(candidates=(candidate(step=verdict, levels_off=LevelsOff(7, 4)),)))

    assert row.jump == said
    assert row.sign


def test_rows__nothing_left_to_say__is_absent_with_its_reason() -> None:
    made = candidate()
    missing = NotComputable(Reason.NO_OVERLAP)
    rungs = tuple(replace(rung, difference=missing) for rung in made.ladder.rungs)
    (row,) = rows(report(candidates=(replace(made, ladder=replace(made.ladder, rungs=rungs)),)))

    assert isinstance(row.adjusted, Absent)
    assert row.adjusted.endswith(".")


def test_caption__not_all_were_held_out__names_the_rows() -> None:
    found = rows(report(candidates=(candidate(),)))
    everybody = tuple(replace(row, pair=replace(row.pair, judged=False)) for row in found)

    assert "no part in choosing" in caption(found)
    assert "named in each row" in caption(everybody)
