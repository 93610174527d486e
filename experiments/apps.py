from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from runs.kinds import RunKind

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
    run_kinds = (
        RunKind(
            model="experiments.Analysis",
            page=("experiments:analysis", "experiment.key", "pk"),
            permission="experiments.add_analysis",
            stages=STAGES,
            home=("experiments:report", "experiment.key"),
            read="experiments.analyse.payload_versions.read",
            draw="experiments.report.page.draw",
            body="experiments.views.report_body",
            template="experiments/report_body.html",
            document="experiments.report.stored_document.document",
        ),
    )
