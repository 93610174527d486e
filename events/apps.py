from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from events.pickers.sources import PickSource


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = _("Events")
    default_auto_field = "django.db.models.BigAutoField"
    pick_sources = (
        PickSource("event", "events.pickers.choices.events"),
        PickSource("start", "events.pickers.choices.starts"),
        PickSource("property", "events.pickers.choices.properties"),
        PickSource("behaviour", "events.pickers.choices.behaviours"),
    )
