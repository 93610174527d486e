"""An audience that other systems follow, and who is in it as they know it."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

MOST_HOURS = 24 * 7


class Audience(models.Model):
    """Users who are in a segment, or stand in one way to a moment, and where the list of them goes.

    Each change has a number that only grows, so who fetches or is sent changes knows where they were.
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
    segment_key = models.SlugField(max_length=80, blank=True)  # of each version: a new one is followed by itself
    moment = models.ForeignKey("aha.AhaMoment", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    way = models.CharField(_("how it goes out"), max_length=10, choices=Way.choices)
    url = models.CharField(_("address"), max_length=500, blank=True)
    secret = models.CharField(max_length=100, blank=True, editable=False)  # signing needs it; pages don't show it
    previous_secret = models.CharField(max_length=100, blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    hours = models.PositiveSmallIntegerField(_("every … hours"), default=24)
    enabled = models.BooleanField(_("enabled"), default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # How it stands: written by workers.
    counted_at = models.DateTimeField(null=True, editable=False)
    members = models.PositiveBigIntegerField(default=0, editable=False)
    last_change = models.PositiveBigIntegerField(default=0, editable=False)
    refusal = models.JSONField(null=True, editable=False)  # why it could not be counted: it stays as it was
    sent_change = models.PositiveBigIntegerField(default=0, editable=False)
    sent_at = models.DateTimeField(null=True, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)  # that failed since the last good one
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
        """When it is counted next."""
        return timezone.now() if self.counted_at is None else self.counted_at + timedelta(hours=self.hours)

    @property
    def waiting(self) -> int:
        """Numbers of changes that the other side hasn't been told of; 0 where it fetches them."""
        return 0 if self.way == self.Way.FETCHED else self.last_change - self.sent_change


class AudienceMember(models.Model):
    """One user of an audience; one who left stays for some time, so that everybody can be told."""

    audience = models.ForeignKey(Audience, on_delete=models.CASCADE, related_name="+")
    unit = models.CharField(max_length=256)
    is_in = models.BooleanField()
    change = models.PositiveBigIntegerField()  # the number of the change that put them in or out
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["audience", "unit"], name="one_row_for_a_unit_of_an_audience")]
        indexes = [models.Index(fields=["audience", "change"])]

    def __str__(self) -> str:
        return f"{self.unit} {'in' if self.is_in else 'out'}"
