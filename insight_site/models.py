"""API keys: who may call which door. The secret itself is never stored."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events.models import Source


class ApiKey(models.Model):
    """One key: its digest, what it may do, until when."""

    class Kind(models.TextChoices):
        CLIENT = "client", _("client: browsers and apps, public")
        SERVER = "server", _("server: backends, secret")
        ADMIN = "admin", _("admin: automation")

    name = models.CharField(_("name"), max_length=100)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", verbose_name=_("source"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    scopes = models.JSONField(_("scopes"), default=list)
    allowed_origins = models.JSONField(_("allowed browser origins"), default=list, blank=True)
    rate = models.PositiveIntegerField(_("calls a minute"), null=True, blank=True)
    log_exposures = models.BooleanField(
        _("evaluations log exposures"), default=True, help_text=_("Off: the service sends Experiment Viewed itself.")
    )
    preview = models.BooleanField(
        _("preview"), default=False, help_text=_("Remote evaluation honours forced values: for QA alone.")
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(_("begins with"), max_length=8, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_live(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class Picture(models.Model):
    """One chart of a finished run in one language, rendered once and kept with the run."""

    run_label = models.CharField(max_length=60)  # "segments.SegmentationRun"
    run_pk = models.PositiveBigIntegerField()
    language = models.CharField(max_length=10)
    slug = models.CharField(max_length=60)
    label = models.TextField()
    spec = models.JSONField()
    marks = models.PositiveIntegerField()
    content = models.BinaryField()  # SVG text, or PNG where there are many marks

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run_label", "run_pk", "language", "slug"], name="one_picture_of_a_kind")
        ]

    def __str__(self) -> str:
        return f"{self.run_label} {self.run_pk} {self.slug} {self.language}"


class IdempotentCall(models.Model):
    """A POST with an `Idempotency-Key`, and what it was answered; without a status it is still running."""

    name = models.CharField(max_length=64, unique=True)  # digest of caller, path and key
    body_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    content_type = models.CharField(max_length=100, blank=True)
    content = models.BinaryField(default=bytes)

    def __str__(self) -> str:
        return f"{self.name[:8]} {self.status or 'running'}"


class ShareLink(models.Model):
    """A report that a person without an account may read for a while. The token itself is never stored."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    run_label = models.CharField(_("kind of report"), max_length=60)  # "aha.Study"
    run_pk = models.PositiveBigIntegerField(_("report"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    class Meta:
        verbose_name = _("share link")
        verbose_name_plural = _("share links")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["run_label", "run_pk"])]

    def __str__(self) -> str:
        return f"{self.run_label} {self.run_pk}"

    @property
    def is_live(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and self.expires_at > timezone.now()


class Preference(models.Model):
    """What the site remembers of an account, on whichever machine it logs in."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, blank=True)
    theme = models.CharField(_("appearance"), max_length=10, blank=True)  # empty: the system's
    tours = models.JSONField(_("tours that were dismissed"), default=list, blank=True)

    def __str__(self) -> str:
        return f"{self.user_id} {self.language}"


class Snapshot(models.Model):
    """Figures of the first page as a worker counted them last: no request asks the warehouse for them."""

    name = models.CharField(max_length=40, unique=True)
    value = models.JSONField(default=dict)
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class WriteProbe(models.Model):
    """One row that `/readyz` writes: a database that only reads must not get events."""

    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.written_at.isoformat()
