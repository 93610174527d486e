"""Shared parts of all charts: colours that colour-blind readers can tell apart, fonts with Hangul, titles, axes.

Importing Altair takes a second, and a web process draws nothing: `alt` imports it at the first use. Nothing may use
`alt` while a module is being imported, in a constant or an annotation (a test checks this).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import east_asian_width

# Okabe and Ito (2008): distinguishable with every common form of colour blindness.
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREY = "#6B7280"
LIGHT = "#D1D5DB"
INK = "#1F2937"
ON_MARK = "#111827"  # text upon a coloured mark: stays dark also in the dark theme
GRID = "#EEF0F3"
FONT = "Pretendard, 'Noto Sans CJK KR', 'Noto Sans KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"

GREEN = "#009E73"
PURPLE = "#CC79A7"
YELLOW = "#E69F00"
SKY = "#56B4E9"
# Colours that the dark theme uses for paper, ink and lines; marks keep their colours, which have a contrast of at least
# 3:1 on either paper. The style sheet does the same for inline charts (tests compare the two).
DARK = {"#ffffff": "#0f151d", "white": "#0f151d", INK: "#e6e9ee", GREY: "#a3adba", LIGHT: "#4a5666", GRID: "#263140"}
SERIES = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY, "#7F3C8D", "#4B4B4B", "#A5AA99", "#11A579")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4])
LINE = 84  # width of a chart's title in letters

type Mark = dict[str, Any]
type Drawn = tuple[Any, int]  # an Altair chart and its number of marks


class _Altair:
    def __getattr__(self, name: str) -> Any:
        _finish_pandas()
        import altair

        return getattr(altair, name)


def _finish_pandas() -> None:
    """Finish importing pandas: Altair uses it if it is loaded, and fails while another thread is still importing it.

    This import waits until that one has finished.
    """
    import pandas as pandas


alt: Any = _Altair()


@dataclass(frozen=True)
class Drawing:
    """A chart ready to be rendered.

    Attributes:
        slug: short name, unique within a report.
        label: what it shows, in the reader's language: the title that states the finding, read aloud by screen readers.
        spec: the Vega-Lite specification, with inline values only.
        marks: how many points, bars or lines it draws; many are rendered as PNG, since each is an element of an SVG.
    """

    slug: str
    label: str
    spec: dict[str, Any]
    marks: int


def drawing(slug: str, label: str, chart: Any, *, marks: int) -> Drawing:
    """A chart of Altair in the shared look."""
    return Drawing(slug, label, chart.configure(**theme()).to_dict(), marks)


def titled(slug: str, finding: str, made: Drawn) -> Drawing:
    """The chart with its finding as title, unless it already has one."""
    chart, marks = made
    if chart.title is alt.Undefined:
        chart = chart.properties(title=headline(finding))
    return drawing(slug, finding, chart, marks=marks)


# ── Pieces of charts ──────────────────────────────────────────────────────────
def data(rows: Sequence[Mark]) -> Any:
    """Rows as inline chart data."""
    return alt.InlineData(values=list(rows))


def headline(text: str) -> Any:
    """The finding as the chart's title, wrapped to fit."""
    return alt.TitleParams(lines(text), offset=14)


def lines(text: str, width: int = LINE) -> list[str]:
    """Wrap a text at so many Latin letters (a Hangul syllable counts as two): Vega cuts off what doesn't fit."""
    found: list[str] = []
    room = 0.0
    for word in text.split(" "):
        size = letters(word)
        if found and size + 1 <= room:
            found[-1] += f" {word}"
            room -= size + 1
        else:
            found.append(word)
            room = width - size
    return found


def letters(text: str, wide: float = 2) -> float:
    """Width of a text in Latin letters; a Hangul syllable counts as `wide`."""
    return sum(wide if east_asian_width(sign) in "WF" else 1 for sign in text)


def categories(labels: Sequence[str], *, shown: bool = True, **axis: Any) -> Any:
    """A category axis in the rows' order, without ticks."""
    looks = alt.Axis(ticks=False, domain=False, labelPadding=8, labels=shown, **axis)
    return alt.Y("label:N", sort=list(labels), title=None, axis=looks)


def share_axis() -> Any:
    """An axis of shares in whole percent."""
    return alt.Axis(format=".0%", tickCount=6)


def rule(at: float = 0.0, *, channel: str = "x", colour: str = INK) -> Any:
    """A dashed line across the chart, at 0 by default."""
    return alt.Chart(data([{"at": at}])).mark_rule(color=colour, strokeDash=[4, 3]).encode(**{channel: "at:Q"})


