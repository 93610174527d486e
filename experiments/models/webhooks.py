"""Webhook endpoints and queued deliveries."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

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
