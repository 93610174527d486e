"""Models: studies that look for AHA moments, moments to test, findings of experiments, and saved views of Explore."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from aha.made_names import moment_name
from events.metrics import plain_name
from events.metrics.sentences import metric_words
from events.models import MetricVersion, Tag
from reporting.numbers import day_text
from reporting.words import shown
from runs.models import LightQuerySet, Run


class Study(Run):
    """One search for AHA moments with its inputs frozen. Its payload is `aha.study.result.Report` as JSON."""

    title = models.CharField(_("title"), max_length=100, blank=True)
    headline = models.JSONField(null=True, editable=False)  # one line for lists: `aha.study.headline.Headline`
    changed_from = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="changed_into",
        verbose_name=_("changed from"),
    )
    # The catalogue metric of its retention, if any; the inputs hold the definition, which never changes.
    retention_metric = models.ForeignKey(
        MetricVersion,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="studies",
        verbose_name=_("metric of the catalogue"),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("owner"),
    )  # None: who made it
    tags = models.ManyToManyField(Tag, blank=True, editable=False, related_name="+", verbose_name=_("tags"))
    archived_at = models.DateTimeField(_("archived"), null=True, editable=False)

    class Meta(Run.Meta):
        verbose_name = _("study")
        verbose_name_plural = _("studies")

    def __str__(self) -> str:
        return self.title if self.has_own_title else self.question_title or self.title or f"study {self.pk}"

    @property
    def has_own_title(self) -> bool:
        """True when a person gave the title; versions up to 0.4 generated titles from event and specification."""
        signup, retention = (self.inputs.get(name, "") for name in ("signup_event", "retention"))
        return self.title not in ("", f"{signup} → {plain_name(retention)}"[:100])

    @property
    def question_title(self) -> str:
        """The study's question in the reader's language, with the signup dates; "" without inputs."""
        if not self.inputs.get("retention"):
            return ""
        signup = self.inputs.get("signup_event", "*")
        event = _("new users") if signup == "*" else shown(signup)
        title = f"{event} → {metric_words(self.inputs['retention'])}"
        first, last = self.inputs.get("first_date"), self.inputs.get("last_date")
        return f"{title} · {day_text(first or '…')} – {day_text(last or '…')}" if first or last else title


class AhaMoment(models.Model):
    """A claim (behaviour, how often, within how many days) with its frozen evidence and the findings of experiments."""

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
    headline = models.JSONField(null=True, editable=False)  # the evidence for lists: `aha.study.headline.EvidenceLine`
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
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("owner"),
    )  # None: who made it
    tags = models.ManyToManyField(Tag, blank=True, editable=False, related_name="+", verbose_name=_("tags"))
    archived_at = models.DateTimeField(_("archived"), null=True, editable=False)
    history = HistoricalRecords()
    objects = LightQuerySet.as_manager()

    class Meta:
        verbose_name = _("AHA moment")
        verbose_name_plural = _("AHA moments")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return moment_name(self.name, self)


class Finding(models.Model):
    """Effects and (co)variances of one arm of a finished experiment, without user data. Rows are only added.

    Moments are in the outcome's unit (0.01 is one point of a share). For a plan with interim looks (`caution` is
    "corrected") they are corrected for the looks, and `plain_…` has the uncorrected ones that meta-analyses use; only
    rows of version 0.4 whose analysis is gone lack those.
    """

    class Origin(models.TextChoices):
        EXPERIMENT = "experiment", _("experiment of this site")
        FILE = "file", _("file of a finished experiment")

    name = models.CharField(_("name"), max_length=200)
    origin = models.CharField(_("where it comes from"), max_length=10, choices=Origin.choices)
    source = models.CharField(_("experiment"), max_length=200)  # its key; for a file, the given name
    analysis = models.CharField(_("analysis"), max_length=40, blank=True)  # its primary key as text; empty for a file
    variant = models.CharField(_("variant"), max_length=128)
    comparator = models.CharField(_("compared with"), max_length=128)
    placebo = models.BooleanField(_("compared with a placebo"), default=False)
    place = models.PositiveSmallIntegerField(_("place of the variant among those that nudge"), default=1)
    behaviour = models.CharField(_("behaviour"), max_length=400)
    times = models.PositiveIntegerField(_("times"))
    days = models.PositiveSmallIntegerField(_("within days"))
    outcome = models.TextField(_("outcome"))  # an SQL metric is long
    kind = models.CharField(_("kind of outcome"), max_length=10)
    itt = models.FloatField(_("effect of the nudge on the outcome"))
    first_stage = models.FloatField(_("effect of the nudge on the behaviour"))
    v_r = models.FloatField(_("variance of the effect on the outcome"))
    v_d = models.FloatField(_("variance of the effect on the behaviour"))
    c_rd = models.FloatField(_("covariance of both effects"))
    plain_itt = models.FloatField(_("effect on the outcome as measured, where itt is corrected"), null=True, blank=True)
    plain_v_r = models.FloatField(_("its variance"), null=True, blank=True)
    plain_c_rd = models.FloatField(_("its covariance with the effect on the behaviour"), null=True, blank=True)
    n_control = models.PositiveIntegerField(_("units compared with"))
    n_variant = models.PositiveIntegerField(_("units of the variant"))
    degrees_of_freedom = models.FloatField(_("degrees of freedom, where clusters were assigned"), null=True, blank=True)
    # Null in rows of version 0.4: there, degrees of freedom mark clusters.
    whole_clusters = models.BooleanField(_("clusters were moved as wholes"), null=True, editable=False)
    control_v_r = models.FloatField(_("variance of control's mean outcome"), null=True, blank=True)
    control_v_d = models.FloatField(_("variance of control's take-up"), null=True, blank=True)
    control_c_rd = models.FloatField(_("covariance of both in control"), null=True, blank=True)
    # Lists of `aha.evidence.findings.OutcomeMoments`; empty in rows of versions before 0.5.
    outcomes = models.JSONField(
        _("every outcome with all measured behaviours"),
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        editable=False,
    )
    reach = models.FloatField(_("share that reaches it without the nudge"), null=True, blank=True)
    promised = models.FloatField(_("promised"), null=True, blank=True)
    promised_error = models.FloatField(_("standard error of the promise"), null=True, blank=True)
    verdict = models.CharField(_("verdict"), max_length=24)
    caution = models.CharField(_("what its looks did to the effect"), max_length=12, blank=True)
    started = models.DateField(_("first day"))
    ended = models.DateField(_("last day"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("finding of an experiment")
        verbose_name_plural = _("findings of experiments")
        ordering = ["started", "pk"]
        constraints = [models.UniqueConstraint(fields=["origin", "source", "variant"], name="one_finding_per_arm")]

    def __str__(self) -> str:
        return f"{self.name}: {self.variant}"


class KeptReach(models.Model):
    """Cached weekly reach of a moment (`aha.moments.claims.WeeklyReach`), counted by workers, or why there is none."""

    moment = models.OneToOneField(AhaMoment, on_delete=models.CASCADE, primary_key=True, related_name="kept_reach")
    weeks = models.JSONField(null=True)
    refusal = models.JSONField(null=True)
    counted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.moment_id)


class SavedView(models.Model):
    """A question of Explore under a name. It keeps the question alone: whoever opens it sees today's answer."""

    class View(models.TextChoices):
        RETENTION = "retention", _("Retention")
        ACTIVITY = "activity", _("Behaviour over time")
        TIMES = "times", _("Times within days")
        LIFECYCLE = "lifecycle", _("Lifecycle")
        LEVELS = "levels", _("Levels")
        FUNNEL = "funnel", _("Funnel")

    name = models.CharField(_("name"), max_length=120)
    view = models.CharField(_("view"), max_length=10, choices=View.choices)
    question = models.JSONField(_("question"), default=dict)  # the parameters of its address, normalised
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("owner"),
    )  # None: who made it
    tags = models.ManyToManyField(Tag, blank=True, editable=False, related_name="+", verbose_name=_("tags"))
    archived_at = models.DateTimeField(_("archived"), null=True, editable=False)

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name
