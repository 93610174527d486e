"""Models of rollouts: what is shipped after an experiment's end, and an append-only log of moves."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from experiments.draw import rollout_record
from experiments.models.experiment import Experiment, Variant


class Rollout(models.Model):
    """The current state. `rows` is a list of ``{"segment", "rule", "steps": [{"at", "share"}]}``, shares in 0.01 %."""

    class State(models.TextChoices):
        ROLLING = rollout_record.ROLLING, _("rolling out")
        HELD = rollout_record.HELD, _("rollout paused")
        KILLED = rollout_record.KILLED, _("kill switch on")
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
