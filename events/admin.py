from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from events.models import Flush, Rejected, Source, UnitTraits
from events.schema import ERRORS


class ReadOnly(ModelAdmin):
    """What the doors have written: to be read, never edited by hand."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    empty_text = _("Events need a source: one for each app, site or backend. Its keys are issued afterwards.")


@admin.display(description=_("explanation"))
def explanation(row: Rejected) -> str:
    """The code in the reader's language; what the sender was told, for a code of an earlier version."""
    return str(ERRORS.get(row.code, row.message))


@admin.register(Rejected)
class RejectedAdmin(ReadOnly):
    """The quarantine: what was refused, why, and how it began."""

    list_display = ["received_at", "source", "code", explanation, "message_id", "beginning"]
    list_filter = ["code", "source", "received_at"]
    fields = ["source", "received_at", "code", explanation, "message_id", "payload"]
    readonly_fields = [explanation]
    search_fields = ["message_id", "payload"]
    list_select_related = ["source"]
    date_hierarchy = "received_at"
    empty_text = _("No event was refused. What can't be kept stands here with its reason.")
    show_full_result_count = False

    @admin.display(description=_("what was sent"))
    def beginning(self, row: Rejected) -> str:
        return row.payload if len(row.payload) <= 80 else row.payload[:80] + " …"


@admin.register(UnitTraits)
class UnitTraitsAdmin(ReadOnly):
    list_display = ["user_id", "traits", "updated_at"]
    search_fields = ["user_id"]
    empty_text = _("No traits yet: services send them with identify events.")
    show_full_result_count = False


@admin.display(description=_("batch number"), ordering="version")
def batch_number(row: Flush) -> int:
    """The field's own name, "number", is the type of a value in Korean."""
    return row.version


@admin.register(Flush)
class FlushAdmin(ReadOnly):
    list_display = [batch_number, "rows", "created_at", "committed_at"]
    fields = [batch_number, "writer", "rows", "created_at", "committed_at"]
    readonly_fields = [batch_number]
    search_fields = ["=version"]
    empty_text = _("Nothing was written yet. Accepted events reach the store within seconds, in numbered batches.")

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # the numbering goes on from the last one
