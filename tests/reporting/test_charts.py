"""The shared look of charts: a dark twin, the rows behind them, and the style sheet that agrees."""

import re
import subprocess
import sys
from datetime import date
from html import unescape
from pathlib import Path

import altair as alt
import pytest
from altair.utils.schemapi import SchemaValidationError

from insight_site.exports import pictures
from reporting import charts

CSS = Path(__file__).resolve().parent.parent.parent / "insight_site" / "static" / "insight_site" / "tokens.css"


def spec() -> dict[str, object]:
    rows = alt.InlineData(values=[{"x": 1, "label": "#ffffff"}, {"x": 2, "label": charts.INK}])
    base = alt.Chart(rows)
    rule = alt.Chart(alt.InlineData(values=[{"at": 0.5}])).mark_rule(color=charts.INK).encode(x="at:Q")
    return charts.drawing(
        "s",
        "t",
        alt.layer(base.mark_point(color=charts.BLUE).encode(x="x:Q"), base.mark_text().encode(x="x:Q"), rule),
        marks=2,
    ).spec


def test_drawing__piece_that_vega_lite_does_not_know__is_refused() -> None:
    axis = charts.alt.Axis(labelAngle="steep")
    chart = charts.alt.Chart(charts.data([{"x": 1}])).mark_bar().encode(x=charts.alt.X("x:Q", axis=axis))

    with pytest.raises(SchemaValidationError):
        charts.drawing("s", "t", chart, marks=1)


def test_darkened__chart__changes_paper_ink_and_marks_but_no_data() -> None:
    dark = charts.darkened(spec())

    assert dark["config"]["background"] == "#0f151d"
    assert dark["config"]["axis"]["labelColor"] == "#e6e9ee"
    assert dark["layer"][0]["mark"]["color"] == charts.TWINS[charts.BLUE]
    assert dark["layer"][2]["mark"]["color"] == "#e6e9ee"
    assert "#ffffff" in [row.get("label") for rows in dark["datasets"].values() for row in rows]


def test_darkened__chart__leaves_the_light_one_alone() -> None:
    light = spec()
    charts.darkened(light)

    assert light == spec()


def test_columns__two_sets_of_rows__each_once_and_told_apart() -> None:
    names, rows = charts.columns(spec())

    assert names == ("set", "x", "label", "at")
    assert rows == [
        {"set": 1, "x": 1, "label": "#ffffff"},
        {"set": 1, "x": 2, "label": charts.INK},
        {"set": 2, "at": 0.5},
    ]


def test_columns__data_kept_by_name__are_found() -> None:
    named = {"data": {"name": "d"}, "datasets": {"d": [{"x": 1}]}, "mark": "point"}

    assert charts.columns(named) == (("x",), [{"x": 1}])


def test_columns__chart_without_rows__is_empty() -> None:
    assert charts.columns({"layer": [{"data": {"values": [{}]}}]}) == ((), [])


def test_style_sheet__dark_charts__take_the_same_colours() -> None:
    text = " ".join(CSS.read_text(encoding="utf-8").split())
    found = dict(re.findall(r'\[fill="(#\w+)" i\] { fill: light-dark\((?i:\1), (#\w+)\); }', text))
    strokes = dict(re.findall(r'\[stroke="(#\w+)" i\] { stroke: light-dark\((?i:\1), (#\w+)\); }', text))

    expected = {light: dark for light, dark in charts.DARK.items() if light not in ("#ffffff", "white")}
    assert found == strokes == expected


def luminance(colour: str) -> float:
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def papers() -> tuple[list[str], list[str]]:
    """What charts stand on, as the style sheet says: light and dark."""
    found = re.findall(r"--(?:paper|wash): light-dark\((#\w+), (#\w+)\);", CSS.read_text(encoding="utf-8"))
    light, dark = zip(*found, strict=True)
    return [*light], [*dark]


