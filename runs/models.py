"""What every long computation's row holds. Abstract: each app's own run adds what it is about."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from runs.light import LightQuerySet
from runs.refusals import Refused


class Run(models.Model):
    """One long computation: its frozen inputs, how far it is, and in the end a payload or the reason why there is none.

    Abstract: a segmentation, a study and an analysis must queue, report progress, be cancelled and fail alike, or each
    page would tell another story (docs/adr/0004-one-kind-of-run.md). `runs.perform` moves it. Lists read it `light()`;
    what they show of a result is a column of its own.
    """

    HEAVY: tuple[str, ...] = ("payload", "early")
    NAMED_BY: tuple[str, ...] = ()  # relations that its name is made of, for lists to join

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED, db_index=True)
    inputs = models.JSONField(_("inputs"), default=dict)
    seed = models.PositiveBigIntegerField(_("seed"), default=1)
    as_of = models.DateTimeField(_("data up to"), null=True, blank=True)
    stage = models.CharField(_("stage"), max_length=40, blank=True)
    share = models.FloatField(_("share done"), default=0.0)
    cancel_requested = models.BooleanField(_("cancel requested"), default=False)
    payload = models.JSONField(_("result"), null=True, blank=True)
    early = models.JSONField(
        null=True, blank=True, editable=False
    )  # parts shown before the end: see `runs.shown_early`
    reason = models.TextField(_("reason"), blank=True)  # in English
    refusal = models.JSONField(default=dict, blank=True, editable=False)  # the same, to be worded for whoever reads it
    versions = models.JSONField(_("library versions"), default=dict, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    heard_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    objects = LightQuerySet.as_manager()
    words = ""  # a page may say the reason in the words of its own form

    class Meta:
        abstract = True
        ordering = ["-created_at"]

    @property
    def is_open(self) -> bool:
        """Neither done, failed nor cancelled."""
        return self.status in (self.Status.QUEUED, self.Status.RUNNING)

    @property
    def reason_in_words(self) -> str:
        """Why there is no result, in the reader's language, as a command prints it."""
        refused = self.refused
        if refused is not None:
            return str(refused)
        return gettext(self.reason) if self.reason else ""

    @property
    def reason_on_page(self) -> str:
        """The same without the option of a command that it is about: a page has fields, no options."""
        refused = self.refused
        return refused.sentence if refused is not None else self.reason_in_words

    @property
    def refused(self) -> Refused | None:
        """The refusal that ended it; None for any other end, and for one of version 0.3, which kept words alone."""
        return Refused.from_record(self.refusal) if self.refusal else None

    @property
    def percent(self) -> int:
        """Share done in whole percent, for a progress bar."""
        return round(100 * self.share)


class WorkerPulse(models.Model):
    """The last sign of life of a worker process: without one, a run that waits would wait for ever and say nothing."""

    name = models.CharField(max_length=200, primary_key=True)  # host and process
    started_at = models.DateTimeField()
    heard_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.name
