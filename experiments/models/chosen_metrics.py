"""Which outcomes of a plan come from the catalogue of metrics, and in which version."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from events.models import MetricVersion
from experiments.models.experiment import Experiment


class ChosenMetric(models.Model):
    """One outcome of a plan that was picked from the catalogue.

    The plan itself holds the definition, and its locks guard it: a newer version of the metric changes neither. This
    row says where the definition came from. It goes as soon as the plan has another outcome in its place.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="chosen_metrics")
    # A version that a plan names is kept for as long as the plan is.
    version = models.ForeignKey(MetricVersion, on_delete=models.PROTECT, related_name="chosen")
    definition = models.TextField(_("definition"))  # as the plan has it: with its cap as a number from the start on
    chosen_at = models.DateTimeField(_("chosen"), auto_now_add=True)
    frozen_at = models.DateTimeField(_("frozen"), null=True)  # the start of the experiment

    class Meta:
        verbose_name = _("metric of a plan")
        verbose_name_plural = _("metrics of plans")
        constraints = [models.UniqueConstraint(fields=["experiment", "version"], name="one_choice_of_a_version")]

    def __str__(self) -> str:
        return f"{self.experiment_id}: {self.version}"
