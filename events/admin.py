from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin

from events.models import Flush, IdLink, Metric, Rejected, Source, UnitTraits
from events.schema import ERRORS

NAMES_CHARS = 200


class ReadOnly(ModelAdmin):
    """Rows written by the program: shown, never edited by hand."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class WithHistory(SimpleHistoryAdmin):
    """Older versions of a row, read-only.

    simple_history would let anyone who may view the row restore a version, bypassing every rule of the service that
    changes it.
    """

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one version.

        Raises:
            PermissionDenied: a POST tries to restore it.
        """
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        # An old version has no history of its own: Unfold's button would have no address, and its script stops at that.
        shown = {**(extra_context or {}), "show_history": False}
        return super().history_form_view(request, object_id, version_id, shown)  # type: ignore[no-any-return]


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    list_display = ["name", "retention_days", "trusts_logins", "created_at"]
    search_fields = ["name"]
    empty_text = _("Events need a source: one for each app, site or backend. Its keys are issued afterwards.")


@admin.register(Metric)
class MetricAdmin(WithHistory, ReadOnly):
    """The metric catalogue as a list; metrics are changed on their own pages, where definitions have versions."""

    list_display = ["key", "__str__", "status", "version", "owner", "updated_at", "page"]
    list_filter = ["status"]
    search_fields = ["key", "name_en", "name_ko", "tags"]
    empty_text = _("No metric yet. Teams agree on a number once, and every plan picks it from the catalogue.")
    empty_route, empty_link = "events:metrics", _("Open the catalogue")

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # it is deprecated instead; plans have its versions

    @admin.display(description=_("page"))
    def page(self, row: Metric) -> str:
        return format_html('<a href="{}">{}</a>', reverse("events:metric", args=[row.key]), _("open"))


@admin.display(description=_("explanation"))
def explanation(row: Rejected) -> str:
    """The error code in the reader's language; for a code of an earlier version the message that the sender got."""
    return str(ERRORS.get(row.code, row.message))


@admin.register(Rejected)
class RejectedAdmin(ReadOnly):
    """The quarantine: refused events, with the reason and the beginning of each."""

    list_display = ["received_at", "source", "code", explanation, "message_id", "beginning"]
    list_filter = ["code", "source", "received_at"]
    fields = ["source", "received_at", "code", explanation, "message_id", "payload"]
    readonly_fields = [explanation]
    search_fields = ["message_id", "payload"]
    list_select_related = ["source"]
    date_hierarchy = "received_at"
    empty_text = _("No event was refused. What can't be stored stands here with its reason.")
    show_full_result_count = False

    @admin.display(description=_("what was sent"))
    def beginning(self, row: Rejected) -> str:
        return row.payload if len(row.payload) <= 80 else row.payload[:80] + " …"


@admin.register(UnitTraits)
class UnitTraitsAdmin(ReadOnly):
    list_display = ["user_id", "names", "updated_at"]
    search_fields = ["user_id"]
    empty_text = _("No traits yet: services send them with identify events.")
    show_full_result_count = False

    @admin.display(description=_("traits"))
    def names(self, row: UnitTraits) -> str:
        """Names only, no values: a page shows a hundred users."""
        return Truncator(", ".join(sorted(row.traits))).chars(NAMES_CHARS)


@admin.register(IdLink)
class IdLinkAdmin(ReadOnly):
    """Ids that count as one person, and links from senders that don't hold."""

    list_display = ["visitor", "user", "state", "at", "by_server"]
    fields = ["visitor", "user", "state", "at", "received_at", "is_alias", "by_server"]
    list_filter = ["state", "by_server"]
    search_fields = ["=visitor", "=user"]
    empty_text = _("Nobody was joined yet: an event with both ids, or an alias, says that a visitor is a user.")
    show_full_result_count = False


@admin.display(description=_("batch number"), ordering="version")
def batch_number(row: Flush) -> int:
    """The batch number. A plain "number" is already translated into Korean as the type of a value."""
    return row.version


@admin.register(Flush)
class FlushAdmin(ReadOnly):
    list_display = [batch_number, "rows", "created_at", "committed_at"]
    fields = [batch_number, "writer", "rows", "created_at", "committed_at"]
    readonly_fields = [batch_number]
    search_fields = ["=version"]
    empty_text = _("Nothing was written yet. Accepted events arrive in the store within seconds, in numbered batches.")

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # the numbering goes on from the last one
