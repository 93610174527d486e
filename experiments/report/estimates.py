"""Estimates in the cells of a table, and sets of effects in words. Pure."""

from collections.abc import Callable

from experiments.plan.design import Kind
from reporting.numbers import between, effect_limits, effect_text, level_text, p_value
from reporting.words import gettext, reason_words
from stats.instrument.anderson_rubin import AndersonRubin
from stats.results import Estimate, NotComputable, computable


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
