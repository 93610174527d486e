from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from events.pickers.sources import PickSource
from events.upkeep.thing_kinds import ThingKind
from runs.kinds import RunKind
from runs.personal_data import JSON_TEXT, PLAIN, UnitFiles, UnitRows, UnitTexts
from runs.queue.registry import QUICK, STORE, Task

STAGES = {
    "prepare": _("reading the file"),
    "read": _("reading the rows"),
    "bad": _("checking refused rows"),
    "signup": _("finding signups"),
    "compare": _("comparing with what is there"),
    "store": _("storing"),
}
CHECK_STAGES = {"values": _("asking for each user's number"), "splits": _("splitting users at random")}


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = _("Events")
    default_auto_field = "django.db.models.BigAutoField"
    pick_sources = (
        PickSource("event", "events.pickers.known_names.events"),
        PickSource("start", "events.pickers.known_names.starts"),
        PickSource("property", "events.pickers.known_names.properties"),
        PickSource("trait", "events.pickers.known_names.traits"),
        PickSource("behaviour", "events.pickers.known_names.behaviours"),
        PickSource("outcome", "events.pickers.known_names.outcomes"),
        PickSource("metric", "events.pickers.catalogue_metrics.metrics", "events.view_metric"),
        PickSource("retention_metric", "events.pickers.catalogue_metrics.retentions", "events.view_metric"),
    )
    tasks = (
        Task("events.tasks.flush_events", STORE, seconds=1800),
        Task("events.tasks.maintain_store", seconds=4 * 3600),
        Task("events.tasks.keep_daily_tables", seconds=4 * 3600),
        Task("events.tasks.run_import", seconds=4 * 3600),
        Task("events.tasks.run_metric_check", seconds=3600),
        Task("events.tasks.remove_old_uploads", QUICK),
        Task("events.tasks.refresh_catalogue", QUICK),
    )
    thing_kinds = (
        ThingKind(
            slug="metric",
            model="events.Metric",
            name=_("metric"),
            plural=_("metrics"),
            page=("events:metric", "key"),
            list_page="events:metrics",
            title="title",
            text_in=("key", "name_en", "name_ko", "description"),
            archived={"status": "deprecated"},
            own_archive=True,
            tag_text="tags",
            owner_text="owner",
        ),
    )
    personal_data = (
        UnitRows("events.UnitTraits", "user_id", _("traits")),
        UnitTexts("events.UnitTraits", ("traits",), _("traits of other users")),
        UnitRows("events.IdLink", "visitor", _("joined ids")),
        UnitRows("events.IdLink", "user", _("joined ids")),
        UnitTexts("events.Rejected", ("payload",), _("refused events"), JSON_TEXT, drop=True),
        UnitTexts("events.Rejected", ("message", "message_id"), _("refused events"), PLAIN),
        UnitTexts("events.CatalogueSnapshot", ("payload",), _("lists of events"), drop=True),
        UnitTexts("events.FileImport", ("payload", "inputs", "refusal", "early"), _("reports of imports")),
        UnitTexts("events.FileImport", ("reason", "name"), _("reports of imports"), PLAIN),
        UnitTexts("events.Upload", ("name",), _("uploaded files"), PLAIN),
        UnitTexts("events.Metric", ("name_en", "name_ko", "description", "owner", "tags", "unit"), _("metrics"), PLAIN),
        UnitTexts("events.CalendarEntry", ("title", "owner", "link", "note", "reference"), _("calendar"), PLAIN),
        UnitTexts("events.MetricVersion", ("why",), _("metrics"), PLAIN),
        UnitTexts("events.MetricCheck", ("payload", "inputs", "refusal", "early"), _("checks of metrics")),
        UnitTexts("events.MetricCheck", ("reason",), _("checks of metrics"), PLAIN),
        UnitFiles("uploads", _("uploaded files"), "events.erasure.remove_uploads"),
        UnitFiles("store", _("events"), export="events.erasure.rows_of_person"),
        UnitFiles("prepared", _("what Explore prepared"), "events.erasure.remove_prepared"),
        UnitFiles("daily tables", _("daily tables in the warehouse"), "events.erasure.remove_from_warehouse"),
    )
    without_units = {
        "events.Source": "names of apps and sites",
        "events.Flush": "numbers of batches",
        "events.HourSalt": "random, and deleted after an hour",
        "events.OutboxEvent": "emptied by the flush at the beginning of an erasure, late rows by the next one",
        "events.FormerOutboxEvent": "emptied alike; message ids that the store had go with their events",
        "events.MessageId": "digests of message ids, which go with their events",
        "events.ErasedUser": "digests that need a secret",
        "events.EventLabel": "names of events and properties",
        "events.KeptVersion": "names of files, which are random",
        "events.CalendarEntry.kind": "one of our words",
        "events.Metric": "keys and states",
        "events.MetricVersion": "definitions, which are certified by their hash",
        "events.MetricCheck": "states, versions of libraries",
        "events.Tag": "short words for things that people made",
        "events.FileImport": "states, digests of files, versions of libraries",
        "events.Upload": "digests of files",
        "events.Rejected.code": "one of our codes",
        "events.CatalogueSnapshot.store_version": "a number",
        "events.UnitTraits.times": "names of traits and times",
        "events.IdLink.state": "one of our codes",
    }
    run_kinds = (
        RunKind(
            model="events.FileImport",
            page=("events:import_run", "pk"),
            permission="events.add_fileimport",
            stages=STAGES,
            task="events.tasks.run_import",
            schema="events.importing.import_report.IMPORT",
        ),
        RunKind(
            model="events.MetricCheck",
            page=("events:metric_check", "pk"),
            permission="events.add_metriccheck",
            stages=CHECK_STAGES,
            task="events.tasks.run_metric_check",
            home=("events:metric", "version.metric.key"),
            units_of="*",
            schema="events.catalogue.check_report.CHECK",
            may_read="events.view_metric",
            price="events.catalogue.check_metric.price_of_run",
        ),
    )
