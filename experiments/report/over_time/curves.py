"""Pieces shared by charts over time: colours of the arms, titles, denominators. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from reporting.charts import DASHES, INK, SERIES, alt, lines
from reporting.numbers import GLUE, count
from reporting.words import gettext
from stats.survival.day_curve import DayShare

HEIGHT = 240
PANEL = 170
POINTS = 100.0


def titled_above(finding: str, subtitle: Sequence[str], chart: Any) -> Any:
    """The chart with its finding as the title, a line per statement, and reading instructions as subtitle."""
    under = [line for text in subtitle for line in lines(text, 96)]
    above = [line for sentence in finding.splitlines() for line in lines(sentence)]
    return chart.properties(title=alt.TitleParams(above, subtitle=under, offset=14, subtitlePadding=6))


def colours(names: Sequence[str]) -> list[str]:
    """Control in ink, variants in the series' colours."""
    return [INK, *(SERIES[n % len(SERIES)] for n in range(len(names) - 1))]


def colour_of(names: Sequence[str]) -> Any:
    """The colour of each arm, with its legend."""
    return alt.Color("name:N", title=None, scale=alt.Scale(domain=names, range=colours(names)), legend=_legend())


def dash_of(names: Sequence[str]) -> Any:
    """The dashes of each arm, with their legend."""
    styles = [DASHES[n % len(DASHES)] for n in range(len(names))]
    return alt.StrokeDash("name:N", title=None, scale=alt.Scale(domain=names, range=styles), legend=_legend())


def _legend() -> Any:
    # The bands are pale, and the legend would otherwise be, too.
    return alt.Legend(orient="top", symbolOpacity=1, symbolType="stroke", symbolStrokeWidth=2, labelLimit=260)


def panel_title(name: str) -> Any:
    """The name of a variant above its panel."""
    return alt.TitleParams(name, fontSize=12, fontWeight="normal", anchor="start")


def eligible(arms: Mapping[str, Sequence[DayShare]]) -> str:
    """Denominators of the first and of the last day."""
    parts = [
        gettext("{name} {first} on day {from_day}, {last} on day {to_day}").format(
            name=name,
            first=count(days[0].eligible),
            from_day=days[0].day,
            last=count(days[-1].eligible),
            to_day=days[-1].day,
        )
        for name, days in arms.items()
    ]
    return "n: " + " · ".join(parts)


def sizes(named: Mapping[str, int]) -> str:
    """Group sizes for a subtitle: ``n: control 1,000 · nudge 990``."""
    return "n: " + " · ".join(f"{name}{GLUE}{count(n)}" for name, n in named.items())
