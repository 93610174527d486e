"""Templates for plans: a plan's content under a name, for new drafts."""

from django.conf import settings
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from experiments.models.experiment import Experiment


class PlanTemplate(models.Model):
    """One template. Each change is a version in its history; it is archived, never deleted."""

    key = models.SlugField(_("key"), max_length=64, unique=True)
    name = models.CharField(_("name in English"), max_length=100)
    name_ko = models.CharField(_("name in Korean"), max_length=100, blank=True)
    description = models.TextField(_("description"), max_length=2_000, blank=True)
    content = models.JSONField(_("content"), default=dict)  # {"fields": {…}, "variants": [...], "audience": [...]}
    fixed = models.JSONField(_("fixed fields"), default=list, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    archived_at = models.DateTimeField(_("archived"), null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("template for plans")
        verbose_name_plural = _("templates for plans")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """Its name in the reader's language, else in English."""
        return (self.name_ko if get_language() == "ko" else "") or self.name


class TemplateUse(models.Model):
    """The template that a draft was made from, with its content at that time."""

    experiment = models.OneToOneField(Experiment, on_delete=models.CASCADE, related_name="template_use")
    template = models.ForeignKey(PlanTemplate, on_delete=models.PROTECT, related_name="uses")
    version = models.PositiveIntegerField(_("version of the template"))
    content = models.JSONField(_("content"), default=dict)
    fixed = models.JSONField(_("fixed fields"), default=list)  # emptied when the draft is released
    at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        verbose_name = _("use of a template")
        verbose_name_plural = _("uses of templates")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.experiment_id} {self.template_id}"
