"""What a launch's curve suggests: the change at its date, and the same question at dates of the past. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from launches.answers import DAY, Answers, Curve, Days, Direction, LeftOut, Other, Suggestion
from runs.payloads import Schema
from stats.launch_effect import FEWEST_BLOCKS, LEVEL, Change, OwnPast, Series, change, own_past
from stats.results import Interval, NotComputable, Reason

OUTCOME, UNMOVED = "outcome", "unmoved"  # names of curves
FEWEST_USERS = 20  # behind a day of a control curve, on average: noisier ones lead the fit astray
LEAST_LEFT = 0.5  # share of the days after that must be left


class Why(StrEnum):
    """Why a launch's curve suggests nothing, or something."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    FEW_DATES = "few_dates"  # of the past, to know the method's error rate
    SHORT = "short"  # too few days before
    ERRS = "errs"  # finds something too often where nothing was
    UNMOVED_MOVED = "unmoved_moved"
    COVERED = "covered"  # other things cover the days after
    NO_CONTROLS = "no_controls"


@dataclass(frozen=True)
class Daily:
    """One day of a curve: users behind it, and its value; None where nothing can be divided."""

    day: date
    n: int
    value: float | None


@dataclass(frozen=True)
class Gap:
    """Those who took part against those who didn't: users and outcome of each. It proves nothing."""

    n: int
    value: float | None
    others: int
    value_of_others: float | None


@dataclass(frozen=True)
class Gathered:
    """What the warehouse says.

    Attributes:
        curves: of those who could meet the launch, by name: the outcome, and the one that can't be moved.
        spared: the outcome of those who couldn't, by the value of the trait.
        first: the first day that was asked for.
        gap: of those who took part; None where nobody asked.
    """

    curves: Mapping[str, tuple[Daily, ...]]
    spared: Mapping[str, tuple[Daily, ...]]
    first: date
    gap: Gap | None = None


class Place(StrEnum):
    """Where a day of the chart belongs."""

    BEFORE = "before"
    BETWEEN = "between"
    AFTER = "after"
    LEFT_OUT = "left_out"


@dataclass(frozen=True)
class ShownDay:
    """One day of the chart.

    Attributes:
        day, n, value: as in `Daily`.
        place: where it belongs.
        expected: without the launch; None where nothing was expected.
        low, high: the middle 90 % of the days before lie as near to what was expected of them.
    """

    day: date
    n: int
    value: float
    place: Place
    expected: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class PastDate:
    """The same question at a date of the past: that date, the effect found there, its p-value."""

    day: date
    effect: float
    p_value: float


@dataclass(frozen=True)
class LaunchReport:
    """A reading of a launch.

    Attributes:
        answers: as registered.
        registered: local date of the registration; `readable_from` is the first on which the days after were known.
        suggestion, why: what the curve suggests, and the reason.
        effect: mean over the days after of observed minus expected, with its 90 % interval, in the outcome's unit.
        p_value: of no effect, 0 to 1; None where there is no effect.
        expected: mean expected value of the days after, weighted by users.
        before, after: days used.
        users_after: users behind the days after; user-days for curves of calendar days.
        days: of the chart, oldest first.
        past: the method's error rate on this site.
        past_dates: the dates that were asked, the newest first; `blocked` more were left out, since something else
            began or ended within their days after.
        can_tell_from: the first date on which a launch could begin with enough dates before it.
        passing: calendar entries whose days were left out.
        lasting: entries that began or ended within the launch's own days after: they are mixed with it.
        unmoved: change of the curve that the launch can't move; None where none is named.
        gap: of those who took part; None where nobody asked.
        data_end: local date up to which the data reach.
    """

    answers: Answers
    registered: date
    readable_from: date
    suggestion: Suggestion
    why: Why
    effect: Interval | NotComputable
    p_value: float | None
    expected: float | None
    before: int
    after: int
    users_after: int
    days: tuple[ShownDay, ...]
    past: OwnPast
    past_dates: tuple[PastDate, ...]
    blocked: int
    can_tell_from: date | None
    passing: tuple[Other, ...]
    lasting: tuple[Other, ...]
    unmoved: PastDate | None
    gap: Gap | None
    data_end: date

    @property
    def registered_late(self) -> bool:
        """Whether the answers were given when the days after could be read already."""
        return self.registered >= self.readable_from


LAUNCH = Schema(LaunchReport)


