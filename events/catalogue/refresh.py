"""Refresh the list of the store's events: in a worker when the store has changed, or at once for a small store."""

import time
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from events import store
from events.asking import questions
from events.catalogue import listing
from events.catalogue.gather import gather_catalogue
from events.catalogue.listing import SCHEMA, Catalogue
from events.inflow import newest_files
from events.models import CatalogueSnapshot, OutboxEvent
from events.outbox.flush import flush_events
from events.outbox.ownership import StoreRefused
from runs.queue.enqueue import put
from runs.refusals import Refused

TASK = "events.tasks.refresh_catalogue"
AT_ONCE_ROWS = 300_000  # about two seconds in a web process
ASKED_SECONDS = 60
PATIENCE = 10  # a list that took s seconds isn't refreshed for s times this long: at most a tenth of a core
LOST_AFTER = timedelta(minutes=15)  # after this, the process that was making the list counts as dead
WITHOUT_VERSION = timedelta(hours=1)  # maximum age of a list of a customer's warehouse, which has no version
log = structlog.get_logger()


def ready_catalogue() -> Catalogue:
    """The list; if there is none it is made now, or by a worker when that would take long.

    Raises:
        StoreRefused: when the store must not be read.
    """
    found = listing.catalogue()
    if found.made_at is not None or not _has_events():
        return found
    rows = None if settings.WAREHOUSE_URL else newest_files.row_count()
    if rows is not None and rows + _waiting() <= AT_ONCE_ROWS and make_catalogue():
        return listing.catalogue()
    request_catalogue()
    return Catalogue(pending=True)


def request_catalogue() -> None:
    """Queue a refresh of the list, at most once a minute: after an import, or while a page waits for it.

    A refresh runs every minute anyway; this only makes it sooner.
    """
    if cache.add("events.catalogue.asked", True, ASKED_SECONDS):
        put(TASK)


def refresh_if_due() -> bool:
    """Refresh the list if the store has changed since the last one; True when this call did."""
    flush_events()
    last = CatalogueSnapshot.objects.made().defer("payload").first()
    if last is not None and last.made_at is not None and not _is_due(last, last.made_at):
        return False
    return make_catalogue()


def make_catalogue() -> bool:
    """Make the list now; False when there are no events, or another process is making one.

    Raises:
        StoreRefused: when the store must not be read.
    """
    if CatalogueSnapshot.objects.filter(made_at=None, started_at__gte=timezone.now() - LOST_AFTER).exists():
        return False
    row, began = CatalogueSnapshot.objects.create(), time.monotonic()
    try:
        with questions() as asked:
            row.store_version = _version()
            row.payload = gather_catalogue(asked)
    except StoreRefused:
        row.delete()
        raise
    except Refused:  # no event yet
        row.delete()
        return False
    except Exception:
        row.delete()
        raise
    row.made_at, row.seconds = timezone.now(), time.monotonic() - began
    row.save()
    CatalogueSnapshot.objects.filter(pk__lt=row.pk).delete()
    log.info("catalogue.made", events=len(row.payload["events"]), seconds=round(row.seconds, 1))
    return True


def _is_due(last: CatalogueSnapshot, made_at: datetime) -> bool:
    age = timezone.now() - made_at
    if not CatalogueSnapshot.objects.filter(pk=last.pk, payload__schema=SCHEMA).exists():
        return True
    if settings.WAREHOUSE_URL:
        return bool(age >= WITHOUT_VERSION)
    return last.store_version != _version() and bool(age >= timedelta(seconds=last.seconds * PATIENCE))


def _version() -> str:
    if settings.WAREHOUSE_URL:
        return ""
    return newest_files.version()


def _has_events() -> bool:
    return bool(settings.WAREHOUSE_URL) or store.exists() or _waiting() > 0


def _waiting() -> int:
    return OutboxEvent.objects.count()
