"""Rows of launches: what was registered, and its readings."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from launches.answers import USUAL_DAYS, Answers, Curve, Direction, Meets, Suggestion
from runs.models import Run


class Launch(models.Model):
    """A launch as it was registered. Its answers never change: who would judge it otherwise registers another one."""

    class CurveKind(models.TextChoices):
        NEW_USERS = Curve.NEW_USERS, _("an outcome of new users, by the day they signed up")
        ACTIVE_USERS = Curve.ACTIVE_USERS, _("how many users are active each day")
        PER_ACTIVE_USER = Curve.PER_ACTIVE_USER, _("how often an active user does something each day")

    class MetBy(models.TextChoices):
        EVERYBODY = Meets.EVERYBODY, _("everybody, also users who were there before")
        NEW = Meets.NEW, _("only users who signed up from then on")

    class Better(models.TextChoices):
        HIGHER = Direction.HIGHER, _("higher is better")
        LOWER = Direction.LOWER, _("lower is better")

    key = models.SlugField(_("key"), max_length=80, unique=True)
    title = models.CharField(_("title"), max_length=100)
    began = models.DateField(_("date"))
    meets = models.CharField(_("who met it"), max_length=10, choices=MetBy, default=MetBy.EVERYBODY)
    trait = models.CharField(_("trait"), max_length=100, blank=True)
    reached = models.JSONField(_("values of those who could meet it"), default=list, blank=True)
    spared = models.JSONField(_("values of those who couldn't"), default=list, blank=True)
    curve = models.CharField(_("curve"), max_length=20, choices=CurveKind)
    outcome = models.TextField(_("outcome"), blank=True)
    signup_event = models.CharField(_("start event"), max_length=256, blank=True)
    better = models.CharField(_("which way is better"), max_length=10, choices=Better, default=Better.HIGHER)
    works_after = models.PositiveSmallIntegerField(_("works after … days"), default=0)
    days_after = models.PositiveSmallIntegerField(_("days judged"), default=USUAL_DAYS)
    decision = models.CharField(_("decision"), max_length=500)
    took_part = models.TextField(_("took part"), blank=True)
    unmoved = models.TextField(_("an outcome that it can't move"), blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("registered by"),
    )
    created_at = models.DateTimeField(_("registered"), auto_now_add=True)

    class Meta:
        verbose_name = _("launch")
        verbose_name_plural = _("launches")
        ordering = ["-began", "-pk"]

    def __str__(self) -> str:
        return self.title

    @property
    def answers(self) -> Answers:
        """The answers as they were registered."""
        return Answers(
            title=self.title,
            began=self.began,
            curve=Curve(self.curve),
            decision=self.decision,
            outcome=self.outcome,
            signup_event=self.signup_event,
            meets=Meets(self.meets),
            trait=self.trait,
            reached=tuple(self.reached),
            spared=tuple(self.spared),
            better=Direction(self.better),
            works_after=self.works_after,
            days_after=self.days_after,
            took_part=self.took_part,
            unmoved=self.unmoved,
        )


class LaunchReading(Run):
    """A reading of a launch's curve. What it suggests is no verdict, and nothing pools it with experiments."""

    NAMED_BY = ("launch",)

    class Says(models.TextChoices):
        GAIN = Suggestion.GAIN, _("suggests a gain")
        LOSS = Suggestion.LOSS, _("suggests a loss")
        CANT_TELL = Suggestion.CANT_TELL, _("can't tell")
        REFUSED = Suggestion.REFUSED, _("refused")

    launch = models.ForeignKey(Launch, on_delete=models.CASCADE, related_name="readings", editable=False)
    suggestion = models.CharField(_("suggestion"), max_length=20, choices=Says, blank=True)

    class Meta(Run.Meta):
        verbose_name = _("reading of a launch")
        verbose_name_plural = _("readings of launches")

    def __str__(self) -> str:
        return self.launch.title


class BalanceRun(Run):
    """The rules of an event, played over past days; a later one, `of` it, holds it against what came of the event.

    Its `inputs` are the rules (`launches.balance.rules`), which never change: other rules are another run.
    """

    title = models.CharField(_("title"), max_length=100)
    of = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, related_name="comparisons", editable=False, verbose_name=_("of")
    )  # the promise that this run compares with what happened
    promised_at = models.DateTimeField(_("promised"), null=True, editable=False)
    promised_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        editable=False,
        verbose_name=_("promised by"),
    )

    class Meta(Run.Meta):
        verbose_name = _("event balance")
        verbose_name_plural = _("event balances")

    def __str__(self) -> str:
        return self.title


class GrowthForecast(Run):
    """A forecast of growth. Its inputs are the weeks ahead, its payload is `launches.growth.model.GrowthReport`."""

    class Meta(Run.Meta):
        verbose_name = _("growth forecast")
        verbose_name_plural = _("growth forecasts")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} · {self.pk}"
