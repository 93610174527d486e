"""Origin of imported plans: one row each time that a definition was imported."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Promotion(models.Model):
    """A definition imported from another environment, with its history there."""

    experiment = models.ForeignKey(
        "experiments.Experiment", on_delete=models.CASCADE, related_name="+", verbose_name=_("experiment")
    )
    environment = models.CharField(_("environment"), max_length=20)
    version = models.PositiveIntegerField(_("version there"))
    digest = models.CharField(max_length=64, editable=False)
    history = models.JSONField(default=list, editable=False)
    tried = models.JSONField(default=dict, editable=False)
    brought_at = models.DateTimeField(_("brought"), auto_now_add=True)
    brought_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("brought by")
    )

    class Meta:
        verbose_name = _("promotion")
        verbose_name_plural = _("promotions")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.environment} v{self.version}"
