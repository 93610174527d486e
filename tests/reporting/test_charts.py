"""The shared look of charts: a dark twin, the rows behind them, and the style sheet that agrees."""

import re
import subprocess
import sys
from pathlib import Path

import altair as alt
import pytest

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


def test_darkened__chart__changes_paper_and_ink_but_neither_marks_nor_data() -> None:
    dark = charts.darkened(spec())

    assert dark["config"]["background"] == "#0f151d"
    assert dark["config"]["axis"]["labelColor"] == "#e6e9ee"
    assert dark["layer"][0]["mark"]["color"] == charts.BLUE
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
    text = CSS.read_text(encoding="utf-8")
    found = dict(re.findall(r'\[fill="(#\w+)" i\] { fill: light-dark\(\1, (#\w+)\); }', text))
    strokes = dict(re.findall(r'\[stroke="(#\w+)" i\] { stroke: light-dark\(\1, (#\w+)\); }', text))

    expected = {light: dark for light, dark in charts.DARK.items() if light not in ("#ffffff", "white")}
    assert found == strokes == expected


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
