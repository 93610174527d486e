"""Models: segmentation runs, published segment models with versions and members, churn and comparison runs."""

from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from events.models import Tag
from runs.models import LightQuerySet, Run
from segments.names import title_of


class SegmentationRun(Run):
    """One search for play patterns. Its payload is `segments.search.result.Report` as JSON."""

    HEAVY = ("payload", "early", "model")
    title = models.CharField(_("title"), max_length=100, blank=True)
    model = models.JSONField(_("fitted model"), null=True, blank=True)  # places new units; large, so in its own column

    class Meta(Run.Meta):
        verbose_name = _("segmentation")
        verbose_name_plural = _("segmentations")

    def __str__(self) -> str:
        return self.title or gettext("Segmentation %(number)s") % {"number": self.pk}


class SegmentModel(models.Model):
    """A named segmentation, by clusters or by a rule, or a list of users; each publication is a version of it."""

    class Kind(models.TextChoices):
        CLUSTER = "cluster", _("by play pattern")
        RULE = "rule", _("by rule")
        LIST = "list", _("a list of users")

    key = models.SlugField(_("key"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    refresh_days = models.PositiveSmallIntegerField(
        _("refresh every … days"), null=True, blank=True, help_text=_("Empty: only when a person asks.")
    )
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

    class Meta:
        verbose_name = _("segment model")
        verbose_name_plural = _("segment models")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def current(self) -> "SegmentVersion | None":
        """The version that new analyses use; older ones are retained for experiments that started with them."""
        return self.versions.light().current().first()

    @property
    def next_number(self) -> int:
        """Number of a new version; counts also versions without members yet."""
        return 1 + (self.versions.aggregate(last=models.Max("number"))["last"] or 0)


class VersionQuerySet(LightQuerySet["SegmentVersion"]):
    """Versions, including those whose first membership isn't computed yet."""

    def current(self) -> Self:
        """The newest version of each model that has its members."""
        placed = SegmentVersion.objects.filter(refreshed_at__isnull=False)
        newer = placed.filter(model=models.OuterRef("model"), number__gt=models.OuterRef("number"))
        return self.filter(~models.Exists(newer), refreshed_at__isnull=False)


class SegmentVersion(models.Model):
    """One publication of a model, with the membership of every unit at its last refresh. The fit never changes."""

    HEAVY = ("fitted", "baseline", "drift")

    model = models.ForeignKey(SegmentModel, on_delete=models.PROTECT, related_name="versions", verbose_name=_("model"))
    number = models.PositiveIntegerField(_("version"))
    run = models.ForeignKey(
        SegmentationRun,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="published",
        verbose_name=_("run"),
    )
    rule = models.JSONField(_("rule"), null=True, blank=True)
    # Of a list: ``address`` of the page that it was made from, and ``last_day``, the last day of a user's life that
    # decided who is in it (None: unlimited).
    origin = models.JSONField(null=True, editable=False)
    inputs = models.JSONField(_("inputs"), default=dict)
    fitted = models.JSONField(_("fitted model"), null=True, blank=True)
    # Result of the run's gap test; empty for rules, and for publications of version 0.3.
    shape = models.CharField(
        _("shape"),
        max_length=10,
        blank=True,
        default="",
        choices=[("groups", _("groups")), ("styles", _("styles of a continuum (corners, not groups)"))],
    )
    fidelity = models.FloatField(_("fidelity"), null=True, blank=True)  # out-of-fold agreement; None: exact
    baseline = models.JSONField(null=True, editable=False)  # the population of the first membership
    drift = models.JSONField(_("drift"), null=True, blank=True)
    # Drift code for lists: `segments.published.drift.DriftResult.code`; empty for rules, and before it
    # was measured.
    drift_code = models.CharField(max_length=40, default="", db_default="", editable=False)
    units = models.PositiveBigIntegerField(_("units"), default=0)
    pinned = models.BooleanField(_("kept fresh for experiments"), default=False)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published by"),
    )
    published_at = models.DateTimeField(_("published"), auto_now_add=True)
    refreshed_at = models.DateTimeField(_("membership of"), null=True, blank=True)  # None: it has no members yet
    objects = VersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("segment version")
        verbose_name_plural = _("segment versions")
        ordering = ["model", "-number"]
        constraints = [models.UniqueConstraint(fields=["model", "number"], name="one_segment_version_of_a_number")]

    def __str__(self) -> str:
        return f"{self.model.key} v{self.number}"


def slug_of(model: str, kind: str, version: int, key: str) -> str:
    """A segment's id for services: model, version and key. It contains the version, whose groups never change."""
    base = f"{model}.v{version}"
    return f"{base}.{key}" if kind == SegmentModel.Kind.CLUSTER else base


class SegmentQuerySet(LightQuerySet["Segment"]):
    """Segments, including those of versions whose first membership isn't computed yet."""

    def published(self) -> Self:
        """Segments of versions that have members, joined with version and model."""
        return self.light("version__model").filter(version__refreshed_at__isnull=False)


class Segment(models.Model):
    """A named group of units of one version. The name can be changed; the key can't, since services use it."""

    HEAVY = ("profile",)

    version = models.ForeignKey(
        SegmentVersion, on_delete=models.PROTECT, related_name="segments", verbose_name=_("version")
    )
    key = models.SlugField(_("key"), max_length=80)
    number = models.PositiveSmallIntegerField(_("number"), default=0)
    name = models.CharField(_("name"), max_length=100, blank=True)
    profile = models.JSONField(_("profile"), default=dict, blank=True)
    stability = models.FloatField(_("stability"), null=True, blank=True)
    targetable = models.BooleanField(_("may be targeted"), default=True)
    size = models.PositiveBigIntegerField(_("units"), default=0)
    # For lists: the behaviours that stand out as (name, direction), and how many of its units stayed at the last
    # refresh: `segments.published.publish.Stayed`; None where it wasn't measured.
    pattern = models.JSONField(null=True, editable=False)
    stayed = models.JSONField(null=True, editable=False)
    history = HistoricalRecords(excluded_fields=["pattern", "stayed"])
    objects = SegmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["version", "number"]
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="one_segment_of_a_key")]

    def __str__(self) -> str:
        return title_of(self.name, self.key, self.pattern)

    @property
    def slug(self) -> str:
        """The segment's id for services."""
        model = self.version.model
        return slug_of(model.key, model.kind, self.version.number, self.key)


