"""What may matter: studies that look for AHA moments, and the moments that people decided to test."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from events.metrics import display_name
from runs.light import LightQuerySet
from runs.models import Run


class Study(Run):
    """One discovery with its inputs frozen. Its payload is `aha.study.result.Report` as JSON."""

    title = models.CharField(_("title"), max_length=100, blank=True)
    headline = models.JSONField(null=True, editable=False)  # what lists say of the result: `aha.headline.Headline`

    class Meta(Run.Meta):
        verbose_name = _("study")
        verbose_name_plural = _("studies")

    def __str__(self) -> str:
        return self.title or f"study {self.pk}"


class AhaMoment(models.Model):
    """A behaviour, how often, by when: a claim with its evidence as it stood, and what experiments said of it."""

    HEAVY = ("evidence",)

    class Status(models.TextChoices):
        CANDIDATE = "candidate", _("candidate")
        TESTING = "testing", _("being tested")
        CONFIRMED = "confirmed", _("confirmed")
        REFUTED = "refuted", _("refuted")
        INCONCLUSIVE = "inconclusive", _("inconclusive")

    key = models.SlugField(_("key"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    behaviour = models.CharField(_("behaviour"), max_length=400)
    times = models.PositiveIntegerField(_("times"))
    days = models.PositiveSmallIntegerField(_("within days"))
    signup_event = models.CharField(_("signup event"), max_length=256)
    retention = models.CharField(_("retention"), max_length=400)
    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.CANDIDATE)
    study = models.ForeignKey(
        Study, on_delete=models.PROTECT, null=True, blank=True, related_name="moments", verbose_name=_("study")
    )
    evidence = models.JSONField(_("evidence"), default=dict, editable=False)  # the candidate's record, frozen
    evidence_hash = models.CharField(max_length=64, blank=True, editable=False)
    headline = models.JSONField(null=True, editable=False)  # the evidence for lists: `aha.headline.EvidenceLine`
    finding = models.JSONField(_("finding"), null=True, blank=True, editable=False)  # written back by experiments
    note = models.TextField(_("note"), blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    history = HistoricalRecords()
    objects = LightQuerySet.as_manager()

    class Meta:
        verbose_name = _("AHA moment")
        verbose_name_plural = _("AHA moments")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return display_name(self.name)  # version 0.3 named moments with the backslashes of their specification
