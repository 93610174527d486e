"""The base rate of a retention in words and as a small curve."""

from typing import Any

from django.utils.translation import gettext as _

from events.metrics import Active, MinDays, MinEvents, Survival, parse_retention
from events.pickers.base_rate import BaseRate
from reporting.numbers import count, percent, share
from stats.results import computable

WIDTH, HEIGHT, FOOT = 320, 84, 16


def rate_context(found: BaseRate, retention: str) -> dict[str, Any]:
    """Context of `pickers/rate.html`."""
    definition = parse_retention(retention)
    fields = {"eligible": count(found.eligible), "signups": count(found.signups)}
    if not found.signups:
        sentence = _("Nobody signed up in these dates.")
    elif not found.eligible:
        sentence = _("None of the %(signups)s users who signed up is old enough yet.") % fields
    else:
        sentence = _("%(eligible)s of %(signups)s users who signed up are old enough to tell.") % fields
    context: dict[str, Any] = {
        "rate": share(found.rate),
        "known": computable(found.rate),
        "sentence": sentence,
        "one_in": found.one_in if found.one_in > 1 else 0,
    }
    if len(found.curve) > 1 and not isinstance(definition, Survival):
        context["curve"] = _curve(found, definition)
    return context


def _curve(found: BaseRate, definition: Active | MinDays | MinEvents) -> dict[str, Any]:
    last = max(day for day, _active, _of in found.curve) or 1
    shares = [(day, active / of) for day, active, of in found.curve if of and day]  # everyone is active on day 0
    top = max((value for _day, value in shares), default=1.0) or 1.0
    window = definition.window
    end = last if window.end_day is None else min(window.end_day, last)

    def x(day: float) -> float:
        return round(WIDTH * day / (last + 1), 1)

    def y(value: float) -> float:
        return round((HEIGHT - FOOT) * (1 - min(value / top, 1.0)), 1)

    points = " ".join(f"{x(day + 0.5)},{y(value)}" for day, value in shares)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "base": HEIGHT - FOOT,
        "points": points,
        "left": x(window.start_day),
        "wide": round(max(x(end + 1) - x(window.start_day), 2.0), 1),
        "first": window.start_day,
        "last": last,
        "label_x": x((window.start_day + end + 1) / 2),
        "top": percent(top, 0),
        "description": _("Share of users active on each day from day 1 to day %(last)s; at most %(top)s.")
        % {"last": last, "top": percent(top, 0)},
    }
