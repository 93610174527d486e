"""Rows of all apps: lists without large columns, keys from names, the abstract run, and the tables of the job queue."""

from datetime import datetime, timedelta
from typing import Any, Self

from anyascii import anyascii
from django.conf import settings
from django.db import models
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from runs.refusals import Refused
from runs.site_zone import here

# Load runs without their large columns (stored results, fitted models, evidence), which only their own page needs.


class LightQuerySet[Row: models.Model](models.QuerySet[Row]):
    """Query set that can leave out the large columns which a model lists in `HEAVY` (hundreds of kilobytes a row)."""

    def light(self, *joined: str, keep: tuple[str, ...] = ()) -> Self:
        """For lists: rows without heavy columns, their own and those of rows joined by `select_related`.

        Args:
            joined: paths as for `select_related`, which alone would read every column of the joined rows.
            keep: heavy columns to load all the same; those of joined rows by their path.
        """
        names = list(_heavy(self.model))
        for path in joined:
            model: Any = self.model
            before = ""
            for step in path.split("__"):
                model = model._meta.get_field(step).related_model
                before += f"{step}__"
                names += [before + name for name in _heavy(model)]
        rows = self.select_related(*joined) if joined else self
        return rows.defer(*(name for name in names if name not in keep))


def _heavy(model: Any) -> tuple[str, ...]:
    return getattr(model, "HEAVY", ())


# Make keys from names in any script.


def key_from(name: str, otherwise: str) -> str:
    """Lower-case Latin letters, digits and hyphens: Hangul is romanised, since a frozen key is read for years.

    Args:
        name: as a person typed it.
        otherwise: the key of a name without letters and digits.
    """
    return slugify(anyascii(name)) or otherwise


# Abstract run model, and the tables of the job queue. Each app's own run model adds its inputs.


class Run(models.Model):
    """One long computation: its frozen inputs, its progress, and finally a payload or the reason why there is none.

    Abstract: segmentations, studies and analyses queue, report progress, are cancelled and fail in the same way
    (docs/adr/0004-one-kind-of-run.md). `runs.perform` changes its status. Lists read rows with `light()`; results shown
    in lists have columns of their own.
    """

    HEAVY: tuple[str, ...] = ("payload", "early")
    NAMED_BY: tuple[str, ...] = ()  # relations that the name needs, for lists to join

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    OPEN = (Status.QUEUED, Status.RUNNING)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED, db_index=True)
    inputs = models.JSONField(_("inputs"), default=dict)
    seed = models.PositiveBigIntegerField(_("seed"), default=1)
    as_of = models.DateTimeField(_("data up to"), null=True, blank=True)
    stage = models.CharField(_("stage"), max_length=40, blank=True)
    share = models.FloatField(_("share done"), default=0.0)
    cancel_requested = models.BooleanField(_("cancel requested"), default=False)
    payload = models.JSONField(_("result"), null=True, blank=True)
    early = models.JSONField(null=True, blank=True, editable=False)  # partial results: see `runs.perform`
    reason = models.TextField(_("reason"), blank=True)  # in English
    refusal = models.JSONField(default=dict, blank=True, editable=False)  # the same, to be translated
    versions = models.JSONField(_("library versions"), default=dict, blank=True)
    # How many users whose data the run used have been erased since: the result itself stays unchanged.
    erased_units = models.PositiveIntegerField(_("units erased since"), default=0, db_default=0, editable=False)
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
        """Whether the run is queued or running."""
        return self.status in self.OPEN

    @property
    def reason_in_words(self) -> str:
        """Why there is no result, in the reader's language, in the form that commands print."""
        refused = self.refused
        if refused is not None:
            return str(refused)
        return gettext(self.reason) if self.reason else ""

    @property
    def reason_on_page(self) -> str:
        """The same sentence without the command-line option in front: a page has fields, no options."""
        refused = self.refused
        return refused.sentence if refused is not None else self.reason_in_words

    @property
    def refused(self) -> Refused | None:
        """The refusal that ended the run; None for any other end, and for version 0.3, which stored only text."""
        return Refused.from_record(self.refusal) if self.refusal else None

    @property
    def percent(self) -> int:
        """Share done in whole percent, for a progress bar."""
        return round(100 * self.share)


class WorkerPulse(models.Model):
    """Heartbeat of a worker process: lets pages tell when no worker is running, so that nobody waits for ever."""

    name = models.CharField(max_length=200, primary_key=True)  # host and process
    started_at = models.DateTimeField()
    heard_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.name