def judge(answers: Answers, gathered: Gathered, calendar: LeftOut, *, registered: date, data_end: date) -> LaunchReport:
    """Judge a launch by its registered answers.

    Args:
        answers: as registered.
        gathered: the daily curves.
        calendar: days that aren't counted and dates of other changes, without the launch itself.
        registered: local date of the registration.
        data_end: local date up to which the data reach.
    """
    days = answers.days
    spared = {name: curve for name, curve in gathered.spared.items() if _is_large(curve)}
    comparison = _Comparison(answers, gathered.curves[OUTCOME], spared, calendar)
    made = comparison.at(days)
    past_dates, blocked = _past(comparison, days, gathered.first)
    past = own_past([one.p_value for one in past_dates])
    moved = _moved(answers, gathered, calendar)
    suggestion, why = _say(answers, made, past, moved, no_controls=bool(answers.spared) and not spared)
    shown, after = comparison.shown(days, made)
    users = sum(row.n for row in after)
    expected = [row for row in after if row.expected is not None]
    weights = sum(row.n for row in expected)
    return LaunchReport(
        answers=answers,
        registered=registered,
        readable_from=days.readable_from,
        suggestion=suggestion,
        why=why,
        effect=made.effect if isinstance(made, Change) else _missing(made),
        p_value=made.p_value if isinstance(made, Change) else None,
        expected=sum(row.n * (row.expected or 0.0) for row in expected) / weights if weights else None,
        before=made.before if isinstance(made, Change) else 0,
        after=made.after if isinstance(made, Change) else len(after),
        users_after=users,
        days=shown,
        past=past,
        past_dates=past_dates,
        blocked=blocked,
        can_tell_from=_can_tell_from(answers, gathered.first) if past.is_sound is None else None,
        passing=tuple(
            one for one in calendar.passing if one.starts <= days.last and (one.ends or days.last) >= days.first
        ),
        lasting=tuple(one for one in calendar.lasting if _changes_within(one, days)),
        unmoved=moved,
        gap=gathered.gap,
        data_end=data_end,
    )


@dataclass(frozen=True)
class TriedLaunches:
    """Launches that were supposed at separate dates of a site's past.

    Attributes:
        dates: that were asked.
        called: of them with an effect called where nothing was planted.
        found: of them with the planted effect called, in its direction.
        effect: that was planted, absolute; .05 of a share is five points.
    """

    dates: int
    called: int
    found: int
    effect: float


def try_dates(answers: Answers, gathered: Gathered, calendar: LeftOut, *, effect: float) -> TriedLaunches:
    """Ask at each date of the past twice: as it is, and with a step planted into its days after.

    Args:
        answers: of a launch at the end of the log; its own date isn't asked.
        gathered: the daily curves.
        calendar: days that aren't counted, and dates of other changes.
        effect: the step.
    """
    curve, dates, called, found = gathered.curves[OUTCOME], 0, 0, 0
    for days, made in _dates(_Comparison(answers, curve, {}, calendar), answers.days, gathered.first):
        if made is None:
            continue
        stepped = tuple(
            Daily(row.day, row.n, None if row.value is None else row.value + effect * (row.day >= days.first_after))
            for row in curve
        )
        planted = _Comparison(answers, stepped, {}, calendar).at(days)
        dates += 1
        called += made.p_value <= LEVEL
        found += isinstance(planted, Change) and planted.p_value <= LEVEL and planted.effect.estimate * effect > 0
    return TriedLaunches(dates, called, found, effect)


class Covered(Exception):  # noqa: N818 - no error: an answer
    """Too few of the days after are left."""


@dataclass(frozen=True)
class _Comparison:
    """The curves of one question, asked at any date."""

    answers: Answers
    curve: tuple[Daily, ...]
    spared: Mapping[str, tuple[Daily, ...]]
    calendar: LeftOut

    def at(self, days: Days) -> Change | NotComputable | Covered:
        """The change at one date."""
        rows, series = self._series(days)
        after = sum(row.day >= days.first_after for row in rows)
        if after < LEAST_LEFT * self.answers.days_after:
            return Covered()
        return change(series, after=after)

    def shown(self, days: Days, made: Change | NotComputable | Covered) -> tuple[tuple[ShownDay, ...], list[ShownDay]]:
        """The days of the chart, and those after that count."""
        counted = {row.day: place for place, row in enumerate(self._series(days)[0])}
        shown = []
        for row in self.curve:
            if row.value is None or not days.first <= row.day <= days.last:
                continue
            place = (
                Place.BEFORE
                if row.day <= days.last_before
                else Place.AFTER
                if row.day >= days.first_after
                else Place.BETWEEN
            )
            if row.day not in counted:
                place = place if place is Place.BETWEEN else Place.LEFT_OUT
                shown.append(ShownDay(row.day, row.n, row.value, place))
            elif isinstance(made, Change):
                expected, spread = float(made.expected[counted[row.day]]), float(made.spread[counted[row.day]])
                shown.append(ShownDay(row.day, row.n, row.value, place, expected, expected - spread, expected + spread))
            else:
                shown.append(ShownDay(row.day, row.n, row.value, place))
        return tuple(shown), [row for row in shown if row.place is Place.AFTER]

    def _series(self, days: Days) -> tuple[list[Daily], Series]:
        others = [{row.day: row.value for row in curve} for curve in self.spared.values()]
        rows = [
            row
            for row in self.curve
            if row.value is not None
            and row.n > 0
            and (days.first <= row.day <= days.last_before or days.first_after <= row.day <= days.last)
            and row.day not in self.calendar.days
            and all(other.get(row.day) is not None for other in others)
        ]
        weigh = self.answers.curve is not Curve.ACTIVE_USERS  # the number itself: each day counts alike
        return rows, Series(
            np.array([row.day.toordinal() for row in rows], dtype=np.int64),
            np.array([row.n if weigh else 1 for row in rows], dtype=np.float64),
            np.array([row.value for row in rows], dtype=np.float64),
            np.array([[other[row.day] for other in others] for row in rows], dtype=np.float64).reshape(
                len(rows), len(others)
            ),
        )


