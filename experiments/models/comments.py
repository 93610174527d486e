"""Comments on a plan before it starts, by section."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from experiments.models.experiment import Experiment

SECTIONS = (
    "question",
    "hypothesis",
    "who",
    "arms",
    "outcomes",
    "guardrails",
    "verdict",
    "size",
    "looks",
    "risks",
    "start",
)


class PlanComment(models.Model):
    """One comment on one section of a plan: plain text. It is resolved, never deleted."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="comments")
    section = models.CharField(_("section"), max_length=20)
    text = models.TextField(_("comment"), max_length=2_000)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("who")
    )
    at = models.DateTimeField(_("when"), auto_now_add=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("resolved by")
    )
    resolved_at = models.DateTimeField(_("resolved"), null=True)

    class Meta:
        verbose_name = _("comment on a plan")
        verbose_name_plural = _("comments on a plan")
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.experiment_id} {self.section}: {self.text[:40]}"

    @property
    def is_open(self) -> bool:
        """Whether the comment is unresolved."""
        return self.resolved_at is None
