"""A chart's place is kept while it is drawn: its size is told from the specification, near what Vega makes of it."""

import re
from typing import Any

import pytest

from aha.report.page import draw
from insight_site.exports import pictures
from reporting.charts import alt, data, drawing, expected_size
from tests.aha.make_report import report

pytestmark = pytest.mark.slow
NAMES = ("a", "a name of middle length", "이름")


def true_size(spec: dict[str, Any]) -> tuple[float, ...]:
    found = re.search(r'width="([\d.]+)" height="([\d.]+)"', pictures.svg(spec, "x"))
    assert found is not None
    return tuple(float(side) for side in found.groups())


def bars(**more: Any) -> Any:
    rows = data([{"name": name, "n": place, "kind": name} for place, name in enumerate(NAMES)])
    return alt.Chart(rows).mark_bar().encode(x="n:Q", y="name:N", **more).properties(width=260, height=120)


def test_expected_size__of_a_study__is_near_the_true_one() -> None:
    drawings = draw(report(), "")

    assert len(drawings) > 4
    for one in drawings:
        assert one.label.count(" ") > 2, "read aloud: a sentence, not the chart's slug"
        (width, height), (true_width, true_height) = expected_size(one.spec), true_size(one.spec)
        assert height == pytest.approx(true_height, rel=0.12), one.slug
        if not one.slug.endswith("heat"):  # whose sentence below is wider than the few cells of these data
            assert width == pytest.approx(true_width, rel=0.12), one.slug


def charts() -> dict[str, Any]:
    side = bars(color=alt.Color("kind:N"))
    return {
        "legend beside": side,
        "legend below": bars(color=alt.Color("kind:N", legend=alt.Legend(orient="bottom"))).properties(width=420),
        "pixels a row": bars().properties(height=alt.Step(30)),
        "beside each other": alt.hconcat(bars(), bars(), spacing=30),
        "one above the other, with titles": alt.vconcat(bars(), side).properties(
            title=alt.TitleParams(["A finding in", "two lines"], subtitle=["and what it rests on"], offset=14)
        ),
        "without axes": bars().encode(x=alt.X("n:Q", axis=None), y=alt.Y("name:N", axis=None)),
    }


@pytest.mark.parametrize(
    "name",
    [
        "legend beside",
        "legend below",
        "pixels a row",
        "beside each other",
        "one above the other, with titles",
        "without axes",
    ],
)
def test_expected_size__of_each_form__is_near_the_true_one(name: str) -> None:
    spec = drawing("x", "x", charts()[name], marks=3).spec

    assert expected_size(spec) == pytest.approx(true_size(spec), rel=0.12)
