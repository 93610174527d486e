"""Every cell of a behaviour: in the table and in the picture."""

import pytest

from aha.report import cells, page
from tests.aha.make_report import candidate, report


def test_cells__invalid_days_and_marks() -> None:
    rows = cells.cell_map_table(cells.cell_map(report(), candidate()), candidate()).rows

    by_key = {row[:2]: row for row in rows}
    assert by_key["3", "2 ◆"][2] == "0.455"
    assert ("3", "1 ○") in by_key
    assert by_key["9", "1"][2].startswith("The behaviour's days overlap")
    assert len(rows) == 9


@pytest.mark.slow
def test_draw__heat__hatches_invalid_days_and_frames_the_indifference_set() -> None:
    found = {drawing.slug: drawing for drawing in page.draw(report())}

    rows = (
        [row for rows in found["c1-heat"].spec["datasets"].values() for row in rows if "days" in row]
        if ("datasets" in found["c1-heat"].spec)
        else found["c1-heat"].spec["vconcat"][0]["layer"][0]["data"]["values"]
    )
    assert {row["days"] for row in rows if row["invalid"]} == {9}
    assert [(row["days"], row["times"]) for row in rows if row["chosen"]] == [(3, 2)]
    assert [(row["days"], row["times"]) for row in rows if row["good"]] == [(3, 1)]
