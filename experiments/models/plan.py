"""Rows beside a plan: amendments, metrics of the catalogue, templates, the predictor, and the registered text."""

from django.conf import settings
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from events.models import MetricVersion
from experiments.models.experiment import Experiment

# Amendments: changes of a plan after its start.


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


# Outcomes of a plan picked from the metric catalogue, with their version.


class ChosenMetric(models.Model):
    """One outcome of a plan that was picked from the catalogue.

    The plan itself contains the definition, protected by its locks: a newer version of the metric changes neither. This
    row stores the source of the definition; it is deleted when the plan replaces the outcome.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="chosen_metrics")
    # PROTECT: a version is kept as long as a plan refers to it.
    version = models.ForeignKey(MetricVersion, on_delete=models.PROTECT, related_name="chosen")
    definition = models.TextField(_("definition"))  # as in the plan, with its cap as a number after the start
    chosen_at = models.DateTimeField(_("chosen"), auto_now_add=True)
    frozen_at = models.DateTimeField(_("frozen"), null=True)  # at the start of the experiment

    class Meta:
        verbose_name = _("metric of a plan")
        verbose_name_plural = _("metrics of plans")
        constraints = [models.UniqueConstraint(fields=["experiment", "version"], name="one_choice_of_a_version")]

    def __str__(self) -> str:
        return f"{self.experiment_id}: {self.version}"


# Templates for plans: a plan's content under a name, for new drafts.


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


# Models that predict the outcome of new users: fitted on earlier users before the start, and immutable.


class Prediction(models.Model):
    """The prediction model of one experiment: `experiments.plan.cupac.Predictor` as JSON.

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


# The registered plan: a text stored at the start, and immutable.


class Registration(models.Model):
    """The preregistration of one experiment, written by `experiments.plan.registration` at its start.

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
