"""Amendments: changes of a plan after its start."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from experiments.models.experiment import Experiment


class Amendment(models.Model):
    """A change of the plan after the start: who, when, why, and each field before and after."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="amendments")
    at = models.DateTimeField(_("when"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("who")
    )
    why = models.TextField(_("why"))
    changes = models.JSONField(_("what"))

    class Meta:
        verbose_name = _("amendment")
        verbose_name_plural = _("amendments")
        ordering = ["experiment", "at", "id"]

    def __str__(self) -> str:
        return f"{self.experiment_id}: {', '.join(self.changes)}"
