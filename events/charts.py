"""The shared look of every chart: colours that colour-blind readers can tell apart, one font stack with Hangul."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Okabe and Ito (2008): distinguishable with every common form of colour blindness.
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREY = "#6B7280"
LIGHT = "#D1D5DB"
INK = "#1F2937"
FONT = "Pretendard, 'Noto Sans CJK KR', 'Noto Sans KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"

GREEN = "#009E73"
PURPLE = "#CC79A7"
YELLOW = "#E69F00"
SKY = "#56B4E9"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY, "#7F3C8D", "#4B4B4B", "#A5AA99", "#11A579")


@dataclass(frozen=True)
class Drawing:
    """A chart ready to be rendered.

    Attributes:
        slug: its short name, unique within a report.
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


type Draw = Callable[..., tuple[Drawing, ...]]


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
            "gridColor": "#EEF0F3",
            "domainColor": LIGHT,
            "tickColor": LIGHT,
            "labelLimit": 260,
        },
        "title": {"color": INK, "fontSize": 14, "anchor": "start", "fontWeight": 600, "subtitleColor": GREY},
        "legend": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12},
    }
