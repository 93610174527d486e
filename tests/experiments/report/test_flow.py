"""The flow of units: who met several variants is shown, counted in the first or, of older analyses, left out."""

from dataclasses import replace

import pytest

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.report.flow import flow
from tests.experiments.make_answers import draw_units, make_analysed, make_answers
from tests.experiments.make_readout import CLEAN, TODAY


@pytest.mark.parametrize(
    ("tied", "rows"),
    [
        (
            2,
            [
                ("left out: exposed to several groups at the same moment (users)", "2"),
                ("of these exposed to a further group later, counted in the first (users)", "5"),
                ("of these joined ids that had been in different groups, counted in the first (people)", "3"),
            ],
        ),
        (
            None,
            [
                ("left out: seen in several groups (users)", "5"),
                ("left out: joined ids that had been in different groups (people)", "3"),
            ],
        ),
    ],
)
def test_flow__several_variants__are_told_as_the_analysis_treated_them(
    tied: int | None, rows: list[tuple[str, str]]
) -> None:
    answers = replace(make_answers(draw_units(2_000)), several_variants=5, identity_conflicts=3, no_first_arm=tied or 0)
    readout = analyse_answers(make_analysed(), answers, CLEAN, today=TODAY)
    readout = replace(readout, flow=replace(readout.flow, no_first_arm=tied))

    found = [
        row for row in flow(readout).rows if str(row[0]).startswith(("left out", "of these exposed", "of these joined"))
    ]

    assert found == rows
