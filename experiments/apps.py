from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.core.exceptions import FieldDoesNotExist
from django.db.models.signals import post_migrate
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from events.upkeep.thing_kinds import ThingKind
from runs.kinds import RunKind
from runs.personal_data import JSON_TEXT, PLAIN, UnitRows, UnitTexts
from runs.queue.registry import QUICK, Task

STAGES = {
    "events": _("opening the events"),
    "exposures": _("finding who met which group"),
    "units": _("finding who counts"),
    "outcomes": _("measuring outcomes"),
    "cells": _("counting"),
    "statistics": _("computing and judging"),
    "read": _("reading the file"),
    "clean": _("checking every row"),
}


class ExperimentsConfig(AppConfig):
    name = "experiments"
    verbose_name = _("Experiments")
    default_auto_field = "django.db.models.BigAutoField"
    tasks = (
        Task("experiments.tasks.run_analysis"),
        Task("experiments.tasks.request_analyses"),
        Task("experiments.tasks.run_holdout_reading"),
        Task("experiments.tasks.run_overlap"),
        Task("experiments.tasks.run_finished_test"),
        Task("experiments.tasks.request_together"),
        Task("experiments.tasks.ask_findings_again"),
        Task("experiments.tasks.deliver_webhooks", QUICK, seconds=1200),
        Task("experiments.tasks.note_rollout_steps", QUICK),
        Task("experiments.tasks.look_at_certificates", QUICK, seconds=1200),
    )
    locked_arms = "experiments.analyse.gather.admitting.locked_arms"
    finished_arms = "experiments.analyse.gather.admitting.finished_arms"
    retention_holds = ("experiments.status.ending.needed_events", "experiments.status.ending.needed_readings")
    when_joined = ("experiments.serve.carry_over.carry_over",)
    calendar_sources = ("experiments.status.happened.experiments", "experiments.status.happened.rollouts")
    thing_kinds = (
        ThingKind(
            slug="experiment",
            model="experiments.Experiment",
            name=_("experiment"),
            plural=_("experiments"),
            page=("experiments:report", "key"),
            list_page="experiments:list",
            title="title",
            joined=("moment",),
            text_in=(
                "name",
                "key",
                "flag_key",
                "hypothesis",
                "nudge",
                "moment__name",
                "moment__key",
                "moment__behaviour",
            ),
            lists_in=("primary_metrics", "secondary_metrics", "guardrail_metrics"),
            behaviours_in=("moment__behaviour", "primary_metrics", "secondary_metrics", "guardrail_metrics"),
            made_titles=True,
            archived={"status": "archived"},
            own_archive=True,
        ),
    )
    thing_uses = ("experiments.status.ending.uses_of_experiments",)
    personal_data = (
        UnitRows("experiments.DrawnAs", "unit", _("ids by which users draw")),
        UnitRows("experiments.DrawnAs", "drawn_as", _("ids by which users draw")),
        UnitRows("experiments.Assignment", "drawn_by", _("assignments"), after="experiments.serve.config.rows_gone"),
        UnitRows("experiments.Assignment", "unit", _("assignments"), after="experiments.serve.config.rows_gone"),
        UnitRows("experiments.Override", "unit", _("overrides"), after="experiments.serve.config.rows_gone"),
        UnitTexts("experiments.Assignment", ("cluster",), _("clusters that bear the name of a user"), PLAIN),
        UnitTexts("experiments.Override", ("rule",), _("rules of overrides")),
        UnitTexts("experiments.AudienceRow", ("rule",), _("rules of audiences")),
        UnitTexts("experiments.Amendment", ("changes",), _("changes of plans")),
        UnitTexts("experiments.Amendment", ("why",), _("changes of plans"), PLAIN),
        UnitTexts("experiments.PlanComment", ("text",), _("comments on plans"), PLAIN),
        UnitTexts("experiments.ReviewRequest", ("note",), _("reviews of plans"), PLAIN),
        UnitTexts("experiments.ReviewAnswer", ("text",), _("reviews of plans"), PLAIN),
        UnitTexts("experiments.ReviewTick", ("note",), _("reviews of plans"), PLAIN),
        UnitTexts("experiments.PlanTemplate", ("content",), _("templates for plans")),
        UnitTexts("experiments.PlanTemplate", ("description",), _("templates for plans"), PLAIN),
        UnitTexts("experiments.TemplateUse", ("content",), _("templates for plans")),
        UnitTexts("experiments.Rollout", ("rows",), _("rules of rollouts")),
        UnitTexts("experiments.RolloutMove", ("why",), _("changes of rollouts"), PLAIN),
        UnitTexts("experiments.WebhookDelivery", ("body",), _("messages to other systems"), JSON_TEXT),
        UnitTexts("experiments.WebhookDelivery", ("trouble",), _("messages to other systems"), PLAIN),
        UnitTexts("experiments.Experiment", ("hypothesis", "nudge", "name"), _("plans"), PLAIN),
        UnitTexts("experiments.Analysis", ("payload", "inputs", "refusal", "early"), _("analyses")),
        UnitTexts("experiments.Analysis", ("reason",), _("analyses"), PLAIN),
        UnitTexts("experiments.Registration", ("text",), _("registered plans"), PLAIN),
        UnitTexts("experiments.HoldoutReading", ("payload", "inputs", "refusal", "early"), _("holdout reports")),
        UnitTexts("experiments.HoldoutReading", ("reason",), _("holdout reports"), PLAIN),
        UnitTexts("experiments.OverlapReport", ("payload", "inputs", "refusal", "early"), _("overlaps")),
        UnitTexts("experiments.OverlapReport", ("reason",), _("overlaps"), PLAIN),
        UnitTexts("experiments.FinishedTest", ("payload", "inputs", "refusal", "early"), _("finished tests")),
        UnitTexts("experiments.FinishedTest", ("reason", "name", "kept_as"), _("finished tests"), PLAIN),
    )
    without_units = {
        "experiments.ChosenMetric": "definitions of a plan",
        "experiments.Layer": "names",
        "experiments.Holdout": "names",
        "experiments.Experiment": "the plan: names of events, properties and outcomes",
        "experiments.Variant": "the plan",
        "experiments.AudienceRow": "the plan",
        "experiments.Assignment.segment_key": "name of a segment",
        "experiments.Assignment.visit": "a mark of an address and hour, which nobody can turn back",
        "experiments.Analysis": "states, and figures of arms",
        "experiments.FlagAsk": "beginnings of keys",
        "experiments.ReadResult": "which verdicts the people who work here have seen",
        "experiments.HoldoutPlan": "names of events and outcomes, and dates",
        "experiments.HoldoutReading": "states, and figures of both sides",
        "experiments.MapReading": "names of events and outcomes, and figures of groups",
        "experiments.OverlapReport": "states, and counts of pairs",
        "experiments.FinishedTest": "states, and figures of groups",
        "experiments.PlanComment.section": "name of a section",
        "experiments.Prediction": "coefficients",
        "experiments.Registration.sha256": "digest of a plan",
        "experiments.ReviewPolicy": "a word",
        "experiments.ReviewItem": "checks of a team",
        "experiments.ReviewRequest": "a state, and a digest of a plan",
        "experiments.ReviewAnswer": "a word, and a digest of a plan",
        "experiments.ReviewTick": "names of checks, and a digest of a plan",
        "experiments.PlanTemplate": "names, and which fields are fixed",
        "experiments.TemplateUse": "which fields are fixed",
        "experiments.Rollout.flag_key": "name of a flag",
        "experiments.Rollout.state": "one of four words",
        "experiments.RolloutMove": "shares of segments, and dates; beginnings of keys",
        "experiments.WebhookEndpoint": "addresses of systems, and their secrets",
        "experiments.WebhookDelivery": "ids of messages, which are random, and their types",
        "experiments.ConfigVersion": "a number",
    }
    run_kinds = (
        RunKind(
            model="experiments.Analysis",
            page=("experiments:analysis", "experiment.key", "pk"),
            permission="experiments.add_analysis",
            stages=STAGES,
            task="experiments.tasks.run_analysis",
            units_of="experiment__key",
            home=("experiments:report", "experiment.key"),
            schema="experiments.analyse.payload_versions.READOUT",
            draw="experiments.report.page.draw",
            body="experiments.pages.tabs.report_body",
            template="experiments/report_body.html",
            document="experiments.report.stored_document.document",
            price="experiments.analyse.analyses.price_of_run",
        ),
        RunKind(
            model="experiments.HoldoutReading",
            page=("experiments:holdout_reading", "plan_id", "pk"),
            permission="experiments.add_holdoutreading",
            stages=STAGES,
            task="experiments.tasks.run_holdout_reading",
            units_of="*",
            home=("experiments:holdout", "plan_id"),
            schema="experiments.analyse.across.holdout_result.HOLDOUT",
            draw="experiments.report.holdout_page.draw",
            body="experiments.pages.holdouts.reading_body",
            template="experiments/holdout_body.html",
            document="experiments.report.holdout_page.document",
            price="experiments.analyse.across.holdout_readings.price_of_run",
        ),
        RunKind(
            model="experiments.OverlapReport",
            page=("experiments:overlap_report", "pk"),
            permission="experiments.add_overlapreport",
            stages=STAGES,
            task="experiments.tasks.run_overlap",
            units_of="*",
            home=("experiments:overlap",),
            schema="experiments.analyse.across.overlap_pairs.OVERLAP",
            body="experiments.pages.several.overlap_body",
            template="experiments/overlap_body.html",
            document="experiments.report.overlap_page.document",
        ),
        RunKind(
            model="experiments.FinishedTest",
            page=("experiments:judged", "pk"),
            permission="experiments.add_finishedtest",
            stages=STAGES,
            task="experiments.tasks.run_finished_test",
            schema="experiments.files.judge.FILE_REPORT",
            draw="experiments.report.file_page.draw",
            body="experiments.pages.judge.report_body",
            template="experiments/judged_body.html",
            document="experiments.report.document.document",
        ),
    )

    def ready(self) -> None:
        post_migrate.connect(_hand_on_missing, sender=self)


def _hand_on_missing(*, apps: Any = installed, plan: Any = (), **_signal: Any) -> None:
    """After migrate: store findings of analyses by versions that didn't store them; not when migrating backwards."""
    if any(backwards for _migration, backwards in plan):
        return
    try:
        apps.get_model("aha", "Finding")._meta.get_field("plain_itt")
        analyses = apps.get_model("experiments", "Analysis")._base_manager
    except (LookupError, FieldDoesNotExist):  # migrated to a state without these models
        return
    if not analyses.filter(final=True).exists():  # a new site, which needn't load the statistics
        return
    import_string("experiments.analyse.export_findings.hand_on_missing")()
