"""A part carries the drawing of its picture; without a picture there is nothing to draw."""

from typing import Any

from reporting.charts import Drawn, alt, data
from reporting.table import Part, Section, drawings, drawn_part


def chart() -> Drawn:
    return alt.Chart(data([{"x": 1}])).mark_point().encode(x="x:Q"), 1


def undrawn() -> Any:
    raise AssertionError("nothing draws a part without a picture")


def test_drawings__of_sections__in_their_order_titled_by_the_finding() -> None:
    first = drawn_part("one", "How many?", "One user.", None, chart)
    without = drawn_part("two", "How many now?", "Nobody.", None, undrawn, picture=False)
    third = drawn_part("three", "And now?", "Three users.", None, chart, note="So far.")

    drawn = drawings((Section("a", "A", "", (first, without)), Section("b", "B", "", (third,))))

    assert [(row.slug, row.label, row.marks) for row in drawn] == [
        ("one", "One user.", 1),
        ("three", "Three users.", 1),
    ]
    assert drawn[0].spec["title"]["text"] == ["One user."]


def test_drawn_part__its_drawing__takes_no_part_in_equality() -> None:
    assert drawn_part("one", "How many?", "One user.", None, chart) == Part("one", "How many?", "One user.", None)
    assert drawn_part("one", "How many?", "One user.", None, undrawn, picture=False).draw is None
