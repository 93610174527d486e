"""Database models of the site: keys, sign-ins, pictures, share links, self-tests, promotions, audiences, notices."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events.models import Source
from runs.models import Run

# Models of audiences: an exported list of users, and its members as the other system knows them.

MOST_HOURS = 24 * 7


class Audience(models.Model):
    """Users in a segment, or with a given state at a moment, and the destination of their list.

    Change numbers only grow, so a system that fetches or receives changes knows its position.
    """

    class Who(models.TextChoices):
        SEGMENT = "segment", _("users of a segment")
        REACHED = "reached", _("users who reached a moment")
        NOT_YET = "not_yet", _("users who haven't reached it and have time left")
        MISSED = "missed", _("users whose time is over and who didn't reach it")

    class Way(models.TextChoices):
        FETCHED = "fetched", _("programs fetch it (REST)")
        WEBHOOK = "webhook", _("signed webhook: who came and who went")
        FILE = "file", _("CSV files in an object store")

    key = models.SlugField(_("key"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=100)
    who = models.CharField(_("who"), max_length=10, choices=Who.choices)
    segment_model = models.ForeignKey(
        "segments.SegmentModel", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    segment_key = models.SlugField(max_length=80, blank=True)  # of any version: a new version is used automatically
    moment = models.ForeignKey("aha.AhaMoment", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    way = models.CharField(_("how it goes out"), max_length=10, choices=Way.choices)
    url = models.CharField(_("address"), max_length=500, blank=True)
    secret = models.CharField(max_length=100, blank=True, editable=False)  # needed for signing; pages don't show it
    previous_secret = models.CharField(max_length=100, blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    hours = models.PositiveSmallIntegerField(_("every … hours"), default=24)
    enabled = models.BooleanField(_("enabled"), default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # State, written by workers.
    counted_at = models.DateTimeField(null=True, editable=False)
    members = models.PositiveBigIntegerField(default=0, editable=False)
    last_change = models.PositiveBigIntegerField(default=0, editable=False)
    refusal = models.JSONField(null=True, editable=False)  # why the last count failed; the list is unchanged
    sent_change = models.PositiveBigIntegerField(default=0, editable=False)
    sent_at = models.DateTimeField(null=True, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)  # failed tries since the last success
    next_try_at = models.DateTimeField(null=True, editable=False)
    trouble = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        verbose_name = _("audience")
        verbose_name_plural = _("audiences")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets to sign with now: two while the old one is being rotated out."""
        rotating = self.previous_until is not None and self.previous_until > timezone.now()
        return (self.secret, self.previous_secret) if rotating else (self.secret,)

    @property
    def next_count_at(self) -> datetime:
        """When the next count is due."""
        return timezone.now() if self.counted_at is None else self.counted_at + timedelta(hours=self.hours)

    @property
    def waiting(self) -> int:
        """Number of changes not yet sent; 0 where the other system fetches them."""
        return 0 if self.way == self.Way.FETCHED else self.last_change - self.sent_change


class AudienceMember(models.Model):
    """One member of an audience; one who left is kept for some time, so that the removal reaches every system."""

    audience = models.ForeignKey(Audience, on_delete=models.CASCADE, related_name="+")
    unit = models.CharField(max_length=256)
    is_in = models.BooleanField()
    change = models.PositiveBigIntegerField()  # number of the change that added or removed them
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["audience", "unit"], name="one_row_for_a_unit_of_an_audience")]
        indexes = [models.Index(fields=["audience", "change"])]

    def __str__(self) -> str:
        return f"{self.unit} {'in' if self.is_in else 'out'}"


# Models of notices: preferences, channels, the delivery queue, and the weekly digest.

MAIL = "mail"  # a notice by e-mail to the account's address


class Timing(models.TextChoices):
    """When a person is notified of a kind."""

    AT_ONCE = "at_once", _("at once")
    DAILY = "daily", _("once a day")
    NEVER = "never", _("never")


class NoticeChoice(models.Model):
    """One account's preferences. Without a row, and for kinds that aren't in `timings`, the kind's default holds."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    timings = models.JSONField(_("when, by kind"), default=dict, blank=True)
    everything = models.BooleanField(_("also of what isn't mine"), default=False)

    def __str__(self) -> str:
        return f"{self.user_id}"


class NoticeChannel(models.Model):
    """A channel besides e-mail: a team's, or one account's own. Its address is a secret, stored and never shown."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("account"),
    )
    name = models.CharField(_("name"), max_length=100)
    service = models.CharField(_("service"), max_length=100, editable=False)  # part of the address that may be shown
    secret_address = models.CharField(max_length=1_000, editable=False)
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, default="en")
    kinds = models.JSONField(_("what it hears"), default=list, blank=True)  # a team's; others follow their owner
    enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("channel of notices")
        verbose_name_plural = _("channels of notices")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.service})"


class ToldState(models.Model):
    """The last notified state of one subject, so that it isn't notified again until the state changes."""

    kind = models.CharField(max_length=30)
    subject = models.CharField(max_length=120)  # "experiments.Experiment:5"
    state = models.CharField(max_length=60)
    since = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "subject"], name="told_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: {self.state}"


