"""Parse and format effects, shares and counts: 5, 5 points, 0.05 and 5 % are the same effect on a share."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from reporting.numbers import decimal
from reporting.words import gettext

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
            found = read_effect(text, share=self.share)
        except ValueError:
            said = (
                _("“%(text)s” is no effect. Write points, such as 5 for 5 points, or 0.05.")
                if self.share
                else _("“%(text)s” is no effect. Write a number in the outcome's own unit, such as 0.4.")
            )
            raise forms.ValidationError(said, params={"text": text}) from None
        if self.share and found > 1:
            raise forms.ValidationError(
                _("A share can't change by %(points)s points: 100 is everybody."),
                params={"points": decimal(100 * found, 0)},
            )
        return found


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
            found = read_share(text)
        except ValueError:
            found = 2.0
        if found > 1:
            raise forms.ValidationError(
                _("“%(text)s” is no share. Write per cent, such as 10, from 0 to 100."), params={"text": text}
            )
        return found


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
    found = NUMBER.fullmatch(text.strip().replace("\u00a0", " "))
    if found is None:
        raise ValueError(text)
    return float(found["number"].replace(",", ".")), found["unit"].strip().lower()
