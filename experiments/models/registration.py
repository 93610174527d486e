"""The registered plan: a text stored at the start, and immutable."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from experiments.models.experiment import Experiment


class Registration(models.Model):
    """The preregistration of one experiment, written by `experiments.plan.register` at its start.

    It is a separate model to keep plan rows small, since every process that serves flags reads them. Experiments
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
