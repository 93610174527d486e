from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.db.models.signals import post_migrate
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from runs.kinds import RunKind
from runs.queue.registry import QUICK, Task

STAGES = {
    "events": _("opening the events"),
    "exposures": _("finding who met which variant"),
    "outcomes": _("measuring outcomes"),
    "cells": _("counting"),
    "statistics": _("computing and judging"),
}


class ExperimentsConfig(AppConfig):
    name = "experiments"
    verbose_name = _("Experiments")
    default_auto_field = "django.db.models.BigAutoField"
    tasks = (
        Task("experiments.tasks.run_analysis"),
        Task("experiments.tasks.request_analyses"),
        Task("experiments.tasks.deliver_webhooks", QUICK, seconds=1200),
    )
    run_kinds = (
        RunKind(
            model="experiments.Analysis",
            page=("experiments:analysis", "experiment.key", "pk"),
            permission="experiments.add_analysis",
            stages=STAGES,
            task="experiments.tasks.run_analysis",
            home=("experiments:report", "experiment.key"),
            read="experiments.analyse.payload_versions.read",
            draw="experiments.report.page.draw",
            body="experiments.views.results.report_body",
            template="experiments/report_body.html",
            document="experiments.report.stored_document.document",
        ),
    )

    def ready(self) -> None:
        post_migrate.connect(_hand_on_missing, sender=self)


def _hand_on_missing(*, apps: Any = installed, plan: Any = (), **_signal: Any) -> None:
    """Findings of analyses from before findings were kept; a site on its way back to older code has no use for them."""
    if any(backwards for _migration, backwards in plan):
        return
    try:
        apps.get_model("aha", "Finding")
    except LookupError:  # migrated to a state without them
        return
    import_string("experiments.analyse.handed_on.hand_on.hand_on_missing")()
