"""Ask the warehouse what users did on the past days that an event's rules are played over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from aha.study.population import segments_named
from events.metrics import parse_behaviour
from events.warehouse.arm_marks import Condition, Did, refuse_arm_marks
from events.warehouse.session import WarehouseSession, span_of
from launches.balance import queries
from launches.balance.queries import GROUP
from launches.balance.rules import Rules
from launches.balance.simulation import FEWEST_BLOCKS, MOST_BLOCKS, Block, Group, Ints, Past
from runs import site_zone
from runs.refusals import Refused
from segments.models import Membership
from segments.published.segment_marks import of_segments

if TYPE_CHECKING:
    import ibis.expr.types as ir

LOOK = 28  # days: who was active in them before a block's first date takes part in it
WEEK = 7
MOST_USERS = 100_000  # of more, one in so many is played
DAY = timedelta(days=1)


@dataclass(frozen=True, eq=False)
class _Days:
    """Rows of users and dates: number of the user, date as an ordinal, place of the group, times by behaviour."""

    user: Ints
    day: Ints
    group: Ints
    times: Ints


def gather(store: WarehouseSession, rules: Rules) -> Past:
    """The past that the rules are played over: up to six runs of days with the weekdays of the event.

    Args:
        store: the open warehouse.
        rules: of the event, which may be over.

    Raises:
        Refused: the log is too short, lacks an event or a segment, or a condition would show who is in which arm.
    """
    _check(store, rules)
    end = _end(rules, store.basis.data_end)
    oldest = site_zone.site_date(span_of(store.warehouse, store.basis.clock).oldest) + DAY
    firsts = _firsts(rules, end, oldest)
    if len(firsts) < FEWEST_BLOCKS:
        raise Refused(
            "The log has too few days: {needed} whole runs of {days} days are needed, and {look} days before them.",
            needed=FEWEST_BLOCKS,
            days=rules.days,
            look=LOOK,
        )
    rows, groups, one_in = _rows(store, rules, firsts[-1] - LOOK * DAY, end)
    now = _active_before(rows, end)
    users = np.bincount(rows.group[_first_rows(rows.user, now)], minlength=len(groups)) * one_in
    if not users.sum():
        raise Refused("Nobody who takes part was active in the last {look} days.", look=LOOK)
    blocks = tuple(_block(rows, first, rules.days, _active_before(rows, first)) for first in firsts)
    return Past(rules.behaviours, groups, users.astype(np.int64), blocks, one_in, end - DAY)


def past_of(rules: Rules, data_end: datetime) -> tuple[date, date]:
    """The first date of the oldest block that a log which is old enough has, and the date after the newest one."""
    end = _end(rules, data_end)
    return _firsts(rules, end, date.min)[-1], end


def _end(rules: Rules, data_end: datetime) -> date:
    """The date after the last day of the past: no day of the event itself."""
    return min(site_zone.site_date(data_end), rules.first)


def gather_event(store: WarehouseSession, rules: Rules) -> tuple[Past, Past]:
    """The event's own days: of those who had been active shortly before it, and of the others.

    Raises:
        Refused: as `gather`; or its last day isn't over yet.
    """
    _check(store, rules)
    if site_zone.site_date(store.basis.data_end) <= rules.last:
        raise Refused("The event isn't over: its last day is {day}.", day=rules.last)
    rows, groups, one_in = _rows(store, rules, rules.first - LOOK * DAY, rules.last + DAY)
    known = _active_before(rows, rules.first)
    inside = np.unique(rows.user[rows.day >= rules.first.toordinal()])
    sides = []
    for users in (known, np.setdiff1d(inside, known)):
        sizes = np.bincount(rows.group[_first_rows(rows.user, users)], minlength=len(groups)) * one_in
        block = _block(rows, rules.first, rules.days, users)
        sides.append(Past(rules.behaviours, groups, sizes.astype(np.int64), (block,), one_in, rules.last))
    return sides[0], sides[1]


def _check(store: WarehouseSession, rules: Rules) -> None:
    for behaviour in rules.behaviours:
        store.need_event(parse_behaviour(behaviour).event, "rules")
    refuse_arm_marks({"": _conditions(rules)}, store=store)


def _conditions(rules: Rules) -> Iterator[Condition]:
    """What would tell users apart, to be held against the outcome lock."""
    yield from (Did(parse_behaviour(behaviour)) for behaviour in rules.behaviours)
    if rules.segment:
        yield from of_segments(*segments_named(rules.segment))


def _firsts(rules: Rules, end: date, oldest: date) -> list[date]:
    """First dates of the blocks, the newest first: on the event's weekday, all days before `end`, none shared."""
    step = ceil(rules.days / WEEK) * WEEK
    first = end - rules.days * DAY
    first -= (first.weekday() - rules.first.weekday()) % WEEK * DAY
    found: list[date] = []
    while len(found) < MOST_BLOCKS and first - LOOK * DAY >= oldest:
        found.append(first)
        first -= step * DAY
    return found


