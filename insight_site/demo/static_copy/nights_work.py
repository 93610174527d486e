"""What a worker would have done by the time somebody looks: the list of events, the figures of a night, the charts."""

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
    """Count and draw what pages show but never compute themselves."""
    refresh.make_catalogue()
    reach.count_all()
    untidy.count_hygiene()
    retention_tiles.count_retention()
    for kind in all_kinds():
        for pk in kind.run_class._default_manager.filter(status=Run.Status.DONE).values_list("pk", flat=True):
            draw_run(kind.run_class._meta.label, pk)


def leave() -> None:
    """The sign of life goes with whoever gave it."""
    status.leave(NAME)


def be_there() -> None:
    """A sign of life, as a worker gives it: who reads pages for the recording does its work, too."""
    status.sign(NAME, timezone.now())
