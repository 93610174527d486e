"""Records of activity in the admin: the audit log, and share links."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from insight_site.admin.queue import ReadOnly
from insight_site.audit import log_lines, recording
from insight_site.models import AuditEntry, ShareLink
from insight_site.takeaways import sharing


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    """The audit log: view and export only."""

    list_display = ("at", "actor", "action", "object_type", "object_id", "object_name", "fields_shown", "address")
    list_filter = ("action", "actor_kind", "object_type")
    search_fields = ("actor", "object_id", "object_name", "request_id", "address")
    date_hierarchy = "at"
    fields = (
        *("at", "actor_kind", "actor", "action", "object_type", "object_id", "object_name"),
        *("before_shown", "after_shown", "address", "request_id", "route"),
    )
    readonly_fields = ("before_shown", "after_shown")
    actions = ("export_csv", "export_json")
    show_full_result_count = False
    empty_text = _("Nothing was changed yet.")

    @admin.display(description=_("what changed"))
    def fields_shown(self, row: AuditEntry) -> str:
        return ", ".join(sorted({*row.before, *row.after}))[:100]

    @admin.display(description=_("before"))
    def before_shown(self, row: AuditEntry) -> str:
        return _pretty(row.before)

    @admin.display(description=_("after"))
    def after_shown(self, row: AuditEntry) -> str:
        return _pretty(row.after)

    @admin.action(description=_("Download as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> HttpResponseBase:
        return _download(queryset, log_lines.as_csv, "csv", "text/csv")

    @admin.action(description=_("Download as JSON lines"), permissions=["view"])
    def export_json(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> HttpResponseBase:
        return _download(queryset, log_lines.json_lines, "jsonl", "application/x-ndjson")


def _pretty(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, indent=1) if values else "–"


def _download(
    rows: QuerySet[AuditEntry], lines: Callable[[Iterable[AuditEntry]], Iterator[str]], ending: str, kind: str
) -> HttpResponseBase:
    """Stream a file of all selected entries; the download itself is logged."""
    recording.record(recording.Action.DOWNLOADED, what=("insight_site.AuditEntry", ending))
    response = StreamingHttpResponse(lines(rows.order_by("at", "id").iterator(2_000)), content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="insight-audit.{ending}"'
    return response


@admin.register(ShareLink)
class ShareLinkAdmin(ModelAdmin):
    """Share links, which work without an account: every link, who made it, and an action to end it."""

    list_display = ("report", "created_by", "created_at", "expires_at", "live", "revoked_at", "last_used_at")
    list_filter = ("run_label", "expires_at", "revoked_at")
    list_select_related = ("created_by",)
    search_fields = ("created_by__username", "run_label")
    fields = list_display
    readonly_fields = list_display
    actions = ("end",)
    empty_text = _("Nobody has shared a report.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # created on a report's page, which shows the token once

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # ending keeps the record

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Anyone with the delete permission may end other people's links."""
        return bool(request.user.has_perm("insight_site.delete_sharelink"))

    @admin.display(description=_("report"))
    def report(self, row: ShareLink) -> str:
        return f"{row.run_label} {row.run_pk}"

    @admin.display(description=_("live"), boolean=True)
    def live(self, row: ShareLink) -> bool:
        return row.is_live

    @admin.action(description=_("End the links"), permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[ShareLink]) -> None:
        rows = list(queryset)
        for row in rows:
            sharing.revoke_link(link=row)
        text = ngettext("{n} link was ended.", "{n} links were ended.", len(rows)).format(n=len(rows))
        messages.success(request, text)
