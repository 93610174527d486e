"""Models that predict the outcome of new users: fitted on earlier users before the start, and immutable."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from experiments.models.experiment import Experiment


class Prediction(models.Model):
    """The prediction model of one experiment: `experiments.plan.earlier.prediction.Predictor` as JSON.

    It is a separate model to keep plan rows small, since every process that serves flags reads them.
    """

    experiment = models.OneToOneField(Experiment, on_delete=models.CASCADE, related_name="prediction")
    made_at = models.DateTimeField(_("made"), auto_now_add=True)
    predictor = models.JSONField(_("coefficients, with what they are worth"))

    class Meta:
        verbose_name = _("prediction")
        verbose_name_plural = _("predictions")

    def __str__(self) -> str:
        return f"{self.experiment_id}"
