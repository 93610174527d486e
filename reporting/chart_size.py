"""How large a chart will be, told from its specification alone: its place on a page is kept while it is being drawn."""

from collections.abc import Iterator
from typing import Any

from reporting.charts import letters

EDGE = 5  # pixels that Vega leaves around a chart
LETTER = 5.9  # pixels of a Latin letter on axes and in legends, at 12 pixels
SIDE = 300  # of a plot whose specification says nothing

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
    if isinstance(height, dict):  # so many pixels a row
        height = height["step"] * len(names)
    beside = (max((_wide(name) for name in names), default=24.0) + 12 if labelled else 0) + 15 * title
    names, labelled, title = _axis(layers, "x")
    if isinstance(width, dict):
        width = width["step"] * len(names)
    return _with_legend((width + beside, height + (19 if labelled else 0) + 17 * title), layers)


def _axis(layers: list[Layer], channel: str) -> tuple[list[str], bool, int]:
    """The names that it lists, whether it has labels, and the lines of its title."""
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
    """Room for the first legend: channels of one field share theirs."""
    for layer, rows in layers:
        for one in (layer.get("color", {}), layer.get("shape", {})):
            legend = one.get("legend", {})
            if "field" in one and legend is not None:
                names = {str(row[one["field"]]) for row in rows if row.get(one["field"]) is not None}
                return _beside(size, legend, _lines(legend.get("title", one.get("title"))), sorted(names), one)
    return size


def _beside(size: Size, legend: dict[str, Any], title: list[str], names: list[str], one: dict[str, Any]) -> Size:
    width, height = size
    if one.get("type") == "quantitative":  # a strip of colours with a few numbers
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
