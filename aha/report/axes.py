"""Shared parts of study charts: widths, signup weeks, shares with limits. Pure."""

from typing import Any

from reporting.charts import Mark, alt
from reporting.words import gettext

WIDTH = 560
ROW = 30


def share_mark(value: Any) -> Mark:
    """A share with its limits as columns."""
    return {"share": value.estimate, "low": value.low, "high": value.high}


def week_axis() -> Any:
    """Signup weeks."""
    axis = alt.Axis(labelAngle=0, labelOverlap="greedy", labelExpr="slice(datum.label, 5)")  # month and day
    return alt.X("week:O", title=gettext("week of signup (Monday)"), axis=axis)
