"""Models of reviews before the start: the site's rule, a team's own checks, requests, answers, and ticks."""

from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from experiments.models.experiment import Experiment

# Comments on a plan before it starts, by section.

SECTIONS = (
    "question",
    "hypothesis",
    "others",
    "who",
    "arms",
    "outcomes",
    "guardrails",
    "verdict",
    "size",
    "looks",
    "risks",
    "start",
)


class PlanComment(models.Model):
    """One comment on one section of a plan: plain text. It is resolved, never deleted."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="comments")
    section = models.CharField(_("section"), max_length=20)
    text = models.TextField(_("comment"), max_length=2_000)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("who")
    )
    at = models.DateTimeField(_("when"), auto_now_add=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("resolved by")
    )
    resolved_at = models.DateTimeField(_("resolved"), null=True)

    class Meta:
        verbose_name = _("comment on a plan")
        verbose_name_plural = _("comments on a plan")
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.experiment_id} {self.section}: {self.text[:40]}"

    @property
    def is_open(self) -> bool:
        """Whether the comment is unresolved."""
        return self.resolved_at is None


class ReviewPolicy(models.Model):
    """One row: whether a plan needs approval by a second person before it starts."""

    class Mode(models.TextChoices):
        AUTOMATIC = "automatic", _("automatic: when two or more people could approve")
        ALWAYS = "always", _("always")
        NEVER = "never", _("never ask for one")

    mode = models.CharField(_("review before start"), max_length=10, choices=Mode, default=Mode.AUTOMATIC)

    class Meta:
        verbose_name = _("rule of reviews")
        verbose_name_plural = _("rule of reviews")

    def __str__(self) -> str:
        return self.mode

    @classmethod
    def current(cls) -> Self:
        """The rule; "automatic" (unsaved) on a site that never chose."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)


class ReviewItem(models.Model):
    """A team's own check, added to the checklist that each plan fills in."""

    text = models.CharField(_("text in English"), max_length=200)
    text_ko = models.CharField(_("text in Korean"), max_length=200, blank=True)
    required = models.BooleanField(_("required before an approval"), default=False)
    active = models.BooleanField(_("active"), default=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("own check of a review")
        verbose_name_plural = _("own checks of a review")
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.text

    @property
    def shown(self) -> str:
        """Its text in the reader's language, else in English."""
        return (self.text_ko if get_language() == "ko" else "") or self.text


class ReviewRequest(models.Model):
    """A request for a review of a draft's content at that time."""

    class State(models.TextChoices):
        OPEN = "open", _("waits for an answer")
        APPROVED = "approved", _("approved")
        CHANGES = "changes", _("changes requested")
        WITHDRAWN = "withdrawn", _("withdrawn")
        REPLACED = "replaced", _("asked again later")

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="review_requests")
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    fingerprint = models.CharField(max_length=64)
    version = models.PositiveIntegerField(_("version of the plan"))
    note = models.TextField(_("note"), max_length=2_000, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("who")
    )
    reviewers = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="+", blank=True, verbose_name=_("reviewers")
    )
    at = models.DateTimeField(_("when"), auto_now_add=True)
    closed_at = models.DateTimeField(_("closed"), null=True)

    class Meta:
        verbose_name = _("request for a review")
        verbose_name_plural = _("requests for reviews")
        ordering = ["id"]
        permissions = [("skip_reviewrequest", "Can start an experiment without its review")]
        constraints = [
            models.UniqueConstraint(
                fields=["experiment"], condition=models.Q(state="open"), name="one_open_review_request"
            )
        ]

    def __str__(self) -> str:
        return f"{self.experiment_id} {self.state}"


class ReviewAnswer(models.Model):
    """An answer about a plan's content: approved, changes requested; or started without a review, with the reason."""

    class Kind(models.TextChoices):
        APPROVED = "approved", _("approved")
        CHANGES = "changes", _("changes requested")
        SKIPPED = "skipped", _("started without a review")

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="review_answers")
    request = models.ForeignKey(ReviewRequest, null=True, on_delete=models.SET_NULL, related_name="answers")
    kind = models.CharField(_("answer"), max_length=10, choices=Kind)
    text = models.TextField(_("words"), max_length=2_000, blank=True)
    fingerprint = models.CharField(max_length=64)
    version = models.PositiveIntegerField(_("version of the plan"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("who")
    )
    at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        verbose_name = _("answer of a review")
        verbose_name_plural = _("answers of reviews")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.experiment_id} {self.kind}"


class ReviewTick(models.Model):
    """A ticked check, with a note: a team's own, or one that the plan doesn't fill in."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="review_ticks")
    item = models.ForeignKey(ReviewItem, null=True, on_delete=models.SET_NULL, related_name="+")
    code = models.CharField(_("check"), max_length=40)  # code of a plan's check, or item:NUMBER
    label = models.CharField(_("check in words"), max_length=200, blank=True)  # at the time of the tick
    note = models.TextField(_("note"), max_length=2_000, blank=True)
    fingerprint = models.CharField(max_length=64)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("who")
    )
    at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        verbose_name = _("ticked check of a review")
        verbose_name_plural = _("ticked checks of reviews")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["experiment", "code"], name="one_tick_a_check")]

    def __str__(self) -> str:
        return f"{self.experiment_id} {self.code}"
