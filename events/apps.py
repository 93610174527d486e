from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from events.pickers.sources import PickSource
from runs.kinds import RunKind
from runs.queue.registry import QUICK, STORE, Task

STAGES = {
    "prepare": _("reading the file"),
    "read": _("reading the rows"),
    "bad": _("looking at refused rows"),
    "signup": _("finding signups"),
    "compare": _("comparing with what is there"),
    "store": _("storing"),
}


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = _("Events")
    default_auto_field = "django.db.models.BigAutoField"
    pick_sources = (
        PickSource("event", "events.pickers.offered_names.events"),
        PickSource("start", "events.pickers.offered_names.starts"),
        PickSource("property", "events.pickers.offered_names.properties"),
        PickSource("behaviour", "events.pickers.offered_names.behaviours"),
        PickSource("outcome", "events.pickers.outcomes.outcomes"),
    )
    tasks = (
        Task("events.tasks.flush_events", STORE, seconds=1800),
        Task("events.tasks.maintain_store", seconds=4 * 3600),
        Task("events.tasks.run_import", seconds=4 * 3600),
        Task("events.tasks.remove_old_uploads", QUICK),
        Task("events.tasks.refresh_catalogue", QUICK),
    )
    run_kinds = (
        RunKind(
            model="events.FileImport",
            page=("events:import_run", "pk"),
            permission="events.add_fileimport",
            stages=STAGES,
            task="events.tasks.run_import",
            read="events.payload_versions.read",
        ),
    )
