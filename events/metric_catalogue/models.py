"""Rows of the metric catalogue: what a team calls a number, its definitions one after the other, and their checks."""

from django.conf import settings
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from events.metrics.facts import HIGHER, LOWER, Facts
from runs.models import Run


class MetricQuerySet(models.QuerySet["Metric"]):
    def with_tag(self, tag: str) -> "MetricQuerySet":
        """Those that have the tag; all for an empty one."""
        return self.filter(tags__contains=f",{tag},") if tag else self

    def all_tags(self) -> list[str]:
        """The tags of all, each once, in order."""
        return sorted({tag for row in self.exclude(tags="").only("tags") for tag in row.tag_list})


class Metric(models.Model):
    """A number that a team agrees on. Its definition lies in its versions; the newest one is what is picked."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        CERTIFIED = "certified", _("certified")
        DEPRECATED = "deprecated", _("deprecated")

    key = models.CharField(_("key"), max_length=64, unique=True)
    name_en = models.CharField(_("name, English"), max_length=80)
    name_ko = models.CharField(_("name, Korean"), max_length=80, blank=True)
    description = models.CharField(_("description"), max_length=1000, blank=True)
    owner = models.CharField(_("owner"), max_length=150, blank=True)  # a team, or a person's account
    # Between commas, with one at each end: found by text on every database, as one tag by ",tag,".
    tags = models.CharField(_("tags"), max_length=900, blank=True)
    unit = models.CharField(_("unit"), max_length=40, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT)
    version = models.PositiveIntegerField(_("version"), default=0)  # number of the newest; 0 while it is being made
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    history = HistoricalRecords()
    objects = MetricQuerySet.as_manager()

    class Meta:
        verbose_name = _("metric")
        verbose_name_plural = _("metrics")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """Its name in the reader's language, or in the other one where that is missing."""
        korean = (get_language() or "en").split("-")[0] == "ko"
        return (self.name_ko if korean else "") or self.name_en or self.key

    @property
    def tag_list(self) -> list[str]:
        """Its tags in order."""
        return [tag for tag in self.tags.split(",") if tag]

    @property
    def current(self) -> "MetricVersion":
        """The newest version; of prefetched versions without a question."""
        return next(one for one in self.versions.all() if one.number == self.version)

    @property
    def is_deprecated(self) -> bool:
        """True for one that nobody may pick anew."""
        return self.status == self.Status.DEPRECATED


class MetricVersion(models.Model):
    """One definition of a metric. Nothing of it ever changes, but that it is certified."""

    class Direction(models.TextChoices):
        HIGHER = HIGHER, _("higher is better")
        LOWER = LOWER, _("lower is better")

    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, related_name="versions", verbose_name=_("metric"))
    number = models.PositiveIntegerField(_("version"))
    definition = models.TextField(_("definition"))
    cap = models.CharField(_("cap"), max_length=40, blank=True)
    direction = models.CharField(_("which way is better"), max_length=6, choices=Direction, default=Direction.HIGHER)
    margin = models.FloatField(_("margin as a guardrail"), null=True, blank=True)
    hash = models.CharField(_("hash"), max_length=64)
    why = models.CharField(_("reason"), max_length=300, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    certified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("certified by")
    )
    certified_at = models.DateTimeField(_("certified"), null=True, blank=True)

    class Meta:
        verbose_name = _("version of a metric")
        verbose_name_plural = _("versions of metrics")
        ordering = ["metric", "-number"]
        constraints = [models.UniqueConstraint(fields=["metric", "number"], name="one_version_of_a_metric")]

    def __str__(self) -> str:
        return f"{self.metric.key} {self.number}"

    @property
    def facts(self) -> Facts:
        """What the version fixes."""
        return Facts(self.definition, self.cap, self.direction, self.margin)


class MetricCheck(Run):
    """A metric on its own past: its value week by week, and how often a test calls a difference that isn't there."""

    NAMED_BY = ("version__metric",)

    version = models.ForeignKey(MetricVersion, on_delete=models.CASCADE, related_name="checks", editable=False)
    alarms = models.PositiveIntegerField(_("false alarms"), null=True, blank=True)  # null: it can't be computed
    splits = models.PositiveIntegerField(_("splits"), null=True, blank=True)

    class Meta(Run.Meta):
        verbose_name = _("check of a metric")
        verbose_name_plural = _("checks of metrics")

    def __str__(self) -> str:
        return f"{self.version.metric.title} {self.version.number}"
