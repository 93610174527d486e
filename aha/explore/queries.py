"""Queries of Explore, as Ibis expressions over the table of people and the acts of a behaviour. Nothing runs here.

*People* is the table of `events.warehouse.activity_bits`, optionally with ``segment``; *acts* has
``user_id, time, value``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from events.metrics import Active, MinDays, MinEvents, Retention, Survival
from events.metrics.levels import Levels
from events.warehouse import activity_bits
from events.warehouse.activity_bits import DATE_DAYS, WEEKS, bits, dates_name
from events.warehouse.columns import DAY, day_index, wall_clock
from events.warehouse.unit_values import Basis, how_many, since_anchor
from events.windows import DayMode

if TYPE_CHECKING:
    import ibis.expr.types as ir


# A retention definition moved along the days of a user's life: the columns of the triangle. Pure.

MOST_DAYS = 31  # columns of one day each
MOST_WINDOWS = 13  # columns of several days each
MOST_PERIODS = 26  # weeks or months
WEEK = 7


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        first: its first day.
        last: its last day, or None for "and every later day".
        needs: complete days that a user needs to count here.
        chosen: True for the definition itself; survival has none.
        aside: counted for the definition and no column of the curve, whose columns are periods.
    """

    first: int
    last: int | None
    needs: int
    chosen: bool = False
    aside: bool = False