class Notice(models.Model):
    """One notice to one destination. It holds a row's number and a code, no sentence, no result but an open verdict."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        GIVEN_UP = "given_up", _("given up")
        DROPPED = "dropped", _("not needed any more")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+", verbose_name=_("account")
    )
    channel = models.ForeignKey(
        NoticeChannel, on_delete=models.CASCADE, null=True, related_name="+", verbose_name=_("channel")
    )
    kind = models.CharField(_("kind"), max_length=30)
    label = models.CharField(_("kind of row"), max_length=60)
    row = models.CharField(_("row"), max_length=40)
    code = models.CharField(_("code"), max_length=40, blank=True)  # one of the kind's codes
    happened_at = models.DateTimeField(_("when"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    daily = models.BooleanField(_("once a day"), default=False)
    next_try_at = models.DateTimeField(_("next try"), null=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    ended_at = models.DateTimeField(_("sent or given up"), null=True)
    trouble = models.CharField(_("last trouble"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["next_try_at"], name="notice_due", condition=models.Q(next_try_at__isnull=False)),
            models.Index(fields=["ended_at"], name="notice_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.label} {self.row}"

    @property
    def way(self) -> str:
        """The delivery method: e-mail, or the channel's service."""
        return MAIL if self.channel_id is None else f"channel {self.channel_id}"


class Digest(models.Model):
    """A week's digest for people who never log in. Record: `insight_site.notify.digest_letters.DigestRecord`."""

    week = models.DateField(_("first day"), unique=True)
    record = models.JSONField(default=dict, editable=False)
    made_at = models.DateTimeField(_("made"))
    sent_at = models.DateTimeField(_("sent"), null=True)

    class Meta:
        verbose_name = _("weekly digest")
        verbose_name_plural = _("weekly digests")
        ordering = ["-week"]

    def __str__(self) -> str:
        return self.week.isoformat()


class DigestRecipient(models.Model):
    """A recipient of the weekly digest. They need no account."""

    email = models.EmailField(_("e-mail address"), unique=True)
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, default="en")
    enabled = models.BooleanField(_("enabled"), default=True)
    added_at = models.DateTimeField(_("added"), auto_now_add=True)
    stopped_at = models.DateTimeField(_("unsubscribed"), null=True, editable=False)

    class Meta:
        verbose_name = _("recipient of the weekly digest")
        verbose_name_plural = _("recipients of the weekly digest")
        ordering = ["email"]

    def __str__(self) -> str:
        return str(self.email)


class DigestMail(models.Model):
    """The delivery of one week's digest to one recipient."""

    digest = models.ForeignKey(Digest, on_delete=models.CASCADE, related_name="mails")
    recipient = models.ForeignKey(DigestRecipient, on_delete=models.CASCADE, related_name="mails")
    next_try_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["digest", "recipient"], name="digest_once")]

    def __str__(self) -> str:
        return f"{self.digest_id} {self.recipient_id}"


# Models of the site itself: API keys, share links, audit log, erasures, sign-ins.

# Origin of imported plans: one row each time that a definition was imported.


class Promotion(models.Model):
    """A definition imported from another environment, with its history there."""

    experiment = models.ForeignKey(
        "experiments.Experiment", on_delete=models.CASCADE, related_name="+", verbose_name=_("experiment")
    )
    environment = models.CharField(_("environment"), max_length=20)
    version = models.PositiveIntegerField(_("version there"))
    digest = models.CharField(max_length=64, editable=False)
    history = models.JSONField(default=list, editable=False)
    tried = models.JSONField(default=dict, editable=False)
    brought_at = models.DateTimeField(_("brought"), auto_now_add=True)
    brought_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("brought by")
    )

    class Meta:
        verbose_name = _("promotion")
        verbose_name_plural = _("promotions")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.environment} v{self.version}"


# Model of a self-test.


class SelfTest(Run):
    """Effects of known size planted into a copy of the log, and what Insight found."""

    class Meta(Run.Meta):
        verbose_name = _("self-test")
        verbose_name_plural = _("self-tests")

    def __str__(self) -> str:
        return str(_("Self-test {number}")).format(number=self.pk)


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


class Board(models.Model):
    """A page of cards: of one person alone, or of the team, which everybody may open."""

    name = models.CharField(_("name"), max_length=120)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
    )
    team = models.BooleanField(_("for the team"), default=False, db_default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("board")
        verbose_name_plural = _("boards")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class BoardCard(models.Model):
    """A card of a board: saved view, moment, experiment, map of causes or growth forecast; it keeps no numbers."""

    USUAL = "*"  # of the map: the outcome that most experiments share

    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="cards")
    position = models.PositiveSmallIntegerField(_("position"))
    view = models.ForeignKey("aha.SavedView", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    moment = models.ForeignKey("aha.AhaMoment", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    experiment = models.ForeignKey(
        "experiments.Experiment", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    causes_of = models.TextField(_("outcome of the map of causes"), blank=True, default="", db_default="")
    growth = models.BooleanField(_("shows the growth forecast"), default=False, db_default=False)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return f"{self.board_id} {self.position}"


class Preference(models.Model):
    """Preferences of an account, the same on every machine."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, blank=True)
    theme = models.CharField(_("appearance"), max_length=10, blank=True)  # empty: the system's theme
    time_zone = models.CharField(_("time zone of times"), max_length=64, blank=True, default="", db_default="")
    tours = models.JSONField(_("tours that were dismissed"), default=list, blank=True)
    board = models.ForeignKey(Board, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")  # on home

    def __str__(self) -> str:
        return f"{self.user_id} {self.language}"


class Snapshot(models.Model):
    """Figures of the first page as last counted by a worker, so that no request queries the warehouse for them."""

    RETENTION = "retention"  # the tiles of the first page

    name = models.CharField(max_length=40, unique=True)
    value = models.JSONField(default=dict)
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class AuditEntry(models.Model):
    """One audit log entry: a change or a download (`access.audit`). It outlives its account, key and row."""

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
    notes = models.JSONField(
        default=list
    )  # codes of what remains to be done: see insight_site.privacy.erasure_requests
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
