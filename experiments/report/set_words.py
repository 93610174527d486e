"""A set of effects in words, unbounded shapes included. Pure."""

from reporting.numbers import between, effect_text
from reporting.words import gettext, reason_words
from stats.instrument.anderson_rubin import AndersonRubin
from stats.results import NotComputable, computable


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
