"""The shared look of every chart: colours that colour-blind readers can tell apart, one font stack with Hangul."""

from typing import Any

# Okabe and Ito (2008): distinguishable with every common form of colour blindness.
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREY = "#6B7280"
LIGHT = "#D1D5DB"
INK = "#1F2937"
FONT = "Pretendard, 'Noto Sans CJK KR', 'Noto Sans KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"


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