def _past(comparison: _Comparison, days: Days, first: date) -> tuple[tuple[PastDate, ...], int]:
    """The same question at dates of the past, and how many were left out, since something else happened there."""
    asked = list(_dates(comparison, days, first))
    found = tuple(
        PastDate(then.first_after, made.effect.estimate, made.p_value) for then, made in asked if made is not None
    )
    return found, len(asked) - len(found)


def _dates(comparison: _Comparison, days: Days, first: date) -> Iterator[tuple[Days, Change | None]]:
    """Separate dates of the past, the newest first; None where something else happened or too little is left."""
    place = 0
    while (then := days.earlier(place)).first >= first:
        place += 1
        touched = range((then.last_before - date.min).days + 1, (then.last - date.min).days + then.known_after)
        blocked = any((at - date.min).days in touched for at in comparison.calendar.changes)
        made = None if blocked else comparison.at(then)
        yield then, made if isinstance(made, Change) else None


def _moved(answers: Answers, gathered: Gathered, calendar: LeftOut) -> PastDate | None:
    """The change of the curve that the launch can't move, judged by its own past alone."""
    if UNMOVED not in gathered.curves:
        return None
    made = _Comparison(answers, gathered.curves[UNMOVED], {}, calendar).at(answers.days)
    if not isinstance(made, Change):
        return None
    return PastDate(answers.days.first_after, made.effect.estimate, made.p_value)


def _say(
    answers: Answers,
    made: Change | NotComputable | Covered,
    past: OwnPast,
    moved: PastDate | None,
    *,
    no_controls: bool,
) -> tuple[Suggestion, Why]:
    """The first row that holds."""
    if no_controls:
        return Suggestion.REFUSED, Why.NO_CONTROLS
    if isinstance(made, Covered):
        return Suggestion.REFUSED, Why.COVERED
    if past.is_sound is False:
        return Suggestion.REFUSED, Why.ERRS
    if moved is not None and moved.p_value <= LEVEL:
        return Suggestion.REFUSED, Why.UNMOVED_MOVED
    if not isinstance(made, Change):
        return Suggestion.CANT_TELL, Why.SHORT
    if past.is_sound is None:
        return Suggestion.CANT_TELL, Why.FEW_DATES
    if made.p_value > LEVEL or made.effect.low <= 0 <= made.effect.high:
        return Suggestion.CANT_TELL, Why.NOT_FOUND
    better = (made.effect.estimate > 0) == (answers.better is Direction.HIGHER)
    return (Suggestion.GAIN if better else Suggestion.LOSS), Why.FOUND


def _missing(made: NotComputable | Covered) -> NotComputable:
    return NotComputable(Reason.NO_DATA) if isinstance(made, Covered) else made


def _is_large(curve: tuple[Daily, ...]) -> bool:
    return bool(curve) and sum(row.n for row in curve) >= FEWEST_USERS * len(curve)


def _changes_within(one: Other, days: Days) -> bool:
    """Whether something began or ended while the launch's days after were measured."""
    end = days.last + (days.known_after - 1) * DAY
    ended = one.ends is not None and one.ends > one.starts and days.last_before < one.ends <= end
    return days.last_before < one.starts <= end or ended


def _can_tell_from(answers: Answers, first: date) -> date:
    """The first date for a launch with these answers that has enough dates before it, if nothing blocks one."""
    days = answers.days
    return answers.began + (first - days.earlier(FEWEST_BLOCKS - 1).first)
