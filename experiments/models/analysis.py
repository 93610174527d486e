"""Rows of analyses, of holdout reports and of overlaps: only ever added, with their inputs and what came of them."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from events.models import Upload
from experiments.models.experiment import Experiment, Holdout, choice_options
from runs.models import Run

# Models of holdout reports: an immutable plan and its readings. Rows are append-only.


class HoldoutPlan(models.Model):
    """Question of a holdout report, and the days on which it may be read. Immutable: no service changes it."""

    class Population(models.TextChoices):
        SIGNUP = "signup", _("who signed up since then")
        FIRST_SEEN = "first_seen", _("who was first seen since then")
        KNOWN_BEFORE = "known_before", _("who was seen before then")

    class Method(models.TextChoices):
        FIXED = "fixed", _("one reading at the end")
        GROUP_SEQUENTIAL = "group_sequential", _("planned readings")
        ALWAYS_VALID = "always_valid", _("any day until the end")

    holdout = models.ForeignKey(Holdout, on_delete=models.PROTECT, related_name="plans", verbose_name=_("holdout"))
    since = models.DateField(_("shipped since"))
    population = models.CharField(_("who counts"), max_length=16, choices=Population, default=Population.SIGNUP)
    signup_event = models.CharField(_("signup event"), max_length=256, blank=True)
    outcome = models.CharField(_("outcome"), max_length=400)
    day_mode = models.CharField(_("days are"), **choice_options("day_mode"))
    alpha = models.FloatField(_("alpha"), default=0.05)
    method = models.CharField(_("method"), max_length=20, choices=Method, default=Method.FIXED)
    spending = models.CharField(_("how readings spend alpha"), **choice_options("spending"))
    readings = models.JSONField(_("dates of the readings"))  # ISO, ascending; the last is the end
    planned_units = models.PositiveIntegerField(_("users expected at the end"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("planned by"),
    )
    created_at = models.DateTimeField(_("planned"), auto_now_add=True)
    # The site's zone on that day; planned before 0.5, empty: that of the settings.
    time_zone = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

    class Meta:
        verbose_name = _("plan of a holdout report")
        verbose_name_plural = _("plans of holdout reports")
        ordering = ["-created_at", "-id"]
        constraints = [
            # A second plan for the same question would be a second attempt at it.
            models.UniqueConstraint(
                fields=["holdout", "since", "population", "signup_event", "outcome", "day_mode"],
                name="one_plan_a_question",
            )
        ]

    def __str__(self) -> str:
        return f"{self.holdout} · {self.since.isoformat()}"

    @property
    def zone(self) -> str:
        """The zone of its days, which stays as it was when it was planned."""
        return self.time_zone or str(settings.TIME_ZONE)


class MapReading(models.Model):
    """One reading of the map of causes of an outcome, kept where it says something else than the one before.

    Its payload is `experiments.analyse.across.map_changes.KeptMap` as JSON. Rows are only added.
    """

    FORMAT = "insight-map-of-causes/1"  # of its signed document

    outcome = models.TextField(_("outcome"))  # written alike for outcomes that mean the same
    read_at = models.DateTimeField(_("read"), auto_now_add=True)
    payload = models.JSONField(editable=False)
    proof = models.JSONField(null=True, blank=True, editable=False)  # signed by the site, as that of an analysis

    class Meta:
        verbose_name = _("reading of the map of causes")
        verbose_name_plural = _("readings of the map of causes")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.outcome} · {self.pk}"


class HoldoutReading(Run):
    """One reading of a plan. Its payload is `experiments.analyse.across.holdout_result.HoldoutReport` as JSON."""

    NAMED_BY = ("plan__holdout",)
    plan = models.ForeignKey(HoldoutPlan, on_delete=models.PROTECT, related_name="+", verbose_name=_("plan"))
    opened = models.BooleanField(_("read the outcome"), default=False, editable=False)
    read_on = models.DateField(_("date of the reading"), null=True, editable=False)  # None while the outcome is locked
    final = models.BooleanField(_("final"), default=False, editable=False)
    broken = models.BooleanField(_("sample ratio broken"), default=False, editable=False)

    class Meta(Run.Meta):
        verbose_name = _("reading of a holdout")
        verbose_name_plural = _("readings of holdouts")
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["plan", "status"], name="reading_of_plan")]

    def __str__(self) -> str:
        return f"{self.plan} · {self.pk}"


class OverlapReport(Run):
    """Shared units of all experiments that run or stopped recently. Its payload is
    `experiments.analyse.across.overlap_pairs.Overlap` as JSON.
    """

    alarms = models.PositiveIntegerField(_("pairs with trouble"), default=0, editable=False)

    class Meta(Run.Meta):
        verbose_name = _("overlap of experiments")
        verbose_name_plural = _("overlaps of experiments")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} · {self.pk}"


class FinishedTest(Run):
    """The judgement of a finished test from an uploaded file. Its inputs are `experiments.files.judge.Inputs`, its
    payload is `experiments.analyse.effects.Report`, both as JSON; rows of the file are never stored.
    """

    upload = models.ForeignKey(Upload, on_delete=models.SET_NULL, null=True, related_name="judged", editable=False)
    name = models.CharField(_("file"), max_length=120)
    verdict = models.CharField(_("verdict"), max_length=30, blank=True)
    # Name under which its findings were added to past experiments; "" before.
    kept_as = models.CharField(_("past experiment"), max_length=200, blank=True, default="", db_default="")

    class Meta(Run.Meta):
        verbose_name = _("finished test")
        verbose_name_plural = _("finished tests")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name


# Analyses: rows with inputs and result, or the reason of a failure. Rows are append-only.


class Analysis(Run):
    """One analysis of an experiment. Its payload is `experiments.analyse.result.AnalysisResult` as JSON."""

    HEAVY = (*Run.HEAVY, "proof")
    NAMED_BY = ("experiment__moment",)
    experiment = models.ForeignKey(
        Experiment, on_delete=models.PROTECT, related_name="analyses", verbose_name=_("experiment")
    )
    peek = models.BooleanField(_("asked to see the outcome before its time"), default=False)
    verdict = models.CharField(_("verdict"), max_length=24, blank=True)  # empty while the outcome is locked
    final = models.BooleanField(_("final"), default=False)
    # Figures for lists and overviews; None until the analysis is done.
    fraction = models.FloatField(null=True, editable=False)  # mature units over planned ones, 0 or more
    exposed = models.JSONField(null=True, editable=False)  # exposed units by arm key
    checks = models.JSONField(
        null=True, editable=False
    )  # `experiments.analyse.codes.Finding` of each check with a finding

    # `experiments.analyse.analyses`; None while the outcome is locked.
    figures = models.JSONField(null=True, editable=False)
    # Inputs of a final analysis, `experiments.analyse.proof`, with the site's signature; None for
    # other analyses, and for those before version 0.4.
    proof = models.JSONField(null=True, blank=True, editable=False)

    class Meta(Run.Meta):
        verbose_name = _("analysis")
        verbose_name_plural = _("analyses")
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["experiment", "status"], name="analysis_of_experiment")]

    def __str__(self) -> str:
        return f"{self.experiment.title} · {self.pk}"


class ReadResult(models.Model):
    """Which verdict of an experiment a person saw last, so that the first page names only results they haven't seen."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="+")
    verdict = models.CharField(max_length=24)
    final = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "experiment"], name="one_read_result_of_a_person")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.experiment_id} {self.verdict}"
