"""Delete events: old ones each night, never what an app holds (`retention_holds`); test events; made-up ones."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import batched

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.apps import apps
from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from events.erasure import forget_message_ids, known_users
from events.models import CatalogueSnapshot, IdLink, Source, UnitTraits
from events.outbox import flush
from events.schema import sender_of
from events.store import dictionary, event_table, ownership, rewrite, time_travel
from events.store.snapshot import Snapshot, snapshot
from events.warehouse import daily_tables, increments
from runs.refusals import Refused

# Plans that still need old events; apps list functions that return them (`retention_holds` in `apps.py`).


@dataclass(frozen=True)
class Hold:
    """One plan that needs events.

    Attributes:
        name: shown to people.
        url: of its page.
        since: events from this UTC date on; None for all.
        until: the planned day from which it no longer needs them; None while that is open.
    """

    name: str
    url: str
    since: date | None
    until: date | None


def all_holds() -> Iterator[Hold]:
    """The holds of all apps."""
    for app in apps.get_app_configs():
        for name in getattr(app, "retention_holds", ()):
            yield from import_string(name)()


# Retention: each night delete events and traits past their source's limit, but never those that a plan needs.

BATCH = 500


@dataclass(frozen=True)
class Limits:
    """The first UTC date whose events stay.

    Attributes:
        by_source: by the number of the source; None where all stay.
        others: of events without a source (files, Insight's own) and of sources that are gone.
        holds: plans that need events past the limit.
    """

    by_source: Mapping[int, date | None]
    others: date | None
    holds: tuple[Hold, ...] = ()

    @property
    def earliest(self) -> date | None:
        """Every event before this date is deleted; None when some sources keep all of theirs."""
        days = [*self.by_source.values(), self.others]
        return None if None in days else min(day for day in days if day)

    @property
    def latest(self) -> date | None:
        """Only events before this date can be deleted; None when none is deleted."""
        return max((day for day in (*self.by_source.values(), self.others) if day), default=None)

    def of(self, message_id: str | None) -> date | None:
        """The limit for an event with this message id."""
        source = sender_of(message_id).source
        return self.others if source is None else self.by_source.get(source, self.others)


def limits_now() -> Limits:
    """The current limits, from the sources' days, the site's (RETENTION_DAYS) and the plans that need older events."""
    today, site = timezone.now().date(), settings.RETENTION_DAYS or None
    days = dict(Source.objects.values_list("pk", "retention_days"))
    wanted = {pk: _before(today, own if own is not None else site) for pk, own in days.items()}
    others = _before(today, site)
    latest = max((day for day in (*wanted.values(), others) if day), default=None)
    if latest is None:
        return Limits(wanted, others)
    holding = tuple(hold for hold in all_holds() if hold.since is None or hold.since < latest)
    return Limits({pk: _held(day, holding) for pk, day in wanted.items()}, _held(others, holding), holding)


def _before(today: date, days: int | None) -> date | None:
    return today - timedelta(days=days) if days else None


def _held(day: date | None, holding: Iterable[Hold]) -> date | None:
    for hold in holding:
        if day is not None:
            day = None if hold.since is None else min(day, hold.since)
    return day


class _Old:
    """The `change` of the rewrite, called for each part of a file."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def wanted(self, day: date) -> bool:
        """Only files of dates on which events may be deleted."""
        latest = self.limits.latest
        return latest is not None and dictionary.DAY < day < latest

    def __call__(self, rows: pa.Table, is_dictionary: bool) -> pa.Table:
        """The rows that stay."""
        earliest = self.limits.earliest
        if earliest and rows.num_rows and pc.max(rows.column("time")).as_py().date() < earliest:
            return rows.slice(0, 0)
        days = rows.column("time").cast(pa.date32()).to_pylist()
        ids = rows.column("message_id").to_pylist()
        gone = [
            (limit := self.limits.of(name)) is not None and day < limit for day, name in zip(days, ids, strict=True)
        ]
        return rows.filter(pa.array([not is_gone for is_gone in gone])) if any(gone) else rows


def retain(*, dry_run: bool = False) -> dict[str, int]:
    """Delete older events; returns the numbers of deleted events, users without any event left, and traits.

    The old files are deleted by the store's vacuum a week later, since running queries may read them. Versions with
    such rows that a final analysis names are released as well.

    Raises:
        ownership.StoreRefused: when the store is damaged or not this database's.
    """
    limits = limits_now()
    old_traits = UnitTraits.objects.filter(updated_at__lt=timezone.now() - timedelta(days=settings.TRAITS_DAYS))
    traits = old_traits if settings.TRAITS_DAYS else UnitTraits.objects.none()
    if dry_run:
        return {"events": _count_old(limits), "traits": traits.count()}
    events = users = 0
    if limits.latest is not None and event_table.exists():
        ownership.check_to_write()
        old = _Old(limits)
        events = rewrite.rewrite(rewrite.Rewriting(old, wanted=old.wanted)).removed
        time_travel.let_go_old(old.wanted, old)
        users = _forget_users()
        _forget_links(limits.latest)
        daily_tables.forget_changed()
        increments.tidy()
    return {"events": events, "users": users, "traits": traits.delete()[0]}


def _count_old(limits: Limits) -> int:
    old = _Old(limits)
    paths = [path for path in snapshot().paths() if old.wanted(rewrite.day_of(path))] if event_table.exists() else []
    return sum(rows.num_rows - old(rows, False).num_rows for path in paths for rows in rewrite.rows_of(path))


class _Unused:
    """The `change` that removes users without events from the dictionary: their numbers are never assigned again."""

    def __init__(self) -> None:
        self._by_file: dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}  # sets of int take ten times as much
        self._used = pa.array([], pa.int64())
        self._whole = False

    def begin(self, at: Snapshot) -> None:
        """Find the users with events in this version; a concurrent flush that assigns numbers makes the commit fail."""
        paths = [path for path in at.paths() if not dictionary.is_dictionary(path)]
        self._whole = not at.unnumbered()  # an older store's users have no numbers yet
        if not self._whole:
            return
        self._by_file = {
            path: self._by_file[path] if path in self._by_file else rewrite.numbers_in(path) for path in paths
        }
        used = np.array([], np.int64)
        for numbers in self._by_file.values():
            used = np.union1d(used, numbers)
        joins = dictionary.joins_of(at.opened_dictionary(joins=True))
        joined, into = np.array(list(joins), np.int64), np.array(list(joins.values()), np.int64)
        roots = np.union1d(np.setdiff1d(used, joined), into[np.isin(joined, used)])
        # Joined ids stay with their person even without events of their own: a late event must count as that person's.
        used = np.union1d(np.union1d(used, roots), joined[np.isin(into, roots)])
        self._used = pa.array(used, pa.int64())

    def __call__(self, rows: pa.Table, is_dictionary: bool) -> pa.Table:
        """The dictionary entries that stay."""
        if not (is_dictionary and self._whole):
            return rows
        used = rows.filter(pc.is_in(rows.column(dictionary.COLUMN), value_set=self._used))
        return used if used.num_rows < rows.num_rows else rows