@pytest.mark.parametrize("colour", [*charts.TWINS])
def test_colour__of_lines_and_letters__has_contrast_on_every_paper(colour: str) -> None:
    light, dark = papers()

    assert len(light) == 2
    assert min(contrast(colour, paper) for paper in light) >= 4.5
    assert min(contrast(charts.DARK[colour], paper) for paper in dark) >= 4.5


def test_series__have_a_twin_each() -> None:
    assert {*charts.SERIES} <= {*charts.TWINS}
    assert len({*charts.SERIES}) == len(charts.SERIES) == 10


@pytest.mark.parametrize(
    ("area", "letters"), [(charts.DEEP, "#FFFFFF"), (charts.SKY, charts.ON_MARK), (charts.AMBER, charts.ON_MARK)]
)
def test_area__under_letters__keeps_its_colour_and_their_contrast(area: str, letters: str) -> None:
    assert contrast(area, letters) >= 4.5
    assert area not in charts.DARK
    assert letters not in charts.DARK


def test_charts__of_all_apps__take_their_colours_from_the_palette() -> None:
    root = CSS.parent.parent.parent.parent
    files = [
        path for app in ("aha", "segments", "experiments", "launches", "events") for path in (root / app).rglob("*.py")
    ]
    own = {
        f"{path.relative_to(root)}: {colour}"
        for path in files
        for colour in re.findall(r'"(#[0-9A-Fa-f]{6})"', path.read_text(encoding="utf-8"))
        if colour.upper() not in ("#FFFFFF", "#F3F4F6", "#F8FAFC")  # paper, and the pale end of a scale
    }

    assert own == set()


def test_dark_paper__is_the_pages_own() -> None:
    assert re.search(rf"--wash: light-dark\(#\w+, {charts.DARK['#ffffff']}\);", CSS.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "found"),
    [("one two", ["one two"]), ("aaaa bbbb", ["aaaa", "bbbb"]), ("가나 다", ["가나", "다"]), ("x" * 20, ["x" * 20])],
)
def test_lines__width_six_or_seven__hangul_counts_twice(text: str, found: list[str]) -> None:
    assert charts.lines(text, 7 if text.startswith("one") else 6) == found


@pytest.mark.slow
def test_charts__imported__load_no_altair_before_they_draw() -> None:
    root = CSS.parent.parent.parent.parent
    names = [
        path.relative_to(root).with_suffix("").as_posix().replace("/", ".")
        for app in ("aha", "segments", "experiments", "reporting")
        for path in (root / app).rglob("*.py")
        if "alt." in path.read_text(encoding="utf-8")
    ]
    script = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\nprint('altair' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)

    assert len(names) > 6
    assert done.stdout.strip() == "False"


TWO_THREADS = """
import sys, threading
from reporting.charts import alt

sys.setswitchinterval(1e-6)
wrong, both = [], threading.Barrier(2)


def load():
    both.wait()
    import pandas


def draw():
    both.wait()
    try:
        alt.Chart(alt.InlineData(values=[{"x": 1}])).mark_bar().encode(x="x:Q").to_dict()
    except Exception as error:
        wrong.append(repr(error))


threads = [threading.Thread(target=one) for one in (load, draw)]
for one in threads:
    one.start()
for one in threads:
    one.join()
print(wrong)
"""


@pytest.mark.slow
def test_charts__drawn_while_another_thread_loads_pandas__waits_for_it() -> None:
    """Without the wait: "partially initialized module 'pandas' has no attribute 'Timestamp'", a 500 under runserver."""
    root = CSS.parent.parent.parent.parent

    done = subprocess.run([sys.executable, "-c", TWO_THREADS], capture_output=True, text=True, check=True, cwd=root)

    assert done.stdout.strip() == "[]"


# ── Scales from the data, and what is read ────────────────────────────────────
def test_shades__of_one_odd_cell__leave_the_others_apart() -> None:
    cells = [0.05 + 0.01 * place for place in range(20)] + [1.0]
    scale = charts.shade_range(cells)

    assert [*scale] == pytest.approx([0.06, 0.24])
    assert len({charts.shade_of(cell, scale, 9) for cell in cells[:20]}) == 9
    assert charts.shade_of(1.0, scale, 9) == 9  # beyond the scale: its last colour


