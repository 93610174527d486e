from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from events.pickers.sources import PickSource
from runs.kinds import RunKind

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
    run_kinds = (
        RunKind(
            model="aha.Study",
            page=("aha:study", "pk"),
            permission="aha.add_study",
            stages=STAGES,
            read="aha.payload_versions.read",
            draw="aha.report.page.draw",
            body="aha.views.report_body",
            template="aha/study_body.html",
            document="aha.report.document.document",
            early="aha.report.early.page.page",
        ),
    )
