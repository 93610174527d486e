"""Made-up users and events for a site that has none: to look around before anything is connected."""

import tempfile
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django_q.tasks import async_task

from events import simulation
from events.catalogue import refresh
from events.importing.import_file import import_files
from events.importing.options import ImportOptions
from events.models import CatalogueSnapshot, OutboxEvent
from events.pulse import newest_files
from runs.refusals import Refused

TASK = "insight_site.tasks.write_sample"
WORLD, USERS, SEED = "step", 5_000, 20_260
OPTIONS = ImportOptions(user="user_id", time="time", event="event", properties=("properties",), message_id="message_id")
ASKED = "connect.sample"
ASKED_SECONDS = 120


def is_possible() -> bool:
    """True on a site without any event, whose store is its own: real and made-up users must never mix."""
    if settings.WAREHOUSE_URL or OutboxEvent.objects.exists() or CatalogueSnapshot.objects.exists():
        return False
    return newest_files.row_count() == 0


def request_sample() -> None:
    """Let a worker write them.

    Raises:
        Refused: the site has events already.
    """
    if not is_possible():
        raise Refused("This site has events already; made-up data are for an empty one.")
    if cache.add(ASKED, True, ASKED_SECONDS):
        async_task(TASK)


def write_sample() -> int:
    """Write the sample and list it; the number of events, 0 when the site has events by now."""
    if not is_possible():
        return 0
    world = simulation.WORLDS[WORLD]
    made = simulation.simulate(world, USERS, SEED, simulation.draw_arms(world, USERS, SEED))
    with tempfile.TemporaryDirectory() as folder:
        paths = simulation.write_files(made, Path(folder))
        report = import_files([paths["events.parquet"]], OPTIONS)
    refresh.refresh_if_due()
    return report.imported
