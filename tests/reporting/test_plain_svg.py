"""Small charts without a library look as Altair's do."""

import re

import pytest

from reporting.charts import DASHES, lines, reading
from reporting.plain_svg import LETTER, Sheet, text_width


@pytest.mark.parametrize("place", range(6))
def test_line__of_each_place__is_dashed_as_in_altairs_charts(place: int) -> None:
    sheet = Sheet("s", "s", (0.0, 1.0), (0.0, 1.0))

    sheet.line([(0.0, 0.0), (1.0, 1.0)], "#000000", place)

    found = re.search(r'stroke-dasharray="([\d ]+)"', sheet.markup())
    wanted = DASHES[place % len(DASHES)]
    assert [int(length) for length in found[1].split()] == wanted if found else wanted == [1, 0]


def test_line__that_lacks_a_point__is_broken_there() -> None:
    sheet = Sheet("s", "s", (0.0, 4.0), (0.0, 1.0))

    sheet.line([(0.0, 0.0), (1.0, 0.0), None, (3.0, 1.0), (4.0, 1.0)], "#000000")

    assert sheet.markup().count("<polyline") == 2


def test_width_of_a_text__counts_a_syllable_as_two_letters_in_both_kits() -> None:
    assert text_width("aha 발견") == 8 * LETTER
    assert lines("발견 aha", width=8) == ["발견 aha"]
    assert lines("발견 aha", width=7) == ["발견", "aha"]


def test_marks__of_a_named_series__are_in_one_group_that_its_legend_entry_finds() -> None:
    sheet = Sheet("s", "s", (0.0, 1.0), (0.0, 1.0))

    with sheet.named("a & b"):
        sheet.line([(0.0, 0.0), (1.0, 1.0)], "#000000")
        sheet.dot(0.0, 0.0, "#000000", "a dot")
    sheet.readings([(0.5, reading("Day 1", [("a & b", "2%")]))])

    groups = re.findall(r'<g aria-label="a &amp; b"><(\w+)', sheet.markup())
    assert groups == ["polyline", "circle"]
    assert f'<g class="reading_marks"><line x1="{sheet.x(0.5)}"' in sheet.markup()
    assert 'aria-label="Day 1\na &amp; b\t2%"' in sheet.markup()
