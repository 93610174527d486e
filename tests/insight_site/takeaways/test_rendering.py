"""Charts whose names hold characters that end a line elsewhere."""

import json
from typing import Any

import pytest

from aha.report.page import draw as draw_study
from insight_site.exports.pictures import png, svg
from segments.report.page import draw as draw_segments
from tests.aha.make_report import report as study
from tests.segments.make_report import report as segmentation


def bar(*names: str) -> dict[str, Any]:
    return {
        "data": {"values": [{"name": name, "share": 0.5} for name in names]},
        "mark": "bar",
        "encoding": {
            "x": {"field": "share", "type": "quantitative"},
            "y": {"field": "name", "type": "nominal", "sort": list(names)},
            "color": {"condition": {"test": {"field": "name", "equal": names[0]}, "value": "red"}, "value": "blue"},
        },
    }


def renamed(spec: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    done: dict[str, Any] = json.loads(json.dumps(spec).replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1]))
    return done


@pytest.mark.parametrize(("separator", "sign"), [("\x85", "␤"), ("\u2028", "⏎"), ("\u2029", "¶")])
def test_svg__of_a_name_with_a_line_separator__shows_a_sign_in_its_place(separator: str, sign: str) -> None:
    chart = bar(f"level{separator}up", "level up")

    drawn = svg(chart, "ranking")

    assert f"level{sign}up" in drawn
    assert ">level up<" in drawn
    assert png(chart).startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["level\\u2028up", "level\\\\u2028up"])
def test_svg__of_a_name_that_spells_the_separator__leaves_it_alone(name: str) -> None:
    assert f">{name}<" in svg(bar(name), "ranking")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("subject", "slug", "old"),
    [
        ("study", "ranking", "friend_add"),
        ("study", "swarm", "friend_add"),
        ("segments", "heat", "battle"),
        ("segments", "ranking", "battle"),
    ],
)
def test_chart__of_a_report_with_such_a_name__is_drawn(subject: str, slug: str, old: str) -> None:
    drawings = draw_study(study()) if subject == "study" else draw_segments(segmentation())
    spec = renamed(next(row.spec for row in drawings if row.slug == slug), old, "friend\u2028add")

    assert "friend⏎add" in svg(spec, slug)
