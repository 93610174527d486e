from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from events.pickers.sources import PickSource
from events.upkeep.thing_kinds import ThingKind
from runs.kinds import RunKind
from runs.personal_data import PLAIN, UnitTexts
from runs.queue.registry import QUICK, Task

STAGES = {
    "units": _("finding who counts"),
    "counts": _("counting behaviours"),
    "histogram": _("counting behaviours"),
    "attributes": _("reading what is known at signup"),
    "curve": _("counting who comes back"),
    "null": _("shuffling retention"),
    "model": _("training and judging the model"),
    "shap": _("explaining the model"),
    "ranks": _("ranking behaviours"),
    "choice": _("choosing the number again and again"),
    "steps": _("searching for jumps"),
    "adjustment": _("adjusting for other behaviours"),
    "report": _("writing the report"),
}


class AhaConfig(AppConfig):
    name = "aha"
    verbose_name = _("AHA discovery")
    default_auto_field = "django.db.models.BigAutoField"
    warm_up = ("stats.flag_sums.compile_all",)
    pick_sources = (PickSource("moment", "aha.pickers.moments"),)
    tasks = (
        Task("aha.tasks.run_study"),
        Task("aha.tasks.count_reach"),
        Task("aha.tasks.count_all_reaches"),
        Task("aha.tasks.prepare_explore", QUICK),
    )
    thing_kinds = (
        ThingKind(
            slug="moment",
            model="aha.AhaMoment",
            name=_("AHA moment"),
            plural=_("AHA moments"),
            page=("aha:moment", "key"),
            list_page="aha:moments",
            text_in=("name", "key", "behaviour", "note", "signup_event", "retention"),
            behaviours_in=("behaviour", "signup_event"),
            made_titles=True,
        ),
        ThingKind(
            slug="study",
            model="aha.Study",
            name=_("study"),
            plural=_("studies"),
            page=("aha:study", "pk"),
            list_page="aha:studies",
            text_in=("title", "inputs__signup_event", "inputs__retention"),
            lists_in=("inputs__behaviours", "inputs__inert"),
            behaviours_in=("inputs__signup_event", "inputs__behaviours"),
        ),
        ThingKind(
            slug="view",
            model="aha.SavedView",
            name=_("saved view"),
            plural=_("saved views"),
            page=("explore:open", "pk"),
            list_page="explore:saved",
            state="get_view_display",
            text_in=("name",),
        ),
    )
    thing_uses = ("aha.study.population.segments_of_studies",)
    personal_data = (
        UnitTexts("aha.Study", ("payload", "inputs", "refusal", "early", "headline"), _("studies")),
        UnitTexts("aha.Study", ("reason", "title"), _("studies"), PLAIN),
        UnitTexts("aha.AhaMoment", ("note", "name"), _("notes on moments"), PLAIN),
        UnitTexts("aha.SavedView", ("question",), _("saved views")),
        UnitTexts("aha.SavedView", ("name",), _("saved views"), PLAIN),
    )
    without_units = {
        "aha.Study": "states and versions of libraries",
        "aha.AhaMoment": "definitions, and figures of groups",
        "aha.Finding": "figures of arms",
        "aha.KeptReach": "figures of weeks",
        "aha.SavedView.view": "name of a view",
    }
    run_kinds = (
        RunKind(
            model="aha.Study",
            page=("aha:study", "pk"),
            permission="aha.add_study",
            stages=STAGES,
            task="aha.tasks.run_study",
            units_of="*",
            schema="aha.study.payload_versions.STUDY",
            draw="aha.report.page.draw",
            body="aha.views.studies.report_body",
            template="aha/study_body.html",
            document="aha.report.document.document",
            early="aha.report.early.page",
            price="aha.study.studies.price_of_run",
        ),
    )