def columns(definition: Retention, oldest: int, period: int = 1) -> tuple[Column, ...]:
    """The definition's window, shifted by multiples of its length, so that the definition itself is one of the columns.

    A definition of one day, "on day N or later" and survival have a column for each period. Where activity is asked
    for in weeks or months, a column is such a period, and the definition stands aside unless it is one of them.

    Args:
        definition: what "retained" means.
        oldest: complete days of the oldest user: there are no columns beyond them, except the definition's own.
        period: days of a period.
    """
    match definition:
        case Survival(gap):
            ends = range(period - 1, period * _number((oldest - gap) // period, MOST_DAYS), period)
            return tuple(Column(day, day, day + gap + 1) for day in ends)
        case Active(window) if window.end_day is None:
            start = window.start_day
            starts = range(0, period * _number(oldest // period, MOST_DAYS), period)
            windows = [Column(day, None, day + 1, day == start) for day in starts]
            return _with(windows, Column(start, None, window.days_needed, True, aside=period > 1))
        case Active(window) if period > 1:
            firsts = [period * place for place in range(_number(oldest // period, MOST_PERIODS))]
            own = (window.start_day, window.end_day)
            windows = [Column(day, day + period - 1, day + period, (day, day + period - 1) == own) for day in firsts]
            if any(column.chosen for column in windows):
                return tuple(windows)
            return (*windows, Column(*own, window.days_needed, True, aside=True))
        case Active(window) | MinDays(window) | MinEvents(_, window):
            size, start = len(window), window.start_day
            offset = start % size
            number = _number((oldest - offset) // size, MOST_DAYS if size == 1 else MOST_WINDOWS)
            firsts = [offset + size * place for place in range(number)]
            windows = [Column(first, first + size - 1, first + size, first == start) for first in firsts]
            return _with(windows, Column(start, window.end_day, window.days_needed, True))


def _number(wanted: int, most: int) -> int:
    return max(1, min(wanted, most))


def _with(windows: list[Column], chosen: Column) -> tuple[Column, ...]:
    return tuple(windows) if any(column.chosen for column in windows) else (*windows, chosen)


type Place = tuple[date, int]  # the first date, and how many days: 1, 7 from a Monday, or those of a month


# ── Users ─────────────────────────────────────────────────────────────────────
def signed_up(people: ir.Table, *, first: date | None, last: date | None) -> ir.Table:
    """People who signed up in these dates."""
    import ibis

    if first is not None:
        people = people.filter(people.anchor_date >= ibis.literal(first))
    if last is not None:
        people = people.filter(people.anchor_date <= ibis.literal(last))
    return people


def in_site_dates(people: ir.Table, basis: Basis) -> ir.Table:
    """The same people, each with the site's date of the signup as ``anchor_date``, also where days are rolling.

    For views whose rows are dates; a rolling day is numbered from ``anchor``, so it stays as it is.
    """
    if basis.clock.zone == basis.clock.time_zone:
        return people
    return people.mutate(anchor_date=wall_clock(people.anchor, basis.clock.time_zone).date())


def sizes(people: ir.Table) -> ir.Table:
    """One row per segment: ``segment, users, oldest`` (complete days), ``first_date, last_date`` of signup."""
    return people.group_by("segment").aggregate(
        users=people.count(),
        oldest=people.complete_days.max(),
        first_date=people.anchor_date.min(),
        last_date=people.anchor_date.max(),
    )


# ── Retention ─────────────────────────────────────────────────────────────────
def triangle(
    people: ir.Table, definition: Retention, columns: Sequence[Column], acts: ir.Table | None, by: str = "week"
) -> ir.Table:
    """One row per signup week (or month) and segment: ``week, segment, users`` and ``e_k, r_k`` for each column.

    ``e_k`` counts the users whose days are complete, ``r_k`` the retained among them.

    Args:
        people: the population.
        definition: what "retained" means.
        columns: the shifted windows.
        acts: for `min_events`: ``user_id, day`` of the event since the anchor.
        by: ``month`` for months of signup.
    """
    people = in_columns(people, definition, columns, acts, by)
    numbers: dict[str, ir.Value] = {}
    for k, column in enumerate(columns):
        ready = people.complete_days >= column.needs
        numbers[f"e_{k}"] = ready.ifelse(1, 0).sum()
        numbers[f"r_{k}"] = (ready & people[f"_r{k}"]).ifelse(1, 0).sum()
    return people.group_by("week", "segment").aggregate(users=people.count(), **numbers)


def in_columns(
    people: ir.Table, definition: Retention, columns: Sequence[Column], acts: ir.Table | None, by: str = "week"
) -> ir.Table:
    """The people with the first day of their ``week`` (or month) of signup and ``_r0 …``, retained in each column.

    The arguments are those of `triangle`.
    """
    people = people.mutate(week=people.anchor_date.truncate("M" if by == "month" else "W").cast("date"))
    if isinstance(definition, MinEvents) and acts is not None:
        people = people.left_join(often(acts, columns), "user_id").drop("user_id_right")
    if isinstance(definition, Survival):
        people = _with_churn(people, definition.gap)
    return people.mutate(
        **{f"_r{k}": retained(people, definition, column, f"_n{k}") for k, column in enumerate(columns)}
    )


def retained(people: ir.Table, definition: Retention, column: Column, counted: str = "") -> ir.BooleanValue:
    """Whether each user is retained in a column, regardless of the user's age.

    Args:
        people: the population.
        definition: what "retained" means; for survival the people need the columns of `_with_churn`.
        column: the days.
        counted: for `min_events`: the column with the number of events.
    """
    import ibis

    match definition:
        case Survival():
            return _lives(people, column.first)
        case MinEvents(_, _, times):
            return (people[counted].fill_null(0) >= times) if counted in people.columns else ibis.literal(False)
        case MinDays(_, days):
            return activity_bits.number_active(people, column.first, column.last or 0) >= days
    if column.last is None:
        return (people.last_day >= column.first).fill_null(False)
    words = [_inside(people, column.first, column.last, word) for word in _words(people)]
    conditions = [word for word in words if word is not None]
    return reduce(lambda left, right: left | right, conditions, ibis.literal(False))


def _words(people: ir.Table) -> range:
    return range(sum(name.startswith("days_") for name in people.columns))


def _inside(people: ir.Table, first: int, last: int, word: int) -> ir.BooleanValue | None:
    """Whether a word has an active day from `first` to `last`; None for a word outside."""
    start = word * activity_bits.WORD_DAYS
    low, high = max(first, start), min(last, start + activity_bits.WORD_DAYS - 1)
    if low > high:
        return None
    mask = sum(1 << (day - start) for day in range(low, high + 1))
    return (people[activity_bits.name_of(word)] & mask) > 0


def _with_churn(people: ir.Table, gap: int) -> ir.Table:
    """People with the word and the bit of their day of churn; null where no churn is observed."""
    seen = activity_bits.churn(people, gap, len(_words(people))).select("user_id", "churn_word", "churn_bit")
    return people.left_join(seen, "user_id").drop("user_id_right")


def _lives(people: ir.Table, day: int) -> ir.BooleanValue:
    """Whether the user had not churned on or before the day."""
    word, bit = divmod(day, activity_bits.WORD_DAYS)
    gone = (people.churn_word < word) | ((people.churn_word == word) & (people.churn_bit < (1 << (bit + 1))))
    return ~gone.fill_null(False)


def often(acts: ir.Table, columns: Sequence[Column]) -> ir.Table:
    """Number of acts of each user in the days of each column: ``user_id, _n0, _n1 …``."""
    bounds = [(column.first, column.last) for column in columns if column.last is not None]
    numbers = {f"_n{k}": how_many(acts.day.between(first, last)) for k, (first, last) in enumerate(bounds)}
    return acts.group_by("user_id").aggregate(**numbers)


# ── Acts ──────────────────────────────────────────────────────────────────────
def since_signup(
    acts: ir.Table, people: ir.Table, basis: Basis, *, distinct: bool = False, segmented: bool = True
) -> ir.Table:
    """Acts of these people from their anchor to the data's end: ``user_id, time, day, segment, anchor, anchor_date``.

    Args:
        acts: of one behaviour.
        people: the population.
        basis: clock and data's end.
        distinct: count each value of a user once, at its first occurrence.
        segmented: False where all people have the segment "": a constant is cheaper than a join.
    """
    import ibis

    log = since_anchor(acts, people, basis, "complete_days", *(["segment"] if segmented else []))
    log = log.mutate(day=_day(log, basis), **({} if segmented else {"segment": ibis.literal("")}))
    if distinct:
        log = log.filter(log.value.notnull())
        log = log.group_by("user_id", "value", "segment", "anchor", "anchor_date", "complete_days").aggregate(
            time=log.time.min(), day=log.day.min()
        )
    return log.select("user_id", "time", "day", "segment", "anchor", "anchor_date", "complete_days")


def _day(log: ir.Table, basis: Basis) -> ir.IntegerValue:
    """`day_index` of ``time`` after ``anchor``."""
    return day_index(log.time, log.anchor, log.anchor_date, basis.clock, basis.dialect)


def _within(log: ir.Table, basis: Basis, days: int) -> ir.BooleanValue:
    """Whether ``time`` lies on one of the first days from ``anchor``."""
    if basis.clock.mode is DayMode.ROLLING:
        return log.time.delta(log.anchor, unit="microsecond") < days * DAY
    return _day(log, basis) < days


def placed(log: ir.Table, basis: Basis, places: Sequence[Place], days: int) -> ir.Table:
    """One row per act: ``user_id, segment, place, early``; materialise it, since two queries read it.

    Args:
        log: acts since signup.
        basis: its clock, whose zone has these dates whatever its days are.
        places: the dates, weeks or months that are shown, without gaps.
        days: `early` is true for acts within so many days of signup.

    `place` is the index of its date, week or month in `places`, -1 for an act outside of them.
    """
    import ibis

    first, size = places[0]
    at = wall_clock(log.time, basis.clock.time_zone).date()
    if size > WEEK:
        since, size = (at.year() * 12 + at.month() - (first.year * 12 + first.month)).cast("int32"), 1
    else:
        since = at.delta(ibis.literal(first), unit="day").cast("int32")
    place = ((since - since % size) / size).cast("int32")
    shown = (since >= 0) & (place < len(places))
    place = shown.ifelse(place, ibis.literal(-1, "int32"))
    return log.select("user_id", "segment", place=place.cast("int32"), early=_within(log, basis, days))


def events_by_place(acts: ir.Table) -> ir.Table:
    """Number of acts: ``place, segment, events``; from `placed`."""
    import ibis

    return acts.filter(acts.place >= 0).group_by("place", "segment").aggregate(events=ibis._.count())


def user_places(acts: ir.Table, number: int) -> ir.Table:
    """One row per user: ``user_id, early`` and the bits ``at_0 …`` of the places at which it was done.

    Grouped by user only: grouping by user and date would give several times as many groups.

    Args:
        acts: from `placed`.
        number: of places.
    """
    words = range(activity_bits.words_for(number - 1))
    places = {
        f"at_{word}": bits(acts.place, word * activity_bits.WORD_DAYS, activity_bits.WORD_DAYS).bit_or()
        for word in words
    }
    return acts.group_by("user_id").aggregate(early=acts.early.any(), **places)


def users_by_place(people: ir.Table, done: ir.Table, number: int) -> ir.Table:
    """One row per segment: ``segment`` and ``u_k``, users who did it at the k-th place; `done` is `user_places`."""
    table = people.select("user_id", "segment").join(done, "user_id")
    users = {}
    for k in range(number):
        word, bit = divmod(k, activity_bits.WORD_DAYS)
        users[f"u_{k}"] = ((table[f"at_{word}"] & (1 << bit)) > 0).ifelse(1, 0).sum()
    return table.group_by("segment").aggregate(**users)


def new_by_date(people: ir.Table, done: ir.Table, by: str, days: int) -> ir.Table:
    """One row per date or week of signup: ``at, segment, signups, ready, did`` within `days` days."""
    early = done.filter(done.early).select("user_id").mutate(did=True)
    people = people.mutate(at=_bucket(people.anchor_date, by), ready=people.complete_days >= days)
    table = people.left_join(early, "user_id")
    did = table.ready & table.did.fill_null(False)
    return table.group_by("at", "segment").aggregate(
        signups=table.count(), ready=table.ready.ifelse(1, 0).sum(), did=did.ifelse(1, 0).sum()
    )


def _bucket(day: ir.DateValue, by: str) -> ir.DateValue:
    return (day if by == "day" else day.truncate("W" if by == "week" else "M")).cast("date")


def active_dates(people: ir.Table, monday: date, places: Sequence[Place]) -> ir.Table:
    """One row per segment: ``segment`` and ``a_k``, users who were active in the k-th of these dates or weeks.

    Args:
        people: the population.
        monday: the first day of ``dates_0``.
        places: first date and number of days of each.
    """
    numbers: dict[str, ir.Value] = {}
    for k, (first, days) in enumerate(places):
        inside = list(_active_from(people, (first - monday).days, days))
        active = reduce(lambda left, right: left | right, inside) if inside else None
        numbers[f"a_{k}"] = people.user_id.count() * 0 if active is None else active.ifelse(1, 0).sum()
    return people.group_by("segment").aggregate(**numbers)


def _active_from(people: ir.Table, start: int, days: int) -> Iterator[ir.BooleanValue]:
    """Activity on these days since the first of ``dates_0``, for each word of dates that holds some of them."""
    end = start + days
    for word in range(max(start, 0) // DATE_DAYS, (end - 1) // DATE_DAYS + 1 if end > 0 else 0):
        low, high = max(start, word * DATE_DAYS), min(end, (word + 1) * DATE_DAYS)
        name, mask = dates_name(word), ((1 << (high - low)) - 1) << (low - word * DATE_DAYS)
        if name in people.columns:
            yield (people[name] & mask) > 0


def times_within(people: ir.Table, log: ir.Table, *, days: int, needs: int) -> ir.Table:
    """Number of users by number of acts: ``segment, n, retained, users``, of users with `needs` complete days.

    Args:
        people: with the flag ``stayed``.
        log: acts since signup.
        days: "within Y days".
        needs: complete days that a user needs to count.
    """
    table = with_times(people, log, days=days, needs=needs)
    return table.group_by("segment", "n", "stayed").aggregate(users=table.count())


def with_times(people: ir.Table, log: ir.Table, *, days: int, needs: int) -> ir.Table:
    """The people with `needs` complete days, with ``n``, how often each did it; as for `times_within`."""
    early = log.filter(log.day < days)
    counted = early.group_by("user_id").aggregate(n=early.count())
    table = people.filter(people.complete_days >= needs).left_join(counted, "user_id").drop("user_id_right")
    return table.mutate(n=table.n.fill_null(0))


# ── Weeks of users ────────────────────────────────────────────────────────────
def weeks_of_users(people: ir.Table, monday: date, weeks: Sequence[date]) -> ir.Table:
    """One row per segment: ``segment`` and ``new_k, current_k, returning_k, dormant_k`` for each week."""
    numbers: dict[str, ir.Value] = {}
    for k, week in enumerate(weeks):
        flags = kinds_in(people, monday, week)
        numbers |= {f"{name}_{k}": flag.ifelse(1, 0).sum() for name, flag in flags.items()}
    return people.group_by("segment").aggregate(**numbers)


def kinds_in(people: ir.Table, monday: date, week: date) -> dict[str, ir.BooleanValue]:
    """Who is ``new``, ``current``, ``returning`` and ``dormant`` in a week.

    In the week of their signup users are new. Afterwards those who are active are current when they were active (or
    new) in the week before, and returning when not. Dormant are those who were active (or new) in the week before and
    aren't in this one.
    """
    import ibis

    signup = people.anchor_date.truncate("W").cast("date")
    joined, before = signup < ibis.literal(week), _active_in(people, monday, week, -1)
    was = joined & (before | (signup == ibis.literal(week) - ibis.interval(days=7)))
    now = joined & _active_in(people, monday, week, 0)
    return {"new": signup == ibis.literal(week), "current": now & was, "returning": now & ~was, "dormant": was & ~now}


LEVEL_CODES = ("none", "low", "mid", "high", "new")  # in the order of their numbers; nobody is new in two periods


def levels_of_users(people: ir.Table, monday: date, periods: Sequence[date], levels: Levels) -> ir.Table:
    """One row per segment, period and pair: ``segment, place, before, now, users``.

    Args:
        people: the population.
        monday: on which the words of dates begin.
        periods: first dates, Mondays, each a period as long as the levels' days.
        levels: how active days are cut.

    ``before`` and ``now`` are places in `LEVEL_CODES`: of the period before, and of this one. In the period of their
    signup users are new, whose ``before`` says nothing. Users of later periods have no row.
    """
    import ibis

    days = ibis.interval(days=levels.days)
    signup = people.anchor_date
    codes = []
    for place, first in enumerate(periods):
        start = ibis.literal(first)
        now = ibis.cases((signup >= start, NEW), else_=_level_in(people, monday, first, levels))
        earlier = first - timedelta(days=levels.days)
        before = ibis.cases((signup >= start - days, NEW), else_=_level_in(people, monday, earlier, levels))
        whole = ibis.cases((signup < start + days, place * CODES**2 + before * CODES + now), else_=-1)
        codes.append(whole.cast("int32"))
    rows = people.select("segment", code=ibis.array(codes).unnest()).filter(lambda row: row.code >= 0)
    counted = rows.group_by("segment", "code").aggregate(users=rows.count())
    return counted.select(
        "segment",
        "users",
        place=counted.code // CODES**2,
        before=counted.code // CODES % CODES,
        now=counted.code % CODES,
    )


def at_levels(people: ir.Table, monday: date, period: date, levels: Levels) -> ir.Table:
    """The people who signed up before a period, with ``before`` and ``now`` as of `levels_of_users`."""
    import ibis

    earlier = period - timedelta(days=levels.days)
    known = people.filter(people.anchor_date < ibis.literal(period))
    is_new = known.anchor_date >= ibis.literal(earlier)
    return known.mutate(
        before=ibis.cases((is_new, NEW), else_=_level_in(known, monday, earlier, levels)),
        now=_level_in(known, monday, period, levels),
    )


CODES, NEW = len(LEVEL_CODES), LEVEL_CODES.index("new")


def _level_in(people: ir.Table, monday: date, first: date, levels: Levels) -> ir.IntegerValue:
    import ibis

    active = reduce(add, [_active_at(people, (first - monday).days + day) for day in range(levels.days)])
    return ibis.cases((active == 0, 0), (active <= levels.low, 1), (active <= levels.mid, 2), else_=3)


def _active_at(people: ir.Table, day: int) -> ir.IntegerValue:
    """1 for users who were active on a date, counted from the Monday of the words; else 0."""
    import ibis

    name = dates_name(day // DATE_DAYS)
    if day < 0 or name not in people.columns:
        return ibis.literal(0)
    return ((people[name] & (1 << day % DATE_DAYS)) > 0).ifelse(1, 0)


def _active_in(people: ir.Table, monday: date, week: date, shift: int) -> ir.BooleanValue:
    import ibis

    place = (week - monday).days // 7 + shift
    name = dates_name(place // WEEKS)
    if place < 0 or name not in people.columns:
        return ibis.literal(False)
    return (people[name] & (127 << (7 * (place % WEEKS)))) > 0


# ── Funnels ───────────────────────────────────────────────────────────────────
def next_step(table: ir.Table, acts: ir.Table, k: int, basis: Basis, *, days: int) -> ir.Table:
    """The users of a funnel with ``at_k``, when they first did step k after step k - 1; null for users who didn't.

    Materialise the result before the next step, which reads it twice.

    Args:
        table: ``user_id, anchor, anchor_date, segment, at_0 …`` of the steps before.
        acts: of the step.
        k: the step's place, from 0.
        basis: clock and data's end.
        days: "within Y days" of signup; later acts don't count.
    """
    before = table if k == 0 else table.filter(table[f"at_{k - 1}"].notnull())
    log = since_anchor(acts, before, basis, *([] if k == 0 else [f"at_{k - 1}"]))
    log = log.filter(_within(log, basis, days))
    if k:
        log = log.filter(log.time > log[f"at_{k - 1}"])
    reached = log.group_by("user_id").aggregate(**{f"at_{k}": log.time.min()})
    return table.left_join(reached, "user_id").drop("user_id_right")


def funnel(table: ir.Table, steps: int) -> ir.Table:
    """One row per segment: ``segment, users``, ``s_k`` users reaching step k, ``t_k`` median seconds of that step."""
    numbers = {f"s_{k}": table[f"at_{k}"].count() for k in range(steps)}
    for k in range(1, steps):
        waited = table[f"at_{k}"].delta(table[f"at_{k - 1}"], unit="microsecond")
        numbers[f"t_{k}"] = waited.cast("float64").quantile(0.5) / 1e6
    return table.group_by("segment").aggregate(users=table.count(), **numbers)
