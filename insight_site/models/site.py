"""Models of the site itself: API keys, share links, audit log, erasures, sign-ins."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events.models import Source


class ApiKey(models.Model):
    """One API key: its digest (the secret itself is never stored), its scopes and its expiry."""

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
    """One chart of a finished run in one language: planned, rendered once, and stored with the run."""

    run_label = models.CharField(max_length=60)  # "segments.SegmentationRun"
    run_pk = models.PositiveBigIntegerField()
    language = models.CharField(max_length=10)
    slug = models.CharField(max_length=60)
    label = models.TextField()
    spec = models.JSONField()
    marks = models.PositiveIntegerField()
    content = models.BinaryField()  # SVG text, or PNG where there are many marks; empty: not rendered yet

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run_label", "run_pk", "language", "slug"], name="one_picture_of_a_kind")
        ]

    def __str__(self) -> str:
        return f"{self.run_label} {self.run_pk} {self.slug} {self.language}"


class IdempotentCall(models.Model):
    """A POST with an `Idempotency-Key`, and its answer; without a status it is still running."""

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
        on_delete=models.CASCADE,  # the link ends when its maker's account is deleted
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
        """Neither revoked nor expired, and its maker's account is active."""
        maker = self.created_by
        return self.revoked_at is None and self.expires_at > timezone.now() and (maker is None or maker.is_active)


class Preference(models.Model):
    """Preferences of an account, the same on every machine."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, blank=True)
    theme = models.CharField(_("appearance"), max_length=10, blank=True)  # empty: the system's theme
    tours = models.JSONField(_("tours that were dismissed"), default=list, blank=True)

    def __str__(self) -> str:
        return f"{self.user_id} {self.language}"


class Snapshot(models.Model):
    """Figures of the first page as last counted by a worker, so that no request queries the warehouse for them."""

    name = models.CharField(max_length=40, unique=True)
    value = models.JSONField(default=dict)
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class AuditEntry(models.Model):
    """One audit log entry: a change or a download (`insight_site.audit`). It outlives its account, key and row."""

    class Actor(models.TextChoices):
        PERSON = "person", _("person")
        KEY = "key", _("API key")
        COMMAND = "command", _("command on the server")
        STRANGER = "stranger", _("without an account")

    class Action(models.TextChoices):
        CREATED = "created", _("created")
        CHANGED = "changed", _("changed")
        DELETED = "deleted", _("deleted")
        ROTATED = "rotated", _("successor made")
        REVOKED = "revoked", _("revoked")
        READ = "read", _("read by a link")
        DOWNLOADED = "downloaded", _("downloaded")
        ASKED = "asked", _("asked for")

    at = models.DateTimeField(_("when"), db_index=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=10, choices=Actor.choices)
    actor = models.CharField(_("who acted"), max_length=200, db_index=True)
    action = models.CharField(_("action"), max_length=12, choices=Action.choices)
    object_type = models.CharField(_("kind of row"), max_length=100)  # "experiments.Experiment", or a route's name
    object_id = models.CharField(_("row"), max_length=100, blank=True)
    object_name = models.CharField(_("name"), max_length=200, blank=True)
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    address = models.CharField(_("from address"), max_length=45, blank=True)
    request_id = models.CharField(_("request id"), max_length=100, blank=True)
    route = models.CharField(_("route"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["object_type", "object_id"], name="audit_of_a_row")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.action} {self.object_type} {self.object_id}"


class Lease(models.Model):
    """Calls of one name that processes have leased in one minute (`insight_site.access.limits`)."""

    name = models.CharField(max_length=100, unique=True)
    minute = models.BigIntegerField()  # since 1970
    taken = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.name} {self.minute} {self.taken}"


class Erasure(models.Model):
    """The request to erase persons and, when it is done, its receipt: counts and digests, never an id."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    reference = models.CharField(_("reference of the request"), max_length=100, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    ids = models.JSONField(default=list, editable=False)  # cleared at the end
    named = models.PositiveIntegerField(_("ids that were named"), default=0)
    digests = models.JSONField(_("digests of all ids of these persons"), default=list)
    steps = models.JSONField(default=list, editable=False)  # steps done
    counts = models.JSONField(_("what was erased"), default=dict)
    store_before = models.PositiveBigIntegerField(_("version of the store before"), null=True)
    store_after = models.PositiveBigIntegerField(_("version of the store after"), null=True)
    notes = models.JSONField(default=list)  # codes of what remains to be done: see insight_site.privacy.receipt
    error = models.CharField(_("error"), max_length=200, blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("asked by")
    )
    asked_with = models.CharField(_("asked with the key"), max_length=8, blank=True)
    asked_at = models.DateTimeField(_("asked"), auto_now_add=True)
    known_at = models.DateTimeField(null=True)  # late events are dropped since then
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("erasure of persons")
        verbose_name_plural = _("erasures of persons")
        ordering = ["-pk"]
        permissions = [("export_erasure", "Can export the data of one person")]

    def __str__(self) -> str:
        return self.reference or str(self.pk)


