"""Rows of serving: who asks for flags, the configuration's number, aliases of units, rollouts, and webhooks."""

from django.conf import settings
from django.db import connection, models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from experiments.draw import evaluation
from experiments.models.experiment import Experiment, Variant

# Counts of flag requests by key prefix, never by unit.


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


# Version number of the served configuration, which every process compares.


class ConfigVersion(models.Model):
    """One row with a number that grows with every change of served data. Processes compare it each second."""

    CHANNEL = "insight_configuration"  # channel of PostgreSQL's NOTIFY

    version = models.PositiveBigIntegerField(default=1)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.version)

    @classmethod
    def touch(cls) -> None:
        """Make every process reload the configuration. Call it in the transaction of the change."""
        moment = timezone.now()
        if not cls.objects.filter(pk=1).update(version=models.F("version") + 1, changed_at=moment):
            cls.objects.create(pk=1, changed_at=moment)
        if connection.vendor == "postgresql":  # delivered at the commit, to processes that serve event streams
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify(%s, '')", [cls.CHANNEL])


# Users who draw by another id (docs/identity.md).


class DrawnAs(models.Model):
    """A user who continues to draw by their former visitor id, also where the visitor got no arm."""

    unit = models.CharField(max_length=256, unique=True)
    drawn_as = models.CharField(max_length=256)

    def __str__(self) -> str:
        return f"{self.unit} as {self.drawn_as}"


# Models of rollouts: what is shipped after an experiment's end, and an append-only log of moves.


class Rollout(models.Model):
    """The current state. `rows` is a list of ``{"segment", "rule", "steps": [{"at", "share"}]}``, shares in 0.01 %."""

    class State(models.TextChoices):
        ROLLING = evaluation.ROLLING, _("rolling out")
        HELD = evaluation.HELD, _("rollout paused")
        KILLED = evaluation.KILLED, _("kill switch on")
        BACK = "back", _("back to default")

    experiment = models.OneToOneField(
        Experiment, on_delete=models.PROTECT, related_name="rollout", verbose_name=_("experiment")
    )
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="+", verbose_name=_("variant"))
    flag_key = models.CharField(_("flag key"), max_length=128)  # of the experiment; unique among served rollouts
    state = models.CharField(_("state"), max_length=10, choices=State)
    rows = models.JSONField(_("who gets it, and when"))
    held_at = models.DateTimeField(_("paused since"), null=True)
    noted_at = models.DateTimeField(_("steps are logged until"))
    first_at = models.DateTimeField(_("first shipped"))

    class Meta:
        verbose_name = _("rollout")
        verbose_name_plural = _("rollouts")
        ordering = ["-first_at"]
        constraints = [
            models.UniqueConstraint(fields=["flag_key"], condition=~models.Q(state="back"), name="one_rollout_per_flag")
        ]

    def __str__(self) -> str:
        return f"{self.flag_key}: {self.state}"

    @property
    def is_on(self) -> bool:
        """True while it decides the flag's value, also under the kill switch."""
        return self.state != self.State.BACK


class RolloutMove(models.Model):
    """One change of a rollout: who, when, old and new state, and why."""

    class Kind(models.TextChoices):
        SHIP = "ship", _("shipped")
        CHANGE = "change", _("steps changed")
        STEP = "step", _("step reached")
        HOLD = "hold", _("paused")
        GO_ON = "go_on", _("resumed")
        KILL = "kill", _("kill switch")
        BACK = "back", _("back to default")

    experiment = models.ForeignKey(
        Experiment, on_delete=models.PROTECT, related_name="rollout_moves", verbose_name=_("experiment")
    )
    at = models.DateTimeField(_("when"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("who")
    )
    key_prefix = models.CharField(_("key"), max_length=16, blank=True)  # the key that moved it, where no person did
    kind = models.CharField(_("what"), max_length=10, choices=Kind)
    before = models.JSONField(_("from"), null=True)
    after = models.JSONField(_("to"))
    why = models.TextField(_("why"), blank=True)

    class Meta:
        verbose_name = _("move of a rollout")
        verbose_name_plural = _("moves of rollouts")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.experiment_id}: {self.kind}"


# Webhook endpoints and queued deliveries.

TYPES = (
    "experiment.started",
    "experiment.stopped",
    "experiment.verdict",
    "experiment.sample_ratio",
    "experiment.review_requested",
    "experiment.review_answered",
    "experiment.comment",
    "experiment.rollout",
)


class WebhookEndpoint(models.Model):
    """An address for messages. Signing needs the secret itself, so the row stores it; pages don't show it."""

    name = models.CharField(_("name"), max_length=100)
    url = models.URLField(_("address"), max_length=500, help_text=_("https, port 443, a public host."))
    secret = models.CharField(max_length=100, editable=False)
    previous_secret = models.CharField(max_length=100, editable=False, blank=True)
    previous_until = models.DateTimeField(_("old secret works until"), null=True, blank=True, editable=False)
    enabled = models.BooleanField(_("enabled"), default=True)
    disabled_reason = models.CharField(_("why it is off"), max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    certificate_until = models.DateTimeField(_("certificate ends"), null=True, blank=True, editable=False)  # when read

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets to sign with now: two while the old one is being rotated out."""
        rotating = self.previous_until is not None and self.previous_until > timezone.now()
        return (self.secret, self.previous_secret) if rotating else (self.secret,)


class WebhookDelivery(models.Model):
    """One message to one endpoint, written in the transaction of the change that it reports."""

    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("endpoint")
    )
    message_id = models.CharField(_("message id"), max_length=40)
    type = models.CharField(_("type"), max_length=40, choices=[(name, name) for name in TYPES])
    body = models.TextField(_("body"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)  # None: delivered or given up
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    status = models.PositiveSmallIntegerField(_("last answer"), null=True, blank=True)
    trouble = models.CharField(_("last trouble"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["endpoint", "message_id"], name="webhook_message_once")]
        indexes = [
            models.Index(fields=["next_try_at"], name="webhook_due", condition=models.Q(next_try_at__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"
