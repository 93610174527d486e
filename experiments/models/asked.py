"""Counts of flag requests by key prefix, never by unit."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class FlagAsk(models.Model):
    """How often one key has requested one flag by one API. Written in batches, so that not every call costs a write."""

    class Door(models.TextChoices):
        FLAG = "flag", _("one flag")
        BULK = "bulk", _("all flags")
        CONFIG = "config", _("the configuration")

    flag_key = models.CharField(max_length=128, blank=True)  # empty: all flags at once
    door = models.CharField(max_length=6, choices=Door.choices)
    key_prefix = models.CharField(max_length=8)
    times = models.PositiveBigIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    # The last UTC day with calls, and the one before it, to show requests per day.
    day = models.DateField(null=True)
    day_times = models.PositiveBigIntegerField(default=0, db_default=0)
    day_before = models.DateField(null=True)
    day_before_times = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["flag_key", "door", "key_prefix"], name="one_ask_a_key")]

    def __str__(self) -> str:
        return f"{self.flag_key or '*'} {self.key_prefix}"