class WriteProbe(models.Model):
    """One row that `/readyz` writes: a read-only database must not get events."""

    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.written_at.isoformat()


class SignIn(models.Model):
    """One sign-in event: who, when, from where, how, and the outcome.

    Failed tries are counted from these rows too (`insight_site.signin.throttle`). A typed name is stored only if an
    account has it: people type their password there by mistake.
    """

    class Event(models.TextChoices):
        SIGNED_IN = "signed_in", _("signed in")
        FAILED = "failed", _("wrong name, password or code")
        LOCKED = "locked", _("refused: too many tries")
        REFUSED = "refused", _("refused")
        SIGNED_OUT = "signed_out", _("signed out")
        ENDED = "ended", _("session ended")
        CONFIRMED = "confirmed", _("confirmed who they are")
        FACTOR_ADDED = "factor_added", _("second factor added")
        FACTOR_REMOVED = "factor_removed", _("second factor removed")
        PASSWORD = "password", _("password changed")
        LINK = "link", _("link to set a password asked for")
        ACTIVATED = "activated", _("account activated")
        DEACTIVATED = "deactivated", _("account deactivated")
        ROLES = "roles", _("roles changed")

    at = models.DateTimeField(_("when"), db_index=True)
    event = models.CharField(_("what"), max_length=20, choices=Event.choices)
    how = models.CharField(_("how"), max_length=100, blank=True)  # password+totp, oidc:company, header …
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("account")
    )
    username = models.CharField(_("name"), max_length=150, blank=True)  # kept when the account is deleted
    name_digest = models.CharField(max_length=64, blank=True, editable=False)
    address = models.GenericIPAddressField(_("address"), null=True)
    network = models.CharField(max_length=50, blank=True, editable=False)  # of IPv6 the /64: one customer has all of it
    user_agent = models.CharField(_("device"), max_length=200, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("sign-in")
        verbose_name_plural = _("sign-ins")
        ordering = ["-id"]
        indexes = [models.Index(fields=["name_digest", "at"]), models.Index(fields=["network", "at"])]

    def __str__(self) -> str:
        return f"{self.username or '–'} {self.event}"


class PublicKey(models.Model):
    """The public part of a key that has signed final analyses. It stays after a key change, to check them."""

    key_id = models.CharField(_("id of the key"), max_length=64, unique=True)  # thumbprint, RFC 7638
    x = models.CharField(_("public key"), max_length=64)  # base64url
    made_at = models.DateTimeField(_("signs since"), auto_now_add=True)
    retired_at = models.DateTimeField(_("signs until"), null=True, blank=True)

    class Meta:
        verbose_name = _("public key of signatures")
        verbose_name_plural = _("public keys of signatures")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.key_id
