"""D-n retention minus control: what the title says, what is drawn, and that the renderer takes it."""

from dataclasses import replace

import pytest

from experiments.report.over_time import daily_difference_draw as draw
from experiments.report.over_time import daily_difference_finding as finding
from experiments.report.over_time import daily_difference_part_of as part_of
from experiments.report.over_time import day_ranges
from stats.survival.day_curve import curve_difference
from tests.experiments.make_readout import make_readout
from tests.experiments.report.over_time.make_charts import (
    HANGUL,
    assert_rendered,
    days,
    difference,
    drawing_of,
    rows_of,
)
from tests.stats.make import computed


@pytest.mark.slow
def test_chart__rendered__is_a_picture_with_its_title_and_hangul() -> None:
    found = {HANGUL: difference(0.4), "b": difference(0.3)}

    assert_rendered(drawing_of(finding(found), draw(found)))


def test_difference_chart__days_beyond_the_band__are_filled_and_named() -> None:
    variant = days(0.3) | {3: (997, 400), 4: (996, 200)}
    curve = computed(curve_difference(days(0.3), variant))
    found = drawing_of(finding({"a": curve}), draw({"a": curve}))
    assert found.label == (
        "a: higher than control on day 3, all days considered together. "
        "a: lower than control on day 4, all days considered together."
    )
    rows = rows_of(found.spec, "band_low")
    assert [row["day"] for row in rows if row["apart"]] == [3, 4]
    assert [row["day"] for row in rows] == [1, 2, 3, 4, 5]  # on day 0 everybody is active
    assert rows[2]["estimate"] == pytest.approx(100 * (400 - 299) / 997)
    assert finding({"a": difference(0.3)}).startswith("a: no day differs")
    assert part_of(replace(make_readout(), over_time=())) is None


@pytest.mark.parametrize(
    ("given", "text"), [([], ""), ([4], "4"), ([1, 2], "1–2"), ([1, 2, 3, 7, 9, 10], "1–3, 7, 9–10")]
)
def test_day_ranges__rising_days__are_runs(given: list[int], text: str) -> None:
    assert day_ranges(given) == text
