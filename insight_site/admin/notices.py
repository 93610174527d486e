"""Notices in the admin: team channels, recipients of the digest, and the delivery queue."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from insight_site.admin.records import ReadOnly
from insight_site.models import DigestRecipient, Notice, NoticeChannel
from insight_site.notify import delivering, preferences
from insight_site.notify.forms import ChannelForm
from runs.refusals import Refused


@admin.register(NoticeChannel)
class NoticeChannelAdmin(ModelAdmin):
    """Team channels. Channels that accounts added for themselves are private to them."""

    form = ChannelForm
    list_display = ["name", "service", "language", "enabled", "created_at"]
    list_filter = ["enabled", "language"]
    search_fields = ["name", "service"]
    fields = ["name", "url", "service", "language", "kinds", "enabled"]
    readonly_fields = ["service"]
    empty_text = _("No channel yet. Add a team's Slack, Teams or Discord, and choose what it hears.")
    actions = ["send_test"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[NoticeChannel]:
        rows: QuerySet[NoticeChannel] = super().get_queryset(request)
        return rows.filter(owner=None)

    def get_form(
        self, request: HttpRequest, obj: NoticeChannel | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.base_fields["url"].widget = UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "off", "spellcheck": "false"}
        )
        form.base_fields["kinds"].widget = UnfoldAdminCheckboxSelectMultipleWidget(
            choices=form.base_fields["kinds"].choices
        )
        return form

    def save_model(self, request: HttpRequest, obj: NoticeChannel, form: Any, change: bool) -> None:
        url, kinds = form.cleaned_data["url"], form.cleaned_data["kinds"]
        if change:
            obj.kinds = kinds
            obj.save(update_fields=["name", "language", "enabled", "kinds"])
            if url:
                preferences.change_address(channel=obj, url=url)
            return
        row = preferences.add_channel(url=url, name=obj.name, language=obj.language, kinds=kinds)
        obj.pk, obj.service, obj.created_at = row.pk, row.service, row.created_at
        if not obj.enabled:
            obj.secret_address, obj.kinds = row.secret_address, row.kinds
            obj.save(update_fields=["enabled"])

    @admin.action(description=_("Send a test"), permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[NoticeChannel]) -> None:
        for row in queryset:
            preferences.ask_for_test(row)
        messages.success(request, _("A message is on its way there."))


@admin.register(DigestRecipient)
class DigestRecipientAdmin(ModelAdmin):
    """Who gets the weekly digest by e-mail, with or without an account."""

    list_display = ["email", "language", "enabled", "added_at", "stopped_at"]
    list_filter = ["enabled", "language"]
    search_fields = ["email"]
    readonly_fields = ["added_at", "stopped_at"]
    empty_text = _("Nobody gets the weekly digest yet. Add the address of somebody who never logs in.")


@admin.register(Notice)
class NoticeAdmin(ReadOnly):
    """What was sent and what waits: to be read, and sent again once it was given up."""

    list_display = ["happened_at", "kind", "user", "channel", "state", "tries", "trouble", "next_try_at", "ended_at"]
    list_filter = ["state", "kind", "happened_at"]
    list_select_related = ["user", "channel"]
    empty_text = _("Nothing was sent yet. Each notice stands here until it has arrived, and for 90 days after.")
    show_full_result_count = False
    actions = ["send_again"]

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Sending needs more than the view permission."""
        return bool(request.user.has_perm("insight_site.change_notice"))

    @admin.action(description=_("Send again"), permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notice]) -> None:
        done = 0
        for row in queryset:
            try:
                delivering.send_again(notice=row)
                done += 1
            except Refused as refusal:
                messages.warning(request, f"{row}: {refusal}")
        text = ngettext("%(count)d notice is sent again.", "%(count)d notices are sent again.", done)
        messages.success(request, text % {"count": done})
