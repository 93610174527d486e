"""Shared parts of all charts: colours that colour-blind readers can tell apart, fonts with Hangul, titles, axes.

Importing Altair takes a second, and a web process draws nothing: `alt` imports it at the first use. Nothing may use
`alt` while a module is being imported, in a constant or an annotation (a test checks this).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from statistics import quantiles
from typing import Any
from unicodedata import east_asian_width

# Colours of lines and letters: each has a contrast of at least 4.5:1 on every paper of the site, and a twin that has it
# in the dark theme. In the order of Okabe and Ito (2008), darkened: with dashes and shapes they stay distinguishable
# with every common form of colour blindness. The style sheet has the same pairs for inline charts (tests compare both).
BLUE, ORANGE, GREEN, PURPLE, YELLOW = "#0072B2", "#B84E00", "#007A5A", "#A3467D", "#8A6100"
GREY, INK = "#667080", "#1F2937"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, "#7F3C8D", "#0B7285", "#5F6B00", "#B3261E", "#4B4B4B")
TWINS = {
    BLUE: "#6db9ee",
    ORANGE: "#ff9a52",
    GREEN: "#3cc99b",
    PURPLE: "#e8a0ca",
    YELLOW: "#f0b94a",
    "#7F3C8D": "#c79bd6",
    "#0B7285": "#4fc4d6",
    "#5F6B00": "#c3d05a",
    "#B3261E": "#ff958c",
    "#4B4B4B": "#bdbdbd",
    GREY: "#a3adba",
    INK: "#e6e9ee",
}
# Colours of areas, grids and edges, with their twins.
BAR, PALE, LIGHT, GRID = "#5598C7", "#9CA3AF", "#D1D5DB", "#EEF0F3"
AREAS = {BAR: "#2f6796", PALE: "#6b7788", LIGHT: "#4a5666", GRID: "#263140"}
# Areas under letters keep their colours in the dark theme, as the letters do: white ones upon `DEEP`, `ON_MARK` else.
DEEP, SKY, AMBER, ON_MARK = "#00699F", "#56B4E9", "#E69F00", "#111827"
DARK = {"#ffffff": "#0f151d", "white": "#0f151d", **TWINS, **AREAS}
FONT = "Pretendard, 'Noto Sans CJK KR', 'Noto Sans KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4])
DATE_LABEL = 48  # pixels that a date needs on an axis
LINE = 84  # width of a chart's title in letters

type Mark = dict[str, Any]
type Drawn = tuple[Any, int]  # an Altair chart and its number of marks


class _Altair:
    def __getattr__(self, name: str) -> Any:
        _finish_pandas()
        import altair

        # Else each piece of a chart is held against Vega-Lite's schema when it is made; `to_dict` does it with all.
        altair.utils.schemapi.disable_debug_mode()
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
    """Rows as inline chart data, in a tuple: Altair copies what is in a list with each change of a chart."""
    return alt.InlineData(values=tuple(rows))


def headline(text: str) -> Any:
    """The finding as the chart's title, wrapped to fit."""
    return alt.TitleParams(lines(text), offset=14)


def lines(text: str, width: int = LINE) -> list[str]:
    """Wrap a text at so many Latin letters (a Hangul syllable counts as two): Vega cuts off what doesn't fit."""
    wrapped: list[str] = []
    room = 0.0
    for word in text.split(" "):
        size = letters(word)
        if wrapped and size + 1 <= room:
            wrapped[-1] += f" {word}"
            room -= size + 1
        else:
            wrapped.append(word)
            room = width - size
    return wrapped


def letters(text: str, wide: float = 2) -> float:
    """Width of a text in Latin letters; a Hangul syllable counts as `wide`."""
    return sum(wide if east_asian_width(sign) in "WF" else 1 for sign in text)


