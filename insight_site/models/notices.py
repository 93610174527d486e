"""Models of notices: preferences, channels, the delivery queue, and the weekly digest."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

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
    """A week's digest for people who never log in. Record: `insight_site.notices.digest.digest_record.DigestRecord`."""

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
