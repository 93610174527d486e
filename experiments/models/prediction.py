"""What predicts the outcome of new users: fitted on earlier ones before the start, and never changed."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from experiments.models.experiment import Experiment


class Prediction(models.Model):
    """The model of one experiment: `experiments.plan.earlier.prediction.Predictor` as JSON.

    It has a row of its own, since every process that serves flags reads the rows of plans.
    """

    experiment = models.OneToOneField(Experiment, on_delete=models.CASCADE, related_name="prediction")
    made_at = models.DateTimeField(_("made"), auto_now_add=True)
    predictor = models.JSONField(_("coefficients, with what they are worth"))

    class Meta:
        verbose_name = _("prediction")
        verbose_name_plural = _("predictions")

    def __str__(self) -> str:
        return f"{self.experiment_id}"