def forest(base: Any, title: str | list[str], *, colour: Any = None, shape: Any = None) -> list[Any]:
    """A line at 0, an interval for each row that has one, and a point for each.

    Args:
        base: a chart of rows with `estimate`, `low` and `high` (None without interval), with its category axis.
        title: of the number's axis, with the unit.
        colour: channel, by a column of the rows; blue if None.
        shape: channel; circles if None.
    """
    paint: Mark = {"color": BLUE} if colour is None else {}
    channels: Mark = {} if colour is None else {"color": colour}
    x = alt.X("low:Q", title=title, scale=alt.Scale(zero=True))
    bounded = base.transform_filter("datum.low !== null").mark_rule(strokeWidth=2.5, **paint)
    points = base.mark_point(filled=True, size=90, opacity=1, **paint)
    shapes: Mark = {} if shape is None else {"shape": shape}
    return [rule(), bounded.encode(x=x, x2="high:Q", **channels), points.encode(x="estimate:Q", **channels, **shapes)]


# ── Finished charts ───────────────────────────────────────────────────────────
def darkened(spec: dict[str, Any]) -> dict[str, Any]:
    """The chart with the colours of a dark page; its data stay as they are."""

    def change(node: Any, name: str = "") -> Any:
        if isinstance(node, dict):
            return {key: value if key in ("values", "datasets") else change(value, key) for key, value in node.items()}
        if isinstance(node, list):
            return [change(value, name) for value in node]
        return DARK.get(node, node) if isinstance(node, str) and name in PAINTED else node

    dark: dict[str, Any] = change(spec)
    return dark


PAINTED = frozenset(
    (
        "background",
        "color",
        "fill",
        "stroke",
        "value",
        "labelColor",
        "titleColor",
        "gridColor",
        "domainColor",
        "tickColor",
        "subtitleColor",
    )
)


def columns(spec: dict[str, Any]) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """The data behind a chart as one table: its columns in order of appearance, and its rows.

    A chart of several layers has several data sets, of which most layers share one; each appears once. If there is more
    than one, the column ``set``, counted from 1, says which one a row belongs to.
    """
    sets: list[list[dict[str, Any]]] = []

    def collect(node: Any) -> None:
        if isinstance(node, list):
            for value in node:
                collect(value)
        elif isinstance(node, dict):
            for key, value in node.items():
                if key == "data" and isinstance(value, dict):
                    rows = value.get("values") or spec.get("datasets", {}).get(value.get("name", ""), [])
                    if rows and any(rows) and rows not in sets:
                        sets.append(rows)
                elif key != "datasets":
                    collect(value)

    collect(spec)
    named = [
        {**({"set": place} if len(sets) > 1 else {}), **row} for place, rows in enumerate(sets, start=1) for row in rows
    ]
    return tuple(dict.fromkeys(name for row in named for name in row)), named


def theme() -> dict[str, Any]:
    """Vega-Lite configuration shared by all charts."""
    return {
        "background": "#ffffff",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": INK,
            "titleColor": INK,
            "titleFontWeight": "normal",
            "labelFontSize": 12,
            "titleFontSize": 12,
            "gridColor": GRID,
            "domainColor": LIGHT,
            "tickColor": LIGHT,
            "labelLimit": 260,
        },
        "title": {"color": INK, "fontSize": 14, "anchor": "start", "fontWeight": 600, "subtitleColor": GREY},
        "legend": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12},
    }


# The expected size of a chart, computed from its specification: reserves its place on a page while it is drawn.

EDGE = 5  # pixels that Vega leaves around a chart
LETTER = 5.9  # pixels of a Latin letter on axes and in legends, at 12 pixels
SIDE = 300  # of a plot whose specification gives no size

type Size = tuple[float, float]
type Rows = list[dict[str, Any]]
type Layer = tuple[dict[str, Any], Rows]  # its encoding, and the rows that it draws


def expected_size(spec: dict[str, Any]) -> tuple[int, int]:
    """About how many pixels wide and high Vega will make a chart.

    The exact size is known when Vega has measured each text, which takes as long as drawing. This counts letters; over
    the charts of all reports it is 2 % off on average (tests hold it to 12 %).
    """
    width, height = _size(spec, {}, spec.get("datasets", {}))
    return round(width) + 2 * EDGE, round(height) + 2 * EDGE


