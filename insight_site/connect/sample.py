"""Sample data for an empty site: made-up users and events, to look around before anything is connected."""

from django.conf import settings
from django.core.cache import cache

from events.models import CatalogueSnapshot, Flush, OutboxEvent
from runs.queue.enqueue import put
from runs.refusals import Refused

TASK = "insight_site.tasks.write_sample"
ASKED = "connect.sample"
ASKED_SECONDS = 120


def is_possible() -> bool:
    """True on a site without events that has its own store: real and made-up users must never mix."""
    from events.inflow import newest_files

    if settings.WAREHOUSE_URL or any(m.objects.exists() for m in (OutboxEvent, Flush, CatalogueSnapshot)):
        return False
    return newest_files.row_count() == 0


def request_sample() -> None:
    """Let a worker write the sample.

    Raises:
        Refused: the site has events already.
    """
    if not is_possible():
        raise Refused("This site has events already; made-up data are for an empty one.")
    if cache.add(ASKED, True, ASKED_SECONDS):
        put(TASK)
