"""Pieces shared by charts: sizes, the unit of an axis, limits of an estimate. Pure."""

from collections.abc import Sequence
from typing import Any

from reporting.charts import Mark, categories
from reporting.numbers import Limited
from reporting.words import gettext

WIDTH = 560
ROW = 38
PANEL = 220


def label_axis(labels: Sequence[str]) -> Any:
    """Axis with a row for each label, in the given order."""
    return categories(labels, labelLimit=320)


def difference_title(share: bool) -> str:
    """Title of an axis of differences, with the unit."""
    return gettext("difference, points") if share else gettext("difference, in the outcome's unit")


def limit_marks(found: Limited, factor: float) -> Mark:
    """An estimate with its limits as a row of a chart."""
    return {"estimate": found.estimate * factor, "low": found.low * factor, "high": found.high * factor}