class Job(models.Model):
    """A background job: a task's name, its arguments and its state. `runs.queue` changes it."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    task = models.CharField(_("task"), max_length=200)
    queue = models.CharField(_("queue"), max_length=20)
    arguments = models.JSONField(_("arguments"), default=list)
    schedule = models.CharField(_("schedule"), max_length=100, blank=True)  # the schedule that requested it
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    error = models.CharField(_("error"), max_length=500, blank=True)
    asked_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    due_at = models.DateTimeField(_("not before"), null=True, blank=True)  # None: at once, whatever a clock says
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    owner = models.CharField(_("process"), max_length=200, blank=True)
    owned_until = models.DateTimeField(null=True, blank=True, editable=False)
    origin = models.JSONField(null=True, blank=True, editable=False)  # ids of the request: `runs.queue.jobs`

    class Meta:
        verbose_name = _("background task")
        verbose_name_plural = _("background tasks")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["queue", "id"], condition=models.Q(state="waiting"), name="runs_job_waiting"),
            models.Index(fields=["owner"], condition=models.Q(state="running"), name="runs_job_running"),
            models.Index(fields=["state", "ended_at"], name="runs_job_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.pk}"


class Schedule(models.Model):
    """A periodic task: when it is due next and how the last run went. `runs.queue.worker` changes it."""

    class Every(models.TextChoices):
        MINUTES = "I", _("every … minutes")
        HOUR = "H", _("each hour")
        DAY = "D", _("each day")

    name = models.CharField(_("name"), max_length=100, primary_key=True)
    task = models.CharField(_("task"), max_length=200)
    every = models.CharField(_("how often"), max_length=1, choices=Every.choices)
    minutes = models.PositiveIntegerField(_("minutes"), null=True, blank=True)
    next_run = models.DateTimeField(_("next"))
    last_started_at = models.DateTimeField(_("last started"), null=True, blank=True)
    last_ended_at = models.DateTimeField(_("last ended"), null=True, blank=True)
    last_success_at = models.DateTimeField(_("last success"), null=True, blank=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def period(self) -> timedelta:
        """The time from one run to the next."""
        hours = {self.Every.HOUR: 1, self.Every.DAY: 24}
        return timedelta(hours=hours.get(self.Every(self.every), 0), minutes=self._minutes)

    def after(self, now: datetime) -> datetime:
        """The first time after `now` at which it is due; each day at the same local time, also when clocks change."""
        if self.every == self.Every.DAY:
            at, today = here(self.next_run), here(now)
            due = today.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0, fold=0)
            return due if due > now else due + timedelta(days=1)  # the same wall time: aware times add so
        passed = max(now - self.next_run, timedelta()) if self.next_run <= now else timedelta()
        start = min(self.next_run, now)
        return start + (passed // self.period + 1) * self.period

    @property
    def _minutes(self) -> int:
        return (self.minutes or 1) if self.every == self.Every.MINUTES else 0


class SiteZone(models.Model):
    """The time zone that somebody chose for this site: one row, or none (`runs.site_zone`)."""

    name = models.CharField(_("time zone"), max_length=64)
    chosen_at = models.DateTimeField(_("chosen"), auto_now=True)

    class Meta:
        verbose_name = _("time zone of the site")
        verbose_name_plural = _("time zone of the site")

    def __str__(self) -> str:
        return self.name


class OutcomeCount(models.Model):
    """How often one kind of run, job or delivery ended with one outcome. `runs.queue.status` adds to it."""

    subject = models.CharField(max_length=20)
    kind = models.CharField(max_length=200)
    outcome = models.CharField(max_length=20)
    number = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject", "kind", "outcome"], name="runs_outcome_counted_once")]

    def __str__(self) -> str:
        return f"{self.subject} {self.kind} {self.outcome}: {self.number}"


class Spending(models.Model):
    """What a run was told to read and what it has read; `runs.spending` writes it, and it outlives the run."""

    kind = models.CharField(max_length=100)  # the run's model
    run = models.PositiveBigIntegerField()
    name = models.CharField(max_length=200, blank=True, default="", db_default="")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    day = models.DateField(db_index=True)  # UTC
    told_files = models.PositiveBigIntegerField(null=True)  # null: the price isn't known
    told_rows = models.PositiveBigIntegerField(null=True)
    told_bytes = models.PositiveBigIntegerField(null=True)
    read_bytes = models.PositiveBigIntegerField(null=True)  # null: not read yet, or not measured
    seconds = models.FloatField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "run"], name="runs_spending_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.run}"


class DaySpent(models.Model):
    """The bytes of one day (UTC): read by runs that ended, told of those that haven't. One row is one lock."""

    day = models.DateField(primary_key=True)
    bytes = models.PositiveBigIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"{self.day}: {self.bytes}"