class Membership(models.Model):
    """The segment of one unit in one version, or the reason why it has none."""

    class Place(models.TextChoices):
        MEMBER = "member", _("member")
        OUTSIDE = "outside", _("outside")
        TOO_LITTLE_DATA = "too_little_data", _("too little data")
        UNLIKE_ANY = "unlike_any", _("unlike any segment")

    version = models.ForeignKey(SegmentVersion, on_delete=models.CASCADE, related_name="members")
    unit = models.CharField(max_length=256)
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, null=True, related_name="members")
    place = models.CharField(max_length=20, choices=Place.choices, default=Place.MEMBER)
    risk = models.FloatField(null=True)  # chance of leaving, 0 to 1, by the segment's churn model
    reasons = models.JSONField(null=True)
    objects = LightQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "unit"], name="one_place_for_a_unit")]
        indexes = [models.Index(fields=["unit"]), models.Index(fields=["segment", "-risk"])]

    def __str__(self) -> str:
        return f"{self.unit} {self.place}"


class ChurnRun(Run):
    """One churn model of one segment: its payload is `segments.published.churn_model.ChurnResult` as JSON."""

    HEAVY = ("payload", "early", "model")
    NAMED_BY = ("segment",)
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="churn_runs", verbose_name=_("segment"))
    model = models.JSONField(_("fitted model"), null=True, blank=True)

    class Meta(Run.Meta):
        verbose_name = _("churn model")
        verbose_name_plural = _("churn models")

    def __str__(self) -> str:
        return gettext("Churn of %(segment)s") % {"segment": self.segment}


class ComparisonRun(Run):
    """Comparison of two segments. Its payload is `segments.published.drift.ComparisonResult` as JSON."""

    NAMED_BY = ("first", "second")

    first = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="+", verbose_name=_("first segment"))
    second = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="+", verbose_name=_("second segment"))

    class Meta(Run.Meta):
        verbose_name = _("comparison of segments")
        verbose_name_plural = _("comparisons of segments")

    def __str__(self) -> str:
        return f"{self.first} : {self.second}"
