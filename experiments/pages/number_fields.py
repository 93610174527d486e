"""Numbers and outcomes as people type them: 5, 5 points, 0.05 and 5 % are the same effect on a share."""

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from events.metrics import parse_metric
from reporting.numbers import decimal
from reporting.words import gettext
from runs.refusals import Refused

# Parse and format effects, shares and counts: 5, 5 points, 0.05 and 5 % are the same effect on a share.

NUMBER = re.compile(r"(?P<number>[+]?\d*[.,]?\d+)\s*(?P<unit>.*)")
POINTS = ("%p", "%", "pp", "p", "points", "point", "pts", "pt", "포인트", "퍼센트포인트", "퍼센트")
MOST_UNITS = 2_147_483_647  # maximum of the database column


def read_effect(text: str, *, share: bool) -> float:
    """An absolute effect; for a share, values of 1 or more or with a unit are percentage points.

    Raises:
        ValueError: not a number, or a unit where the outcome isn't a share.
    """
    value, unit = _read(text)
    if unit and (not share or unit not in POINTS):
        raise ValueError(text)
    return value / 100 if share and (unit or value >= 1) else value


def effect_as_typed(value: float | None, *, share: bool) -> str | None:
    """The effect formatted for its field, with its unit, so that it is unambiguous."""
    if value is None:
        return None
    return gettext("%(value)s points") % {"value": f"{100 * value:.5g}"} if share else f"{value:.6g}"


def read_share(text: str) -> float:
    """A share, 0 to 1; values above 1 or with a per cent sign are per cent.

    Raises:
        ValueError: not a number.
    """
    value, unit = _read(text)
    if unit not in ("", "%", "퍼센트"):
        raise ValueError(text)
    return value / 100 if unit or value > 1 else value


def share_as_typed(value: float | None) -> str | None:
    """The share in per cent."""
    return None if value is None else f"{100 * value:.5g} %"


class EffectField(forms.CharField):
    """An effect above 0; the form sets whether the outcome is a share."""

    share = True

    def prepare_value(self, value: Any) -> Any:
        """Formatted with its unit."""
        return effect_as_typed(value, share=self.share) if isinstance(value, float | int) else value

    def clean(self, value: Any) -> Any:
        """The absolute effect, or None."""
        text = super().clean(value).strip()
        if not text:
            return None
        try:
            effect = read_effect(text, share=self.share)
        except ValueError:
            sentence = (
                _("“%(text)s” is no effect. Write points, such as 5 for 5 points, or 0.05.")
                if self.share
                else _("“%(text)s” is no effect. Write a number in the outcome's own unit, such as 0.4.")
            )
            raise forms.ValidationError(sentence, params={"text": text}) from None
        if self.share and effect > 1:
            raise forms.ValidationError(
                _("A share can't change by %(points)s points: 100 is everybody."),
                params={"points": decimal(100 * effect, 0)},
            )
        return effect


class ShareField(forms.CharField):
    """A share as per cent; 0.1 and 10 are the same."""

    def prepare_value(self, value: Any) -> Any:
        """Formatted in per cent."""
        return share_as_typed(value) if isinstance(value, float | int) else value

    def clean(self, value: Any) -> Any:
        """0 to 1, or None."""
        text = super().clean(value).strip()
        if not text:
            return None
        try:
            share = read_share(text)
        except ValueError:
            share = 2.0
        if share > 1:
            raise forms.ValidationError(
                _("“%(text)s” is no share. Write per cent, such as 10, from 0 to 100."), params={"text": text}
            )
        return share


class CountField(forms.CharField):
    """A number of users; commas and blanks between thousands are allowed."""

    def prepare_value(self, value: Any) -> Any:
        """Formatted with thousands separators."""
        return f"{value:,}" if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        """The number, or None."""
        text = re.sub(r"[\s,]", "", super().clean(value))
        if not text:
            return None
        if not re.fullmatch(r"\d+", text, re.ASCII) or not int(text):
            raise forms.ValidationError(
                _("“%(text)s” is no number of users. Write a whole number such as 4000."), params={"text": value}
            )
        if len(text) > 10 or int(text) > MOST_UNITS:
            raise forms.ValidationError(
                _("%(text)s users are more than can ever come: the most is %(most)s."),
                params={"text": value, "most": f"{MOST_UNITS:,}"},
            )
        return int(text)


def _read(text: str) -> tuple[float, str]:
    matched = NUMBER.fullmatch(text.strip().replace("\u00a0", " "))
    if matched is None:
        raise ValueError(text)
    return float(matched["number"].replace(",", ".")), matched["unit"].strip().lower()


# Guess which outcome a person meant by unreadable text: D7, day 14, a misspelt name.

KINDS = (
    "on_day",
    "window",
    "week",
    "min_days",
    "min_events",
    "active_days",
    "count",
    "sum",
    "capped",
    "quantile",
    "funnel",
)
WEEK = 6


def meant(text: str, events: Collection[str] = ()) -> str:
    """The most similar valid outcome; "" when none is similar.

    Args:
        text: that can't be parsed.
        events: event names in the log.
    """
    plain = re.sub(r"\s+", " ", text.strip().lower())
    for pattern, made in (
        (r"d(?:ay)?[ -]?(\d{1,3})", "on_day:{0}"),
        (r"(\d{1,3})일(?:차)?(?: ?잔존율?| ?리텐션)?", "on_day:{0}"),
        (r"d(?:ays?)?[ -]?(\d{1,3}) ?[-–~] ?d?(\d{1,3})", "window:{0}-{1}"),
        (r"(\d{1,3}) ?[-–~] ?(\d{1,3})일?(?: ?잔존율?)?", "window:{0}-{1}"),
        (r"w(?:eek)?[ -]?(\d{1,2})", "week:{0}"),
        (r"(\d{1,2})주(?:차)?(?: ?잔존율?)?", "week:{0}"),
    ):
        matched = re.fullmatch(pattern, plain)
        if matched and can_be_read(made.format(*matched.groups())):
            return made.format(*matched.groups())
    kind, colon, rest = plain.partition(":")
    close = get_close_matches(kind, KINDS, 1, 0.7)
    if colon and close and can_be_read(f"{close[0]}:{rest}"):
        return f"{close[0]}:{rest}"
    event = get_close_matches(text.strip(), list(events), 1, 0.6)
    return f"count:{event[0]}:0-6" if event and can_be_read(f"count:{event[0]}:0-6") else ""


def can_be_read(text: str) -> bool:
    """True for a text that can be parsed as an outcome."""
    try:
        parse_metric(text)
    except Refused:
        return False
    return True


def with_event(metric: str, wrong: str, better: str) -> str:
    """The outcome with another event; "" when the result can't be parsed."""
    made = metric.replace(wrong, better)
    return made if can_be_read(made) else ""


def nearest_outcome(retention: str, *, after: int) -> str:
    """The retention itself where it begins after so many days, else the first week that does."""
    from_day = re.search(r":(\d+)", retention)
    if can_be_read(retention) and from_day is not None and int(from_day[1]) >= after:
        return retention
    return f"window:{after}-{after + WEEK}"
