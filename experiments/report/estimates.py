"""Estimates in the cells of a table, and sets of effects in words. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from experiments.plan.design import Kind
from reporting.charts import Mark, categories
from reporting.numbers import Limited, between, effect_limits, effect_text, level_text, p_value
from reporting.words import gettext, reason_words
from stats.instrument.anderson_rubin import AndersonRubin
from stats.results import Estimate, NotComputable, computable

# Pieces shared by charts: sizes, the unit of an axis, limits of an estimate. Pure.

WIDTH = 560
ROW = 38
PANEL = 220
LABEL = 38  # letters of a line of a label: two lines fit a row


def label_axis(labels: Sequence[str]) -> Any:
    """Axis with a row for each label, in the given order."""
    return categories(labels, wrap=LABEL, labelLimit=320)


def difference_title(share: bool) -> str:
    """Title of an axis of differences, with the unit."""
    return gettext("difference, points") if share else gettext("difference, in the outcome's unit")


def limit_marks(interval: Limited, factor: float) -> Mark:
    """An estimate with its limits as a row of a chart."""
    return {"estimate": interval.estimate * factor, "low": interval.low * factor, "high": interval.high * factor}


def level_heading(level: float) -> str:
    """Heading of the intervals, with their level."""
    return gettext("%(level)s interval") % {"level": level_text(level)}


def number_cell(value: float | NotComputable, write: Callable[[float], str]) -> str:
    """A formatted number, or why there is none."""
    return write(value) if computable(value) else reason_words(value)


def effect_cells(value: Estimate | NotComputable, kind: Kind) -> tuple[str, str]:
    """An effect and its interval; without one, the reason and an empty cell."""
    if not computable(value):
        return reason_words(value), ""
    share = kind is Kind.PROPORTION
    low = effect_text(value.low, share=share)
    high = effect_text(value.high, share=share)
    return effect_text(value.estimate, share=share), between(low, high)


def effect_with_limits(value: Estimate | NotComputable, share: bool) -> tuple[str, str]:
    """An effect with its limits, which share one unit."""
    if not computable(value):
        return reason_words(value), ""
    return effect_text(value.estimate, share=share), effect_limits(value.low, value.high, share)


def p_cell(value: Estimate | NotComputable) -> str:
    """The p-value of an effect; empty where there is none."""
    return p_value(value.p_value) if computable(value) else ""


def set_text(value: AndersonRubin | NotComputable, *, share: bool) -> str:
    """An Anderson-Rubin set in words, unbounded shapes included."""
    if not computable(value):
        return reason_words(value)
    low = None if value.low is None else effect_text(value.low, share=share)
    high = None if value.high is None else effect_text(value.high, share=share)
    if value.shape == "empty":
        return gettext("empty: the data contradict every effect")
    if value.shape == "line" or (low is None and high is None):
        return gettext("every value is possible")
    if value.shape == "rays":
        return gettext("up to %(low)s, or from %(high)s on") % {"low": low, "high": high}
    if low is None:
        return gettext("up to %(high)s") % {"high": high}
    if high is None:
        return gettext("from %(low)s on") % {"low": low}
    return between(low, high)
