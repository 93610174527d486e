"""The nightly work of a worker, done for the recording: event catalogue, stored figures, charts."""

from django.utils import timezone

from aha.moments import reach
from events.catalogue import refresh
from insight_site.pages import retention_tiles
from insight_site.takeaways.stored_pictures import draw_run
from insight_site.tidying import untidy
from runs.kinds import all_kinds
from runs.models import Run
from runs.queue import status

NAME = "recording"


def do_nights_work() -> None:
    """Compute the figures and charts that pages show but never compute themselves."""
    refresh.make_catalogue()
    reach.count_all()
    untidy.count_hygiene()
    retention_tiles.count_retention()
    for kind in all_kinds():
        for pk in kind.run_class._default_manager.filter(status=Run.Status.DONE).values_list("pk", flat=True):
            draw_run(kind.run_class._meta.label, pk)


def leave() -> None:
    """Remove the heartbeat of `be_there`."""
    status.leave(NAME)


def be_there() -> None:
    """Record a heartbeat like a worker, since the recording process does a worker's jobs."""
    status.sign(NAME, timezone.now())