@pytest.mark.parametrize(
    ("values", "value", "shade"),
    [([], 0.2, 5), ([0.2], 0.2, 9), ([0.2, 0.2], 0.2, 5), ([0.1, 0.2], 0.0, 0), ([0.1, 0.2], 0.1, 1)],
)
def test_shades__of_few_or_equal_cells__are_defined(values: list[float], value: float, shade: int) -> None:
    assert charts.shade_of(value, charts.shade_range(values), 9) == shade


def test_mondays__with_a_week_missing__keep_its_room() -> None:
    weeks = [date(2026, 1, 5), date(2025, 12, 22)]

    assert charts.mondays(weeks) == [date(2025, 12, 22), date(2025, 12, 29), date(2026, 1, 5)]
    assert charts.mondays([]) == []


def test_date_ticks__over_new_year__say_the_year_where_it_changes() -> None:
    weeks = charts.mondays([date(2025, 12, 15), date(2026, 1, 26)])

    assert charts.date_ticks(weeks, most=4) == [(0, "2025-12-15"), (2, "12-29"), (4, "2026-01-12"), (6, "01-26")]
    assert charts.date_ticks([]) == []


@pytest.mark.parametrize(
    ("first", "last", "ticks"),
    [
        (1, 5, [1, 2, 3, 4, 5]),
        (1, 28, [1, 7, 14, 21, 28]),
        (0, 21, [0, 7, 14, 21]),
        (1, 90, [1, 14, 28, 42, 56, 70, 84]),
    ],
)
def test_day_ticks__begin_with_the_first_day_and_go_on_in_weeks(first: int, last: int, ticks: list[int]) -> None:
    assert charts.day_ticks(first, last) == ticks


@pytest.mark.slow
def test_week_axis__rendered__has_weeks_as_far_apart_as_they_are_and_the_year_once() -> None:
    weeks = ["2025-12-22", "2026-01-05", "2026-01-12"]  # a week is missing
    x = charts.week_axis(weeks, "week", width=400)
    base = charts.alt.Chart(charts.data([{"week": week, "n": 1} for week in reversed(weeks)]))
    texts = {week: charts.reading(week, [("all", "1")]) for week in weeks}
    chart = charts.alt.layer(base.mark_point().encode(x=x, y="n:Q"), charts.readings(x, "week", texts))

    picture = unescape(pictures.svg(charts.drawing("s", "t", chart.properties(width=400), marks=3).spec, "s"))

    at = dict(re.findall(r'<line aria-label="([\d-]+)\nall\t1"[^>]*translate\(([\d.]+),', picture))
    first, second, third = (float(at[week]) for week in weeks)
    assert second - first == pytest.approx(2 * (third - second))
    assert picture.count("2025</tspan>") == picture.count("2026</tspan>") == 1


def test_columns__of_a_chart_that_is_read__are_the_rows_drawn_alone() -> None:
    x = charts.day_axis([1, 2], "day")
    base = charts.alt.Chart(charts.data([{"day": 1}, {"day": 2}])).mark_point().encode(x=x)
    chart = charts.alt.layer(base, charts.readings(x, "day", {1: charts.reading("Day 1"), 2: charts.reading("Day 2")}))

    assert charts.columns(charts.drawing("s", "t", chart, marks=2).spec) == (("day",), [{"day": 1}, {"day": 2}])


def test_reading__with_breaks_in_a_name__stays_a_line_per_series() -> None:
    rows = [{"name": "a\nb", "day": 1, "n": 2}, {"name": "c", "day": 1, "n": 3}]

    said = charts.by_place(rows, "day", lambda row: str(row["n"]))

    assert charts.reading("Day\t1", said[1]) == "Day 1\na b\t2\nc\t3"
