"""The calendar of tests, and what today's inflow can decide in some weeks."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from experiments.plan import decidable
from experiments.plan.audience import choices
from experiments.plan.decidable import Decidable
from experiments.plan_page.known_numbers import remembered_inflow
from experiments.report.names import metric_words
from experiments.status import calendar
from experiments.status.calendar import EVERYBODY, Bar
from reporting.numbers import count, decimal, effect_text, percent
from reporting.words import reason_words
from runs.site_zone import site_date
from runs.web import may
from stats.results import NotComputable, computable

USUAL_WEEKS = 6


@login_required
@require_safe
def tests_by_week(request: HttpRequest) -> HttpResponse:
    """All experiments by week, with the users they need, and where two meet the same users."""
    today, names = site_date(), {segment.slug: str(segment) for segment in choices()}
    shown = calendar.bars(today)
    first = calendar.first_day(today)
    context = {
        "rows": [_row(bar, first, names) for bar in shown],
        "collisions": calendar.collisions(shown, today, _daily(shown), names),
        "months": calendar.months(first),
        "weeks": [week * calendar.UNIT for week in range(1, calendar.BEFORE + calendar.AFTER + 1)],
        "today": calendar.place(today, first),
        "width": calendar.width(),
    }
    return render(request, "experiments/calendar.html", context)


def _daily(shown: list[Bar]) -> dict[str, float]:
    """Users a day by population: as the plans' own pages counted them last, or as a plan expects them."""
    daily: dict[str, float] = {}
    for bar in shown:
        inflow = remembered_inflow(bar.experiment)
        if inflow is not None and inflow.per_day > 0:
            daily[bar.population] = inflow.per_day
        elif bar.experiment.expected_daily_units:
            daily.setdefault(bar.population, float(bar.experiment.expected_daily_units))
    return daily


def _row(bar: Bar, first: Any, names: Mapping[str, str]) -> dict[str, Any]:
    row = bar.experiment
    segments = [names.get(name, name) or _("everybody") for name in bar.segments]
    return {
        "bar": bar,
        "experiment": row,
        "enrolment": calendar.stripe(bar.starts, bar.ends, first),
        "outcome": None if bar.ends is None else calendar.stripe(bar.ends, bar.result, first),
        "dates": _dates(bar),
        "result": "" if bar.result is None else date_format(bar.result),
        "users": count(bar.enrolled) if bar.needed is None else f"{count(bar.enrolled)} / {count(bar.needed)}",
        "share": None if not bar.needed else min(round(100 * bar.enrolled / bar.needed), 100),
        "layer": f"{bar.layer} ({percent(bar.slice, 0)})" if bar.layer else "",
        "who": _("all users") if bar.population == "*" else _("new users"),
        "segments": "" if set(bar.segments) == {EVERYBODY} else ", ".join(segments),
    }


def _dates(bar: Bar) -> str:
    """When it enrols, in words."""
    if bar.ends is None:
        return _("No end is planned yet.")
    if bar.experiment.started_at is None:
        return _("until {end}, if it started today").format(end=date_format(bar.ends))
    return _("{start} to {end}").format(start=date_format(bar.starts), end=date_format(bar.ends))


# What can we decide in six weeks?


@login_required
@may("experiments.view_experiment")
@require_safe
def six_weeks(request: HttpRequest) -> HttpResponse:
    """Moments and metrics by the effect that today's inflow decides in some weeks.

    The page comes at once and loads its rows, since each may cost a question to the warehouse; `?show` has them in it.
    """
    weeks = _weeks(request)
    rows = _rows(weeks) if "show" in request.GET else None
    context = {"weeks": weeks, "choices": decidable.WEEKS, "rows": rows}
    return render(request, "experiments/six_weeks.html", context)


@login_required
@may("experiments.view_experiment")
@require_safe
def six_weeks_rows(request: HttpRequest) -> HttpResponse:
    """The rows of the page."""
    return render(request, "experiments/six_weeks_rows.html", {"rows": _rows(_weeks(request))})


def _weeks(request: HttpRequest) -> int:
    given = request.GET.get("weeks", "")
    return int(given) if given in map(str, decidable.WEEKS) else USUAL_WEEKS


def _rows(weeks: int) -> list[dict[str, Any]]:
    return [_decided(row, weeks) for row in decidable.decidable(weeks)]


def _decided(row: Decidable, weeks: int) -> dict[str, Any]:
    say = partial(effect_text, share=row.share)
    begins = {"moment": row.moment} if row.moment else {"outcome": row.outcome}  # what the new plan begins with
    return {
        "row": row,
        "name": row.name or metric_words(row.outcome),
        "outcome": metric_words(row.outcome),
        "smallest": say(row.smallest) if row.smallest is not None and computable(row.smallest) else "",
        "expected": "" if row.expected is None else say(row.expected),
        "why": "" if row.is_found else _why(row, weeks),
        "times": "" if row.ratio is None else decimal(row.ratio, 1),
        "decides": row.ratio is not None and row.ratio <= 1,
        "users": count(row.users),
        "take_up": percent(row.take_up, 0) if row.take_up < 1 else "",
        "url": f"{reverse('experiments:new_plan')}?{urlencode(begins)}",
    }


def _why(row: Decidable, weeks: int) -> str:
    """Why there is no effect, in words."""
    if row.refusal:
        return row.refusal
    if row.outcome_days is not None and row.outcome_days >= 7 * weeks:
        text = _("Its outcome is known {n} days after a user enrols, so {weeks} weeks decide nothing.")
        return text.format(n=row.outcome_days, weeks=weeks)
    return reason_words(row.smallest) if isinstance(row.smallest, NotComputable) else ""
