"""What a retention comes to: how many users it can be known of, how many of them stay, and the curve behind it."""

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.cache import cache

from events.asking import Questions, questions
from events.counting import queries
from events.metrics import Active, MinDays, MinEvents, Survival, is_display_only, parse_retention
from events.windows import DayMode
from runs.refusals import Refused
from stats.compare import Interval, wilson
from stats.results import NotComputable

SECONDS = 300
CURVE_DAYS = 60
ASKED_EVENTS = 3_000_000  # above so many events a sample of the users answers


@dataclass(frozen=True)
class RateQuestion:
    """Whose retention is asked for.

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
    """The answer.

    Attributes:
        signups: users who signed up in these dates, of the sample.
        eligible: those whose retention window is complete.
        rate: share of them who were retained, with Wilson's interval.
        curve: day, active users, users of whom that day is known; day 0 first.
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
    """Base rate and curve of a retention, some minutes old at most.

    Raises:
        Refused: the retention can't be read or has no fixed window, or there are no events.
    """
    definition = parse_retention(asked_for.retention)
    if isinstance(definition, Survival):
        raise Refused("The time until users leave is a curve and has no single share.", at="retention")
    key = f"pick.rate:{hashlib.sha256(repr(asked_for).encode()).hexdigest()}"
    found: BaseRate | None = cache.get(key)
    if found is None:
        with questions(day_mode=asked_for.day_mode) as asked:
            found = _ask(asked, asked_for, definition)
        cache.set(key, found, SECONDS)
    return found


def _ask(asked: Questions, question: RateQuestion, definition: Active | MinDays | MinEvents) -> BaseRate:
    one_in = max(1, round(asked.events / ASKED_EVENTS))
    log = asked.log if one_in == 1 else asked.log.filter(asked.log.user_id.hash().abs() % one_in == 0)
    users = queries.cohort(log, question.signup_event, asked.basis, first=question.first_date, last=question.last_date)
    with asked.warehouse.kept(users) as users:
        everyone = queries.retention(log, users, asked.basis, definition)
        old_enough = everyone.mature
        row: Any = asked.run(
            everyone.aggregate(
                signups=everyone.count(),
                eligible=old_enough.sum(),
                retained=everyone.retained.sum(where=old_enough),
                first=everyone.anchor_date.min(where=old_enough),
                last=everyone.anchor_date.max(where=old_enough),
            )
        ).iloc[0]
        eligible = 0 if row.signups == 0 else int(row.eligible)
        curve: tuple[tuple[int, int, int], ...] = ()
        if eligible:
            last = CURVE_DAYS if is_display_only(definition) else min(definition.window.days_needed + 6, CURVE_DAYS)
            days = asked.run(queries.retention_curve(log, users, asked.basis, range(last + 1)))
            curve = tuple((int(day.day), int(day.active), int(day.eligible)) for day in days.itertuples())
    bounds = (row["first"], row["last"]) if eligible else (None, None)
    rate = wilson(int(row.retained) if eligible else 0, eligible)
    return BaseRate(int(row.signups), eligible, rate, curve, one_in, *map(_date, bounds))


def _date(moment: Any) -> date | None:
    found: date | None = moment.date() if hasattr(moment, "date") else moment
    return found
