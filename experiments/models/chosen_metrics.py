"""Outcomes of a plan picked from the metric catalogue, with their version."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from events.models import MetricVersion
from experiments.models.experiment import Experiment


class ChosenMetric(models.Model):
    """One outcome of a plan that was picked from the catalogue.

    The plan itself contains the definition, protected by its locks: a newer version of the metric changes neither. This
    row stores the source of the definition; it is deleted when the plan replaces the outcome.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="chosen_metrics")
    # PROTECT: a version is kept as long as a plan refers to it.
    version = models.ForeignKey(MetricVersion, on_delete=models.PROTECT, related_name="chosen")
    definition = models.TextField(_("definition"))  # as in the plan, with its cap as a number after the start
    chosen_at = models.DateTimeField(_("chosen"), auto_now_add=True)
    frozen_at = models.DateTimeField(_("frozen"), null=True)  # at the start of the experiment

    class Meta:
        verbose_name = _("metric of a plan")
        verbose_name_plural = _("metrics of plans")
        constraints = [models.UniqueConstraint(fields=["experiment", "version"], name="one_choice_of_a_version")]

    def __str__(self) -> str:
        return f"{self.experiment_id}: {self.version}"
