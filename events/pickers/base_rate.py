"""Base rate of a retention: eligible users, the share of them who are retained, and the curve."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import add
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import gettext as _

from events.metrics import Active, MinDays, MinEvents, Survival, is_display_only, parse_retention
from events.store import event_table
from events.warehouse import queries
from events.warehouse.activity_bits import active_on
from events.warehouse.arm_marks import of_metric, of_start, refuse_arm_marks
from events.warehouse.columns import text_of
from events.warehouse.explore_session import Stop, is_prepared, prepared
from events.warehouse.session import questions
from events.windows import DayMode, Window
from reporting.numbers import count, percent, share
from runs.progress import silent
from runs.refusals import Refused
from stats.compare import wilson
from stats.results import Interval, NotComputable, computable

SECONDS = 300
CURVE_DAYS = 60
ASKED_EVENTS = 3_000_000  # above this, a sample of the users is used


@dataclass(frozen=True)
class RateQuestion:
    """The retention and the users of a base-rate query.

    Attributes:
        retention: its specification.
        signup_event: starts a user's clock; ``*`` takes the first event of any kind.
        first_date, last_date: bounds of the signup dates; None for none.
        day_mode: ``rolling`` or ``calendar``.
    """

    retention: str
    signup_event: str
    first_date: date | None = None
    last_date: date | None = None
    day_mode: str = DayMode.ROLLING


@dataclass(frozen=True)
class BaseRate:
    """The result.

    Attributes:
        signups: users of the sample who signed up in these dates.
        eligible: those whose retention window is complete.
        rate: share of them who were retained, with Wilson's interval.
        curve: day, active users, users for whom that day is complete; day 0 first.
        one_in: the sample holds one in so many users; 1 for all.
        first_signup, last_signup: dates of the eligible users; None without any.
    """

    signups: int
    eligible: int
    rate: Interval | NotComputable
    curve: tuple[tuple[int, int, int], ...]
    one_in: int
    first_signup: date | None
    last_signup: date | None


def base_rate(asked_for: RateQuestion) -> BaseRate:
    """Base rate and curve of a retention, cached for some minutes.

    Raises:
        Refused: the retention can't be read or has no fixed window, there are no events, or it would tell the arms of
            a locked experiment apart.
    """
    definition = parse_retention(asked_for.retention)
    if isinstance(definition, Survival):
        raise Refused("The time until users leave is a curve and has no single share.", at="retention")
    start = asked_for.signup_event
    marks = {"signup-event": of_start(start), "retention": of_metric(definition, start)}
    refuse_arm_marks(marks, day_mode=asked_for.day_mode)
    key = f"pick.rate:{hashlib.sha256(repr(asked_for).encode()).hexdigest()}"
    rate: BaseRate | None = cache.get(key)
    if rate is None:
        if not isinstance(definition, MinEvents) and _is_quick():
            rate = _from_days(asked_for, definition)
        else:
            rate = _from_events(asked_for, definition)
        cache.set(key, rate, SECONDS)
    return rate


def in_windows(asked_for: RateQuestion, windows: Sequence[Window]) -> list[tuple[Window, int, int]]:
    """For each window the number of users whose days are complete, and of those active in it: one query.

    Empty if the log is so long that only a sample would be used.
    """
    if not windows or not _is_quick():
        return []
    with prepared(day_mode=asked_for.day_mode, stop=Stop(), progress=silent) as log:
        people = queries.in_dates(log.people(asked_for.signup_event), asked_for.first_date, asked_for.last_date)
        numbers = {
            f"{name}_{place}": number
            for place, window in enumerate(windows)
            for name, number in _window_numbers(people, Active(window)).items()
            if name in ("eligible", "retained")
        }
        row = log.rows(people.aggregate(**numbers))[0]
    return [
        (window, int(row[f"eligible_{n}"] or 0), int(row[f"retained_{n}"] or 0)) for n, window in enumerate(windows)
    ]


def _is_quick() -> bool:
    """Whether active days are kept or quick to make; for a big store Explore makes them and shows its progress."""
    if settings.WAREHOUSE_URL or not event_table.exists():
        return False
    rows = event_table.row_count()
    return (rows is not None and rows <= ASKED_EVENTS) or is_prepared()


def _from_days(question: RateQuestion, definition: Active | MinDays) -> BaseRate:
    """Compute it from the active days of all users that Explore keeps."""
    with prepared(day_mode=question.day_mode, stop=Stop(), progress=silent) as log:
        people = queries.in_dates(log.people(question.signup_event), question.first_date, question.last_date)
        numbers = {"signups": people.count(), **_window_numbers(people, definition)}
        for day in range(_last_day(definition) + 1):
            known = people.complete_days > day
            numbers[f"of_{day}"] = known.sum()
            numbers[f"active_{day}"] = (known & (active_on(people, day) if day else known)).sum()
        row = {name: value or 0 for name, value in log.rows(people.aggregate(**numbers))[0].items()}
    curve = tuple(
        (day, row[f"active_{day}"], row[f"of_{day}"]) for day in range(_last_day(definition) + 1) if row[f"of_{day}"]
    )
    return _rate(row, curve, 1)


def _window_numbers(people: Any, definition: Active | MinDays) -> dict[str, Any]:
    window, least = definition.window, definition.days if isinstance(definition, MinDays) else 1
    known = people.complete_days >= window.days_needed
    if window.end_day is None:
        stayed = (people.last_day >= window.start_day).fill_null(False)
    else:
        days = [active_on(people, day).ifelse(1, 0) for day in range(window.start_day, window.end_day + 1)]
        stayed = reduce(add, days) >= least
    date_of = known.ifelse(people.anchor_date, people.anchor_date.nullif(people.anchor_date))
    return {"eligible": known.sum(), "retained": (known & stayed).sum(), "first": date_of.min(), "last": date_of.max()}


def _from_events(question: RateQuestion, definition: Active | MinDays | MinEvents) -> BaseRate:
    """Compute it from the log itself, for a sample of users if the log is long."""
    with questions(day_mode=question.day_mode) as session:
        store = session.about(question.first_date, question.last_date)
        one_in = max(1, round(store.events / ASKED_EVENTS))
        log = store.log if one_in == 1 else store.log.filter(text_of(store.log).hash().abs() % one_in == 0)
        start = question.signup_event
        cohort = store.cohort(start) if one_in == 1 else queries.cohort(log, start, store.basis)
        with store.warehouse.kept(cohort) as users:
            everyone = queries.retention(log, users, store.basis, definition)
            numbers = everyone.aggregate(
                signups=everyone.count(),
                eligible=everyone.mature.sum(),
                retained=everyone.retained.sum(where=everyone.mature),
                first=everyone.anchor_date.min(where=everyone.mature),
                last=everyone.anchor_date.max(where=everyone.mature),
            )
            row = {name: value or 0 for name, value in store.warehouse.arrow(numbers).to_pylist()[0].items()}
            days = queries.retention_curve(log, users, store.basis, range(_last_day(definition) + 1))
            curve = store.warehouse.arrow(days).to_pylist() if row["eligible"] else []
    return _rate(row, tuple((day["day"], day["active"], day["eligible"]) for day in curve), one_in)


def _last_day(definition: Active | MinDays | MinEvents) -> int:
    """Last day of the curve: some days more than the window."""
    return CURVE_DAYS if is_display_only(definition) else min(definition.window.days_needed + 6, CURVE_DAYS)


def _rate(row: dict[str, Any], curve: tuple[tuple[int, int, int], ...], one_in: int) -> BaseRate:
    eligible = int(row["eligible"])
    first, last = (_date(row[name]) if eligible else None for name in ("first", "last"))
    rate = wilson(int(row["retained"]), eligible)
    return BaseRate(int(row["signups"]), eligible, rate, curve if eligible else (), one_in, first, last)


def _date(moment: Any) -> date | None:
    day: date | None = moment.date() if hasattr(moment, "date") else moment
    return day


# The base rate of a retention in words and as a small curve.

WIDTH, HEIGHT, FOOT = 320, 84, 16


def rate_context(result: BaseRate, retention: str) -> dict[str, Any]:
    """Context of `pickers/rate.html`."""
    definition = parse_retention(retention)
    fields = {"eligible": count(result.eligible), "signups": count(result.signups)}
    if not result.signups:
        sentence = _("Nobody signed up in these dates.")
    elif not result.eligible:
        sentence = _("None of the %(signups)s users who signed up is old enough yet.") % fields
    else:
        sentence = _("%(eligible)s of %(signups)s users who signed up are old enough to count.") % fields
    context: dict[str, Any] = {
        "rate": share(result.rate),
        "known": computable(result.rate),
        "sentence": sentence,
        "one_in": result.one_in if result.one_in > 1 else 0,
    }
    if len(result.curve) > 1 and not isinstance(definition, Survival):
        context["curve"] = _curve(result, definition)
    return context


def _curve(result: BaseRate, definition: Active | MinDays | MinEvents) -> dict[str, Any]:
    last = max(day for day, _active, _of in result.curve) or 1
    shares = [(day, active / of) for day, active, of in result.curve if of and day]  # everyone is active on day 0
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
