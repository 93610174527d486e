"""The flow of units: who met several variants is shown, counted in the first or, of older analyses, left out."""

from dataclasses import replace

import pytest

from experiments.analyse.read_out import read_out
from experiments.report.flow import flow
from tests.experiments.make_answers import draw_units, make_answers, make_plan
from tests.experiments.make_readout import CLEAN, TODAY


@pytest.mark.parametrize(
    ("tied", "rows"),
    [
        (
            2,
            [
                ("left out: met several variants at the same moment (units)", "2"),
                ("of these met a further variant later, and count in the first (units)", "5"),
                ("of these joined ids that had met different variants, and count in the first (persons)", "3"),
            ],
        ),
        (
            None,
            [
                ("left out: seen in several variants (units)", "5"),
                ("left out: joined ids that had met different variants (persons)", "3"),
            ],
        ),
    ],
)
def test_flow__several_variants__are_told_as_the_analysis_treated_them(
    tied: int | None, rows: list[tuple[str, str]]
) -> None:
    answers = replace(make_answers(draw_units(2_000)), several_variants=5, identity_conflicts=3, no_first_arm=tied or 0)
    readout = read_out(make_plan(), answers, CLEAN, today=TODAY)
    readout = replace(readout, flow=replace(readout.flow, no_first_arm=tied))

    found = [
        row for row in flow(readout).rows if str(row[0]).startswith(("left out", "of these met", "of these joined"))
    ]

    assert found == rows