def categories(labels: Sequence[str], *, shown: bool = True, wrap: int = 0, **axis: Any) -> Any:
    """A category axis in the rows' order, without ticks; long labels in lines of `wrap` letters, 0: in one line."""
    axis |= wrapped_labels(labels, wrap) if wrap else {}
    looks = alt.Axis(ticks=False, domain=False, labelPadding=8, labels=shown, **axis)
    return alt.Y("label:N", sort=list(labels), title=None, axis=looks)


def wrapped_labels(labels: Sequence[str], wrap: int) -> dict[str, Any]:
    """Options of an axis that writes long labels in several lines; the data keep them whole."""
    long = {label: lines(label, wrap) for label in labels if letters(label) > wrap}
    return {"labelExpr": f"({json.dumps(long)})[datum.label] || datum.label"} if long else {}


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


# ── Scales from the data ─────────────────────────────────────────────────────
def shade_range(values: Sequence[float]) -> tuple[float, float]:
    """The 5th and 95th percentile of the cells of a heat map, so that one odd cell doesn't spend all colours."""
    if len(values) < 2:
        return (0.0, max(values, default=0.0))
    cuts = quantiles(values, n=20, method="inclusive")
    return cuts[0], cuts[-1]


def shade_of(value: float, scale: tuple[float, float], shades: int) -> int:
    """Which of so many shades a cell gets, 1 to `shades`, beyond the ends of the scale the last one; 0 for nothing."""
    low, high = scale
    if value <= 0 or high <= low:
        return (shades + 1) // 2 if value > 0 else 0
    return 1 + min(shades - 1, max(0, int(shades * (value - low) / (high - low))))


