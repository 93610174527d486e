"""Who has asked for a flag: by the key's first characters, never by unit."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class FlagAsk(models.Model):
    """How often one key has asked for one flag at one door. Counted in steps, so that no call costs a write."""

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
    # Of the last UTC day with calls, and of the one before it: how often a flag is asked for in a day.
    day = models.DateField(null=True)
    day_times = models.PositiveBigIntegerField(default=0, db_default=0)
    day_before = models.DateField(null=True)
    day_before_times = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["flag_key", "door", "key_prefix"], name="one_ask_a_key")]

    def __str__(self) -> str:
        return f"{self.flag_key or '*'} {self.key_prefix}"
