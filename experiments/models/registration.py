"""The plan as it was registered: a text that is taken at the start, and never changed."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from experiments.models.experiment import Experiment


class Registration(models.Model):
    """The preregistration of one experiment: what `experiments.plan.register` wrote at its start.

    It has a row of its own, since every process that serves flags reads the rows of plans. Experiments that were
    started before version 0.4 have none.
    """

    experiment = models.OneToOneField(Experiment, on_delete=models.CASCADE, related_name="registration")
    made_at = models.DateTimeField(_("made"), auto_now_add=True)
    text = models.TextField(_("text"))
    sha256 = models.CharField(_("hash of the text"), max_length=64)

    class Meta:
        verbose_name = _("registered plan")
        verbose_name_plural = _("registered plans")

    def __str__(self) -> str:
        return f"{self.experiment_id}"
