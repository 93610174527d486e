"""The effect by week: what the title says, what is drawn, and that the renderer takes it."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from experiments.report.over_time import novelty_draw as draw
from experiments.report.over_time import novelty_finding as finding
from experiments.report.over_time import novelty_part_of as part_of
from stats.novelty import effect_by_week
from stats.summaries import Mean
from tests.experiments.make_readout import make_readout
from tests.experiments.report.over_time.make_charts import HANGUL, assert_rendered, drawing_of, rows_of, weekly


@pytest.mark.slow
def test_chart__rendered__is_a_picture_with_its_title_and_hangul() -> None:
    found = {HANGUL: weekly([0.4, 0.35, 0.3])}

    assert_rendered(drawing_of(finding(found, share=True), draw(found, share=True)))


@pytest.mark.parametrize(
    ("lifts", "beginning"),
    [
        ([0.42, 0.36, 0.30], "a: the effect fades with later enrolment, from +12.0 points to 0.0 points (p"),
        ([0.30, 0.36, 0.42], "a: the effect grows with later enrolment, from 0.0 points to +12.0 points (p"),
        ([0.42, 0.30, 0.18], "a: the effect turns with later enrolment, from +12.0 points to −12.0 points (p"),
        ([0.36, 0.36, 0.36], "a: no steady change"),
        ([0.36, 0.36], "a: Too few weeks"),
    ],
)
def test_novelty_finding__trend__is_told(lifts: list[float], beginning: str) -> None:
    text = finding({"a": weekly(lifts)}, share=True)
    assert text.replace("+0.00", "0.00").startswith(beginning)


def test_novelty_chart__small_week__is_hollow_and_outside_the_line() -> None:
    novelty = effect_by_week(
        [
            (date(2026, 1, 5) + timedelta(weeks=k), Mean.from_counts(n // 3, n), Mean.from_counts(n // 2, n))
            for k, n in enumerate((900, 900, 900, 30))
        ]
    )
    spec = drawing_of("", draw({"a": novelty}, share=True)).spec
    points = rows_of(spec, "tested")
    assert [row["tested"] for row in points] == [True, True, True, False]
    line = [row for row in rows_of(spec, "estimate") if "tested" not in row]
    assert [row["week"] for row in line] == ["2026-01-05", "2026-01-19"]
    assert [row["estimate"] for row in line] == pytest.approx([100 / 6, 100 / 6])


def test_part__no_week_with_an_effect__has_no_picture() -> None:
    readout = make_readout()
    empty = tuple(replace(row, novelty=effect_by_week([])) for row in readout.over_time)

    whole, without = part_of(readout), part_of(replace(readout, over_time=empty))

    assert whole is not None
    assert without is not None
    assert (whole.picture, without.picture, without.table) == (True, False, None)