def day_ticks(first: int, last: int) -> list[int]:
    """Labels of an axis of days since a user's day 0: the first day, then whole weeks, or every day of a short one."""
    if last - first < 10:
        return list(range(first, last + 1))
    step = 7 * ceil((last - first) / 70)
    return [first, *range(step * (first // step + 1), last + 1, step)]


def day_axis(days: Iterable[int], title: str, column: str = "day") -> Any:
    """Days since a user's day 0, from the first day that is drawn to the last."""
    first, last = min(known := list(days)), max(known)
    scale = alt.Scale(domain=[first, max(last, first + 1)], nice=False)
    return alt.X(f"{column}:Q", title=title, scale=scale, axis=alt.Axis(values=day_ticks(first, last), format="d"))


def mondays(weeks: Iterable[date]) -> list[date]:
    """Every week from the first to the last: an axis keeps the room of a week without anybody."""
    known = sorted(weeks)
    if not known:
        return []
    return [known[0] + timedelta(weeks=place) for place in range((known[-1] - known[0]).days // 7 + 1)]


def date_ticks(days: Sequence[date], most: int = 8) -> list[tuple[int, str]]:
    """Labels of an axis of dates: place and text of every n-th one, with the year where it changes.

    Args:
        days: rising and equally far apart.
        most: so many labels have room.
    """
    shown = list(enumerate(days))[:: ceil(len(days) / most) or 1]
    years = [0, *(day.year for _, day in shown)]
    return [
        (place, f"{day:%Y-%m-%d}" if day.year != before else f"{day:%m-%d}")
        for (place, day), before in zip(shown, years, strict=False)
    ]


def week_axis(weeks: Iterable[str], title: str, *, width: float) -> Any:
    """Weeks, by the dates of their Mondays in the column "week", on a time axis."""
    return date_axis(mondays(map(date.fromisoformat, weeks)), title, width=width, column="week")


def date_axis(days: Sequence[date], title: str, *, width: float, column: str = "day") -> Any:
    """Dates in their order and as far apart as they are, with the year below where it changes.

    Args:
        days: rising and equally far apart.
        title: of the axis.
        width: of the plot in pixels: so many labels as fit.
        column: of the rows.
    """
    labels = date_ticks(days, most=max(2, int(width // DATE_LABEL)))
    instants = [datetime.combine(days[place], time(), UTC).timestamp() * 1000 for place, _ in labels]
    with_year = [at for at, (_, text) in zip(instants, labels, strict=True) if len(text) > len("mm-dd")]
    text = f"indexof({with_year}, +datum.value) < 0 ? utcFormat(datum.value, '%m-%d') : "
    text += "[utcFormat(datum.value, '%m-%d'), utcFormat(datum.value, '%Y')]"
    axis = alt.Axis(values=instants, labelExpr=text, labelAngle=0, labelFlush=False)
    return alt.X(f"{column}:T", title=title, axis=axis, scale=alt.Scale(type="utc", padding=16))


# ── What a chart answers to pointer and keyboard ──────────────────────────────
READING = "reading"  # charts.js finds these marks by it: Vega makes it the class reading_marks or reading_0_marks


def reading(heading: str, values: Iterable[tuple[str, str]] = ()) -> str:
    """What the tooltip says at one place of the x axis: a line of what is read, then a line per series."""
    return "\n".join((_plain(heading), *(f"{_plain(name)}\t{_plain(value)}" for name, value in values)))


def _plain(text: str) -> str:
    return " ".join(text.split())  # no line break or tab; a space that doesn't break becomes one that may


def readings(x: Any, column: str, texts: Mapping[Any, str]) -> Any:
    """Invisible lines across the plot, one at each place that can be read, with what is to be said there.

    The renderer puts them where its own scale puts the points, and writes each text into the picture as the line's
    `aria-label`. So the script that shows crosshair and tooltip needs no second copy of scales, formats or languages.

    Args:
        x: the x channel of the curves.
        column: that channel's column, such as "day".
        texts: a `reading` by the column's value.
    """
    rows = [{column: at, READING: text} for at, text in texts.items()]
    lines_across = alt.Chart(data(rows), name=READING).mark_rule(opacity=0, strokeWidth=1, color=GREY)
    return lines_across.encode(x=x, description=f"{READING}:N")


def by_place(rows: Iterable[Mark], column: str, value: Callable[[Mark], str]) -> dict[Any, list[tuple[str, str]]]:
    """Names and values of rows of several series, by the place that they share; for `reading`."""
    found: dict[Any, list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row[column], []).append((row["name"], value(row)))
    return found


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
        "range",
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
        elif isinstance(node, dict) and node.get("name") != READING:
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
    used = [(encoding, rows) for encoding, rows in used if encoding.get("axis", {}) is not None]
    names = [
        _shown(str(row[encoding["field"]]), encoding.get("axis", {}))
        for encoding, rows in used
        if encoding.get("type") in ("nominal", "ordinal")
        for row in rows
        if row.get(encoding["field"]) is not None
    ]
    labelled = bool(used) and all(encoding.get("axis", {}).get("labels", True) for encoding, _rows in used)
    title = max((len(_lines(encoding.get("title", encoding["field"]))) for encoding, _rows in used), default=0)
    return list(dict.fromkeys(names)), labelled, title


def _shown(name: str, axis: dict[str, Any]) -> str:
    """The longest line of a label, as long as its axis lets it be."""
    expression = axis.get("labelExpr", "")
    long = json.loads(expression[1 : expression.index(")[datum.label]")]) if ")[datum.label]" in expression else {}
    cut = name[: int(axis.get("labelLimit", 260) / LETTER)]
    return max(map(str, long.get(name, [cut])), key=letters)


def _with_legend(size: Size, layers: list[Layer]) -> Size:
    """Space for the first legend; channels of one field share a legend."""
    for layer, rows in layers:
        for encoding in (layer.get("color", {}), layer.get("shape", {})):
            legend = encoding.get("legend", {})
            if "field" in encoding and legend is not None:
                names = {str(row[encoding["field"]]) for row in rows if row.get(encoding["field"]) is not None}
                return _beside(
                    size, legend, _lines(legend.get("title", encoding.get("title"))), sorted(names), encoding
                )
    return size


def _beside(size: Size, legend: dict[str, Any], title: list[str], names: list[str], encoding: dict[str, Any]) -> Size:
    width, height = size
    if encoding.get("type") == "quantitative":  # a colour bar with a few numbers
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
