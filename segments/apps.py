from django.apps import AppConfig
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from events.metrics.levels import looked_up_by
from events.pickers.sources import PickSource
from events.upkeep.thing_kinds import ThingKind
from runs.kinds import RunKind
from runs.personal_data import PLAIN, UnitRows, UnitTexts
from runs.queue.registry import Task

STAGES = {
    "counts": _("counting who did what"),
    "features": _("choosing what to compare"),
    "k": _("trying 2 to 10 groups"),
    "stability": _("checking whether resamples find the same groups"),
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
    pick_sources = (
        PickSource("segment", "segments.pickers.segments"),
        PickSource("model", "segments.pickers.models_with_levels"),
        PickSource("level", "segments.pickers.each_level"),
    )
    tasks = (
        Task("segments.tasks.run_segmentation"),
        Task("segments.tasks.run_churn"),
        Task("segments.tasks.run_comparison"),
        Task("segments.tasks.refresh_segments"),
    )
    thing_kinds = (
        ThingKind(
            slug="segment",
            model="segments.SegmentModel",
            name=_("segment model"),
            plural=_("segments"),
            page=("segments:model", "key"),
            list_page="segments:list",
            state="get_kind_display",
            text_in=("name", "key", "versions__segments__name", "versions__segments__key"),
        ),
    )
    thing_uses = ("segments.published.members.segments_of_open_runs",)
    personal_data = (
        UnitRows("segments.Membership", "unit", _("memberships of segments")),
        UnitTexts("segments.SegmentVersion", ("rule", "inputs"), _("rules of segments")),
        UnitTexts("segments.Segment", ("profile",), _("profiles of segments")),
        *(
            UnitTexts(f"segments.{run}", ("payload", "inputs", "refusal", "early"), _("segmentations"))
            for run in ("SegmentationRun", "ChurnRun", "ComparisonRun")
        ),
        *(
            UnitTexts(f"segments.{run}", ("reason",), _("segmentations"), PLAIN)
            for run in ("SegmentationRun", "ChurnRun", "ComparisonRun")
        ),
    )
    without_units = {
        "segments.SegmentModel": "names",
        "segments.SegmentVersion": "fitted models: figures of behaviours",
        "segments.Segment": "names, and figures of groups",
        "segments.Membership.place": "one of our codes",
        "segments.Membership.reasons": "names of behaviours with their weights",
        **{
            f"segments.{run}": "states, fitted models, versions of libraries"
            for run in ("SegmentationRun", "ChurnRun", "ComparisonRun")
        },
    }
    run_kinds = (
        RunKind(
            model="segments.SegmentationRun",
            page=("segments:run", "pk"),
            permission="segments.add_segmentationrun",
            stages=STAGES,
            task="segments.tasks.run_segmentation",
            units_of="*",
            schema="segments.search.result.SEGMENTATION",
            draw="segments.report.page.draw",
            body="segments.views.searching.report_body",
            template="segments/run_body.html",
            document="segments.report.document.document",
            early="segments.report.early.page",
            price="segments.search.segmentations.price_of_run",
        ),
        RunKind(
            model="segments.ChurnRun",
            page=("segments:churn", "pk"),
            permission="segments.add_churnrun",
            stages=STAGES,
            task="segments.tasks.run_churn",
            units_of="*",
            schema="segments.published.churn_model.CHURN",
            draw="segments.report.churn_page.draw",
            price="segments.published.predict_churn.price_of_run",
        ),
        RunKind(
            model="segments.ComparisonRun",
            page=("segments:comparison", "pk"),
            permission="segments.add_comparisonrun",
            stages=STAGES,
            task="segments.tasks.run_comparison",
            schema="segments.published.drift.COMPARISON",
            units_of="*",
            price="segments.published.compare_segments.price_of_run",
        ),
    )

    def ready(self) -> None:
        # By its name: it loads the statistics, which no process needs before a metric asks.
        looked_up_by(lambda model, number: import_string("segments.published.levels.find")(model, number))
