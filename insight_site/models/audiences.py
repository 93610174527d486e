"""Models of audiences: an exported list of users, and its members as the other system knows them."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

MOST_HOURS = 24 * 7


class Audience(models.Model):
    """Users in a segment, or with a given state at a moment, and the destination of their list.

    Change numbers only grow, so a system that fetches or receives changes knows its position.
    """

    class Who(models.TextChoices):
        SEGMENT = "segment", _("users of a segment")
        REACHED = "reached", _("users who reached a moment")
        NOT_YET = "not_yet", _("users who haven't reached it and have time left")
        MISSED = "missed", _("users whose time is over and who didn't reach it")

    class Way(models.TextChoices):
        FETCHED = "fetched", _("programs fetch it (REST)")
        WEBHOOK = "webhook", _("signed webhook: who came and who went")
        FILE = "file", _("CSV files in an object store")

    key = models.SlugField(_("key"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=100)
    who = models.CharField(_("who"), max_length=10, choices=Who.choices)
    segment_model = models.ForeignKey(
        "segments.SegmentModel", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    segment_key = models.SlugField(max_length=80, blank=True)  # of any version: a new version is used automatically
    moment = models.ForeignKey("aha.AhaMoment", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    way = models.CharField(_("how it goes out"), max_length=10, choices=Way.choices)
    url = models.CharField(_("address"), max_length=500, blank=True)
    secret = models.CharField(max_length=100, blank=True, editable=False)  # needed for signing; pages don't show it
    previous_secret = models.CharField(max_length=100, blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    hours = models.PositiveSmallIntegerField(_("every … hours"), default=24)
    enabled = models.BooleanField(_("enabled"), default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # State, written by workers.
    counted_at = models.DateTimeField(null=True, editable=False)
    members = models.PositiveBigIntegerField(default=0, editable=False)
    last_change = models.PositiveBigIntegerField(default=0, editable=False)
    refusal = models.JSONField(null=True, editable=False)  # why the last count failed; the list is unchanged
    sent_change = models.PositiveBigIntegerField(default=0, editable=False)
    sent_at = models.DateTimeField(null=True, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)  # failed tries since the last success
    next_try_at = models.DateTimeField(null=True, editable=False)
    trouble = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        verbose_name = _("audience")
        verbose_name_plural = _("audiences")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets to sign with now: two while the old one is being rotated out."""
        rotating = self.previous_until is not None and self.previous_until > timezone.now()
        return (self.secret, self.previous_secret) if rotating else (self.secret,)

    @property
    def next_count_at(self) -> datetime:
        """When the next count is due."""
        return timezone.now() if self.counted_at is None else self.counted_at + timedelta(hours=self.hours)

    @property
    def waiting(self) -> int:
        """Number of changes not yet sent; 0 where the other system fetches them."""
        return 0 if self.way == self.Way.FETCHED else self.last_change - self.sent_change


class AudienceMember(models.Model):
    """One member of an audience; one who left is kept for some time, so that the removal reaches every system."""

    audience = models.ForeignKey(Audience, on_delete=models.CASCADE, related_name="+")
    unit = models.CharField(max_length=256)
    is_in = models.BooleanField()
    change = models.PositiveBigIntegerField()  # number of the change that added or removed them
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["audience", "unit"], name="one_row_for_a_unit_of_an_audience")]
        indexes = [models.Index(fields=["audience", "change"])]

    def __str__(self) -> str:
        return f"{self.unit} {'in' if self.is_in else 'out'}"
