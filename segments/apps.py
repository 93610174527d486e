from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from events.pickers.sources import PickSource
from runs.kinds import RunKind
from runs.queue.registry import Task

STAGES = {
    "counts": _("counting who did what"),
    "features": _("choosing what to compare"),
    "k": _("trying 2 to 10 groups"),
    "stability": _("looking whether resamples find the same groups"),
    "scorecard": _("comparing PCA with UMAP"),
    "model": _("fitting the groups"),
    "null": _("comparing with populations without groups"),
    "pictures": _("drawing maps"),
    "profiles": _("describing the groups"),
    "drivers": _("comparing the tiers"),
    "contrasts": _("comparing the tiers"),
    "shap": _("ranking behaviours"),
    "ranks": _("ranking behaviours"),
    "scores": _("scoring users"),
}


class SegmentsConfig(AppConfig):
    name = "segments"
    verbose_name = _("Segments")
    default_auto_field = "django.db.models.BigAutoField"
    warm_up = ("segments.search.reduction.compile_all",)
    pick_sources = (PickSource("segment", "segments.pickers.segments"),)
    tasks = (
        Task("segments.tasks.run_segmentation"),
        Task("segments.tasks.run_churn"),
        Task("segments.tasks.run_comparison"),
        Task("segments.tasks.refresh_segments"),
    )
    run_kinds = (
        RunKind(
            model="segments.SegmentationRun",
            page=("segments:run", "pk"),
            permission="segments.add_segmentationrun",
            stages=STAGES,
            task="segments.tasks.run_segmentation",
            read="segments.search.payload_versions.read",
            draw="segments.report.page.draw",
            body="segments.views.report_body",
            template="segments/run_body.html",
            document="segments.report.document.document",
            early="segments.report.early.page.page",
        ),
        RunKind(
            model="segments.ChurnRun",
            page=("segments:churn", "pk"),
            permission="segments.add_churnrun",
            stages=STAGES,
            task="segments.tasks.run_churn",
            read="segments.churn.payload_versions.read_quality",
            draw="segments.report.churn_page.draw",
        ),
        RunKind(
            model="segments.ComparisonRun",
            page=("segments:comparison", "pk"),
            permission="segments.add_comparisonrun",
            stages=STAGES,
            task="segments.tasks.run_comparison",
        ),
    )
