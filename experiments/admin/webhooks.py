from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from experiments.models import WebhookDelivery, WebhookEndpoint
from experiments.webhooks import deliver
from experiments.webhooks.messages import check_url
from runs.refusals import Refused


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ModelAdmin):
    """Register endpoints and rotate secrets. The secret is shown once, in the response: messages use cookies."""

    list_display = ["name", "url", "enabled", "disabled_reason", "created_at"]
    search_fields = ["name", "url"]
    empty_text = _("No webhook yet. Register an address, and it hears when experiments start, stop or have a verdict.")
    fields = ["name", "url", "enabled", "disabled_reason", "previous_until", "certificate_until", "created_at"]
    readonly_fields = ["disabled_reason", "previous_until", "certificate_until", "created_at"]
    actions = ["rotate"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "url" and field is not None:
            field.assume_scheme = "https"
            field.validators.append(_allowed)
        return field

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        if change:
            deliver.update_endpoint(endpoint=obj, name=obj.name, url=obj.url, enabled=obj.enabled)
            return
        row = deliver.create_endpoint(name=obj.name, url=obj.url)
        obj.pk, obj.secret, obj.created_at = row.pk, row.secret, row.created_at

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show(request, [obj])

    @admin.action(description=_("Give a new secret"), permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> HttpResponse:
        return self._show(request, [deliver.rotate_secret(endpoint=row) for row in queryset])

    def _show(self, request: HttpRequest, rows: list[WebhookEndpoint]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": _("Secret of the webhook"), "rows": rows}
        response = TemplateResponse(request, "experiments/webhook_secret.html", context)
        response["Cache-Control"] = "no-store"
        return response


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ModelAdmin):
    """Sent and queued deliveries, read-only; those given up can be sent again."""

    list_display = ["created_at", "endpoint", "type", "tries", "status", "trouble", "next_try_at", "delivered_at"]
    list_filter = ["type", "endpoint", "delivered_at"]
    list_select_related = ["endpoint"]
    search_fields = ["message_id"]
    empty_text = _("Nothing was sent yet. Each message to a webhook stands here until it has arrived.")
    show_full_result_count = False
    actions = ["send_again"]

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        return [field.name for field in WebhookDelivery._meta.fields]

    @admin.action(description=_("Send again"), permissions=["change"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        done = 0
        for row in queryset:
            try:
                deliver.send_again(delivery=row)
                done += 1
            except Refused as refusal:
                messages.warning(request, f"{row}: {refusal}")
        text = ngettext("%(count)d delivery is sent again.", "%(count)d deliveries are sent again.", done)
        messages.success(request, text % {"count": done})


def _allowed(url: str) -> None:
    try:
        check_url(url)
    except Refused as refusal:
        raise forms.ValidationError(refusal.sentence) from None
