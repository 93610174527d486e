"""Counts over time by hand, and their charts as the page draws them."""

import json
from datetime import date, timedelta
from typing import Any

from insight_site.exports.pictures import png, svg
from reporting.charts import Drawing, Drawn, titled
from stats.novelty import Novelty, effect_by_week
from stats.summaries import Mean
from stats.survival.day_curve import CurveDifference, curve_difference
from stats.survival.kaplan_meier import Durations
from tests.stats.make import computed

HANGUL = "친구 추가 넛지"
CONTROL = Durations.from_counts([(0, True, 40), (5, True, 300), (12, True, 200), (30, False, 460)])
VARIANT = Durations.from_counts([(0, True, 30), (5, True, 200), (12, True, 100), (20, False, 670)])
GONE = Durations.from_counts([(3, True, 600), (14, True, 400)])


def drawing_of(finding: str, made: Drawn) -> Drawing:
    """The chart of a part with this finding."""
    return titled("chart", finding.replace("\n", " "), made)


def rows_of(spec: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Every row with this key, of all the chart's data sets."""
    return [row for rows in spec["datasets"].values() for row in rows if key in row]


def assert_rendered(chart: Drawing) -> None:
    """It is a picture with its title, its denominators and its Hangul."""
    picture = svg(chart.spec, chart.slug)
    assert HANGUL in picture
    assert chart.label.split(" (")[0][:20] in picture
    assert png(chart.spec, scale=1)[:4] == b"\x89PNG"
    assert chart.spec["title"]["subtitle"][0].startswith("n: ")
    assert "NaN" not in json.dumps(chart.spec)


def weekly(lifts: list[float], n: int = 2000) -> Novelty:
    """Effects by week, of a control at .3."""
    return effect_by_week(
        [
            (date(2026, 1, 5) + timedelta(weeks=k), Mean.from_counts(600, 2000), Mean.from_counts(round(n * p), n))
            for k, p in enumerate(lifts)
        ]
    )


def days(share: float, length: int = 6) -> dict[int, tuple[int, int]]:
    """Eligible and active units by day."""
    return {0: (1000, 1000)} | {day: (1000 - day, round((1000 - day) * share)) for day in range(1, length)}


def difference(share: float) -> CurveDifference:
    """A variant at this share against a control at .3."""
    return computed(curve_difference(days(0.3), days(share)))