def _rows(store: WarehouseSession, rules: Rules, first: date, end: date) -> tuple[_Days, tuple[Group, ...], int]:
    start, until = site_zone.midnight(first), site_zone.midnight(end)
    look = queries.active_users(store.log, store.basis, start=site_zone.midnight(end - LOOK * DAY), end=until)
    one_in = max(1, ceil(int(store.run(look).users[0]) / MOST_USERS))
    groups, members = _groups(store, rules)
    behaviours = [parse_behaviour(text) for text in rules.behaviours]
    question = queries.user_days(
        store.log, store.basis, behaviours, start=start, end=until, one_in=one_in, groups=members
    )
    table = store.warehouse.arrow(question)
    ids = table.column("user_id").to_numpy(zero_copy_only=False)
    _known, user = np.unique(ids, return_inverse=True)
    days = table.column("day").to_numpy(zero_copy_only=False).astype("datetime64[D]").astype(np.int64)
    times = [table.column(f"b_{place}").to_numpy(zero_copy_only=False) for place in range(len(behaviours))]
    group = table.column(GROUP).to_numpy(zero_copy_only=False).astype(np.int64)
    found = _Days(user.astype(np.int64), days + EPOCH, group, np.stack(times, axis=1).astype(np.int64))
    return found, groups, one_in


EPOCH = date(1970, 1, 1).toordinal()


def _groups(store: WarehouseSession, rules: Rules) -> "tuple[tuple[Group, ...], ir.Table | None]":
    """The groups side by side, and ``user_id, event_group`` of their members."""
    if not rules.segment:
        return (Group("", ""),), None
    import ibis
    import pyarrow as pa

    version, segments = segments_named(rules.segment)
    places = {segment.pk: place for place, segment in enumerate(segments)}
    rows: Any = Membership.objects.filter(version=version, segment__in=list(places)).values_list("unit", "segment_id")
    pairs = [(unit, places[segment]) for unit, segment in rows.iterator(chunk_size=50_000)]
    if not pairs:
        raise Refused("The segment “{key}” has no members.", key=rules.segment, at="segment")
    units, groups = zip(*pairs, strict=True)
    table = pa.table({"user_id": pa.array(units, pa.string()), GROUP: pa.array(groups, pa.int64())})
    return tuple(Group(row.key, row.name or row.key) for row in segments), store.warehouse.keyed(ibis.memtable(table))


def _active_before(rows: _Days, first: date) -> Ints:
    """Numbers of the users who were active in the days before a date."""
    at = first.toordinal()
    return np.unique(rows.user[(rows.day >= at - LOOK) & (rows.day < at)])


def _first_rows(user: Ints, wanted: Ints) -> Ints:
    """The place of a row of each of these users."""
    known, place = np.unique(user, return_index=True)
    return place[np.searchsorted(known, wanted)]


def _block(rows: _Days, first: date, days: int, users: Ints) -> Block:
    """What these users did on the days from a date on."""
    at = first.toordinal()
    place = np.searchsorted(users, rows.user)
    place[place == users.size] = 0
    here = (rows.day >= at) & (rows.day < at + days)
    here &= users[place] == rows.user if users.size else False
    order = np.lexsort((rows.day[here], place[here]))
    group = rows.group[_first_rows(rows.user, users)]
    return Block(first, group, place[here][order], (rows.day[here] - at)[order], rows.times[here][order])
