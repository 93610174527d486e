from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from events.pickers.sources import PickSource
from runs.kinds import RunKind
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
    "steps": _("looking for jumps"),
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
    run_kinds = (
        RunKind(
            model="aha.Study",
            page=("aha:study", "pk"),
            permission="aha.add_study",
            stages=STAGES,
            task="aha.tasks.run_study",
            read="aha.payload_versions.read",
            draw="aha.report.page.draw",
            body="aha.views.report_body",
            template="aha/study_body.html",
            document="aha.report.document.document",
            early="aha.report.early.page.page",
        ),
    )
