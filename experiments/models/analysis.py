"""Analyses: rows with inputs and result, or the reason of a failure. Rows are append-only."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from experiments.models.experiment import Experiment
from runs.models import Run


class Analysis(Run):
    """One analysis of an experiment. Its payload is `experiments.analyse.result.Readout` as JSON."""

    HEAVY = (*Run.HEAVY, "proof")
    NAMED_BY = ("experiment__moment",)
    experiment = models.ForeignKey(
        Experiment, on_delete=models.PROTECT, related_name="analyses", verbose_name=_("experiment")
    )
    peek = models.BooleanField(_("asked to see the outcome before its time"), default=False)
    verdict = models.CharField(_("verdict"), max_length=24, blank=True)  # empty while the outcome is locked
    final = models.BooleanField(_("final"), default=False)
    # Figures for lists and overviews; None until the analysis is done.
    fraction = models.FloatField(null=True, editable=False)  # mature units over planned ones, 0 or more
    exposed = models.JSONField(null=True, editable=False)  # exposed units by arm key
    checks = models.JSONField(
        null=True, editable=False
    )  # `experiments.analyse.findings.Finding` of each check with a finding

    # `experiments.analyse.handed_on.list_figures`; None while the outcome is locked.
    figures = models.JSONField(null=True, editable=False)
    # Inputs of a final analysis, `experiments.analyse.proof`, with the site's signature; None for
    # other analyses, and for those before version 0.4.
    proof = models.JSONField(null=True, blank=True, editable=False)

    class Meta(Run.Meta):
        verbose_name = _("analysis")
        verbose_name_plural = _("analyses")
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["experiment", "status"], name="analysis_of_experiment")]

    def __str__(self) -> str:
        return f"{self.experiment.title} · {self.pk}"
