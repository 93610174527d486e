"""A part carries the drawing of its picture; without a picture there is nothing to draw."""

from reporting.charts import Drawn, alt, data
from reporting.table import Part, drawings


def chart() -> Drawn:
    return alt.Chart(data([{"x": 1}])).mark_point().encode(x="x:Q"), 1


def test_drawings__of_sections__in_their_order_titled_by_the_finding() -> None:
    first = Part("one", "How many?", "One user.", None, draw=chart)
    without = Part("two", "How many now?", "Nobody.", None, draw=None)
    third = Part("three", "And now?", "Three users.", None, draw=chart, note="So far.")

    drawn = drawings((first, without, third))

    assert [(row.slug, row.label, row.marks) for row in drawn] == [
        ("one", "One user.", 1),
        ("three", "Three users.", 1),
    ]
    assert drawn[0].spec["title"]["text"] == ["One user."]


def test_part__its_drawing__takes_no_part_in_equality() -> None:
    assert Part("one", "How many?", "One user.", None, draw=chart) == Part("one", "How many?", "One user.", None)
    assert Part("one", "How many?", "One user.", None, draw=None).draw is None


def test_drawings__one_asked_for__the_others_are_not_drawn() -> None:
    def never() -> Drawn:
        raise AssertionError("only the part that is asked for is drawn")

    parts = (Part("one", "", "", None, draw=never), Part("two", "", "Two users.", None, draw=chart))

    assert [row.slug for row in drawings(parts, "two")] == ["two"]
    assert drawings(parts, "three") == ()