def _size(spec: dict[str, Any], data: dict[str, Any], sets: dict[str, Rows]) -> Size:
    data = spec.get("data", data)
    gap = spec.get("spacing", 20)
    if "vconcat" in spec:
        parts = [_size(part, data, sets) for part in spec["vconcat"]]
        size = max(part[0] for part in parts), sum(part[1] for part in parts) + gap * (len(parts) - 1)
    elif "hconcat" in spec:
        parts = [_size(part, data, sets) for part in spec["hconcat"]]
        size = sum(part[0] for part in parts) + gap * (len(parts) - 1), max(part[1] for part in parts)
    else:
        size = _plot(spec, list(_layers(spec, data, sets)))
    return _with_title(size, spec.get("title"))


def _with_title(size: Size, title: Any) -> Size:
    if not isinstance(title, dict):
        return size
    head, below, font = _lines(title.get("text")), _lines(title.get("subtitle")), title.get("fontSize", 14)
    height = size[1] + (font + 2) * len(head) - 2 + title.get("offset", 4)
    if below:
        height += 13 * len(below) + title.get("subtitlePadding", 3) + 2
    return max(size[0], *(_wide(line, font * 0.49) for line in head), *(_wide(line, 5.1) for line in below)), height


def _layers(spec: dict[str, Any], data: dict[str, Any], sets: dict[str, Rows]) -> Iterator[Layer]:
    data, encoding = spec.get("data", data), spec.get("encoding", {})
    if "layer" not in spec:
        yield encoding, data.get("values") or sets.get(data.get("name", ""), [])
    for layer in spec.get("layer", ()):
        yield from _layers({**layer, "encoding": encoding | layer.get("encoding", {})}, data, sets)


def _plot(spec: dict[str, Any], layers: list[Layer]) -> Size:
    width, height = spec.get("width", SIDE), spec.get("height", SIDE)
    names, labelled, title = _axis(layers, "y")
    if isinstance(height, dict):  # a number of pixels per row
        height = height["step"] * len(names)
    beside = (max((_wide(name) for name in names), default=24.0) + 12 if labelled else 0) + 15 * title
    names, labelled, title = _axis(layers, "x")
    if isinstance(width, dict):
        width = width["step"] * len(names)
    return _with_legend((width + beside, height + (19 if labelled else 0) + 17 * title), layers)


def _axis(layers: list[Layer], channel: str) -> tuple[list[str], bool, int]:
    """The category names of an axis, whether it has labels, and the lines of its title."""
    used = [(layer[channel], rows) for layer, rows in layers if "field" in layer.get(channel, {})]
    used = [(one, rows) for one, rows in used if one.get("axis", {}) is not None]
    names = [
        str(row[one["field"]])[: int(one.get("axis", {}).get("labelLimit", 260) / LETTER)]
        for one, rows in used
        if one.get("type") in ("nominal", "ordinal")
        for row in rows
        if row.get(one["field"]) is not None
    ]
    labelled = bool(used) and all(one.get("axis", {}).get("labels", True) for one, _rows in used)
    title = max((len(_lines(one.get("title", one["field"]))) for one, _rows in used), default=0)
    return list(dict.fromkeys(names)), labelled, title


def _with_legend(size: Size, layers: list[Layer]) -> Size:
    """Space for the first legend; channels of one field share a legend."""
    for layer, rows in layers:
        for one in (layer.get("color", {}), layer.get("shape", {})):
            legend = one.get("legend", {})
            if "field" in one and legend is not None:
                names = {str(row[one["field"]]) for row in rows if row.get(one["field"]) is not None}
                return _beside(size, legend, _lines(legend.get("title", one.get("title"))), sorted(names), one)
    return size


def _beside(size: Size, legend: dict[str, Any], title: list[str], names: list[str], one: dict[str, Any]) -> Size:
    width, height = size
    if one.get("type") == "quantitative":  # a colour bar with a few numbers
        names, height = ["0.0"], max(height, legend.get("gradientLength", 0) + 19 * len(title))
    if legend.get("orient", "right") == "right":
        return width + 18 + max(0.0, *(22 + _wide(name) for name in names), *(_wide(line) for line in title)), height
    return max(width, sum(30 + _wide(name) for name in names)), height + 32 + (16 if title else 0)


def _lines(text: Any) -> list[str]:
    if isinstance(text, list):
        return text
    return [text] if text else []


def _wide(text: Any, letter: float = LETTER) -> float:
    return letter * letters(str(text), wide=1.8)