def _forget_links(before: date) -> None:
    """Delete links received before that date between ids that the store no longer knows."""
    known = set(known_users())
    old = IdLink.objects.filter(received_at__date__lt=before).values_list("pk", "visitor", "user")
    gone = [pk for pk, visitor, user in old.iterator() if visitor not in known and user not in known]
    for some in batched(gone, BATCH):
        IdLink.objects.filter(pk__in=some).delete()


def _forget_users() -> int:
    before, unused = _number_of_users(), _Unused()
    rewrite.rewrite(rewrite.Rewriting(unused, wanted=lambda day: day == dictionary.DAY, begin=unused.begin))
    return max(0, before - _number_of_users())


def _number_of_users() -> int:
    return dictionary.number_of_texts(snapshot().opened_dictionary())


# Test events: what services sent while they were being connected. An imported log is never one.


def forget_sent(before: datetime, most: int) -> int:
    """Delete every event that a service sent up to a moment, with its traits and logins; returns how many.

    Their message ids are forgotten too, so that a sender may send them again. What was imported stays.

    Raises:
        Refused: they are more than `most`, which is counted in the store itself: then nothing is deleted.
        ownership.StoreRefused: when the store is damaged or not this database's.
    """
    flush.flush_events()
    if not event_table.exists():
        return 0
    ownership.check_to_write()
    sent = _Sent(before)

    def check(removed: int) -> None:
        if removed > most:
            raise Refused("There are no test events that could be forgotten.")
        forget_message_ids(sent.message_ids)

    removed = rewrite.rewrite(rewrite.Rewriting(sent, before=check)).removed
    UnitTraits.objects.filter(updated_at__lte=before).delete()
    IdLink.objects.filter(received_at__lte=before).delete()
    _tidy()
    return removed


def _tidy() -> None:
    """Forget users without events; and the list of events where none is left, which a refresh couldn't list."""
    _forget_users()
    daily_tables.forget_changed()
    increments.tidy()
    if event_table.row_count() == 0:
        CatalogueSnapshot.objects.all().delete()


class _Sent:
    """The `change` of the rewrite that drops what services sent."""

    def __init__(self, before: datetime) -> None:
        self._before, self.message_ids = before, set[str]()

    def __call__(self, rows: pa.Table, is_dictionary: bool) -> pa.Table:
        """The rows that stay."""
        if is_dictionary or not rows.num_rows:
            return rows
        names, times = rows.column("message_id").to_pylist(), rows.column("received_at").to_pylist()
        stays = [
            sender_of(name).source is None or (came is not None and came > self._before)
            for name, came in zip(names, times, strict=True)
        ]
        self.message_ids.update(name for name, stay in zip(names, stays, strict=True) if name and not stay)
        return rows if all(stays) else rows.filter(pa.array(stays))


# Made-up events: those of a simulated world, whose message ids are made of the user's id and a number.

NUMBERED = r"-\d{5}$"


def forget_made_up(users: Collection[str]) -> int:
    """Delete the events of a simulated world from the store; returns how many.

    An event is made up when its user is one of these and its message id is that user's id, a hyphen and five digits.
    Events that a service sent and files of one's own have other message ids, even of a user with the same id.

    Raises:
        ownership.StoreRefused: when the store is damaged or not this database's.
    """
    if not event_table.exists():
        return 0
    ownership.check_to_write()
    removed = rewrite.rewrite(rewrite.Rewriting(_MadeUp(users))).removed
    _tidy()
    return removed


class _MadeUp:
    """The `change` of the rewrite that drops a simulated world's events."""

    def __init__(self, users: Collection[str]) -> None:
        self._users = pa.array(sorted(users), pa.string())

    def __call__(self, rows: pa.Table, is_dictionary: bool) -> pa.Table:
        """The rows that stay."""
        if is_dictionary or not rows.num_rows:
            return rows
        user, name = rows.column("user_id"), pc.fill_null(rows.column("message_id"), "")
        own = pc.equal(pc.replace_substring_regex(name, NUMBERED, ""), user)
        made_up = pc.and_(pc.and_(own, pc.match_substring_regex(name, NUMBERED)), pc.is_in(user, value_set=self._users))
        return rows.filter(pc.invert(made_up)) if pc.any(made_up).as_py() else rows
