"""The site's time zone: one name in the database, in which days are counted and shown; and one that an account chose.

Stored as one row (`runs.models.SiteZone`). Without it the zone is `settings.TIME_ZONE`, as in version 0.4. Each process
remembers it for `CHECK_SECONDS`, so that a change reaches all of them within that time.
"""

import threading
import time
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.apps import apps
from django.conf import settings
from django.db import InterfaceError, OperationalError, ProgrammingError, transaction
from django.utils import timezone

from runs.refusals import Refused

CHECK_SECONDS = 1.0
AWAY = (OperationalError, InterfaceError, ProgrammingError)  # also before the table is made
ONE_ROW = 1


@dataclass(frozen=True)
class _Kept:
    name: str  # "" without a row
    checked: float  # monotonic seconds


_kept: _Kept | None = None
_reading = threading.Lock()
_held: ContextVar[str] = ContextVar("site_zone", default="")


def site_zone() -> str:
    """The IANA name of the zone in which this site counts days, at most `CHECK_SECONDS` old."""
    return _held.get() or chosen_zone() or settings.TIME_ZONE


def chosen_zone() -> str:
    """The zone that somebody chose; empty while `settings.TIME_ZONE` holds."""
    global _kept  # noqa: PLW0603 - the cache of this process
    kept = _kept
    if kept is not None and time.monotonic() - kept.checked < CHECK_SECONDS:
        return kept.name
    with _reading:
        before = "" if kept is None else kept.name
        try:
            name = _rows().filter(pk=ONE_ROW).values_list("name", flat=True).first() or ""
        except AWAY:
            name = before
        _kept = _Kept(name if not name or is_zone(name) else before, time.monotonic())
        return _kept.name


def choose_site_zone(name: str) -> str:
    """Store the site's zone; returns the one before. Night jobs keep their hour on the wall, now in the new zone.

    Raises:
        Refused: there is no such zone.
    """
    if not is_zone(name):
        raise Refused("'{given}' is no time zone, for example Asia/Seoul.", given=name)
    before = chosen_zone() or settings.TIME_ZONE
    with transaction.atomic():
        row, _new = _rows().select_for_update().get_or_create(pk=ONE_ROW, defaults={"name": before})
        row.name = name
        row.save(update_fields=["name", "chosen_at"])
        daily = apps.get_model("runs", "Schedule")._default_manager.filter(every="D")
        for pk, due in list(daily.values_list("pk", "next_run")):
            daily.filter(pk=pk).update(next_run=same_hour(due, before, name))
    forget()
    return before


def same_hour(moment: datetime, before: str, after: str) -> datetime:
    """The next moment that shows the same hour in the zone `after` as this one does in `before`; never in the past."""
    there = ZoneInfo(after)
    wall = moment.astimezone(ZoneInfo(before)).time().replace(tzinfo=None, fold=0)
    now = timezone.now().astimezone(there)
    due = datetime.combine(now.date(), wall, there)
    return due if due > now else datetime.combine(date.fromordinal(now.date().toordinal() + 1), wall, there)


def forget() -> None:
    """Read the row again at the next question."""
    global _kept  # noqa: PLW0603 - the cache of this process
    _kept = None


@contextmanager
def held() -> Iterator[str]:
    """Within the block the site's zone stays the same: an answer must not begin in one zone and end in another."""
    name = site_zone()
    token = _held.set(name)
    try:
        yield name
    finally:
        _held.reset(token)


@contextmanager
def shown_in(zone: str = "") -> Iterator[None]:
    """The same, and Django shows times in a zone, by default the site's: around a request or a job."""
    with held() as name, timezone.override(ZoneInfo(zone or name)):
        yield


def here(moment: datetime | None = None, zone: str = "") -> datetime:
    """A moment, by default now, on the clocks of the site, or of another zone."""
    return (moment or timezone.now()).astimezone(ZoneInfo(zone or site_zone()))


def site_date(moment: datetime | None = None, zone: str = "") -> date:
    """The site's date of a moment, by default today's; or the date in another zone."""
    return here(moment, zone).date()


def midnight(day: date) -> datetime:
    """The moment at which a date begins on the site."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(site_zone()))


@cache
def is_zone(name: str) -> bool:
    """Whether a zone of this name exists on this machine."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@cache
def every_zone() -> frozenset[str]:
    """All names that this machine knows, aliases included."""
    return frozenset(zoneinfo.available_timezones())


@cache
def zone_names() -> tuple[str, ...]:
    """Names to choose from: UTC, and places by continent and city."""
    places = (name for name in every_zone() if "/" in name)
    return ("UTC", *sorted(name for name in places if not name.startswith(("Etc/", "SystemV/", "posix/", "right/"))))


def _rows() -> Any:
    """The manager of a model whose module itself asks for the zone."""
    return apps.get_model("runs", "SiteZone")._default_manager
