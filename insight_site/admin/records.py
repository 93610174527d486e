"""What happened on the site, for people to read: the audit log, share links, sign-ins, erasures, and the queue."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from insight_site.access import audit
from insight_site.exports import takeaway
from insight_site.models import AuditEntry, Erasure, ShareLink, SignIn
from insight_site.privacy import erasure_requests
from insight_site.privacy.erasure_requests import note_words
from runs.models import Job, Schedule
from runs.queue import jobs
from runs.refusals import Refused
from runs.web import person

# Erase and export personal data in the admin: request, confirm, then a worker does it; the receipt stays.


class ErasureForm(forms.Form):
    ids = forms.CharField(label=_("User ids, one a line"), widget=UnfoldAdminTextareaWidget)
    reference = forms.CharField(
        label=_("Reference of the request"),
        max_length=100,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Stays in the receipt, so it may not hold a user id."),
    )
    confirmed = forms.BooleanField(
        label=_("I know that this can't be undone"),
        widget=UnfoldBooleanSwitchWidget,
        error_messages={"required": _("Confirm that this can't be undone.")},
    )

    def named(self) -> list[str]:
        """The ids, without duplicates."""
        return erasure_requests.checked(line.strip() for line in self.cleaned_data["ids"].split("\n") if line.strip())


class ExportForm(forms.Form):
    id = forms.CharField(label=_("User id"), max_length=erasure_requests.LONGEST, widget=UnfoldAdminTextInputWidget)


@admin.register(Erasure)
class ErasureAdmin(ModelAdmin):
    list_display = ["id", "reference", "state", "named", "asked_by", "asked_with", "asked_at", "finished_at", "error"]
    list_filter = ["state"]
    list_select_related = ["asked_by"]
    exclude = ["ids", "steps", "notes", "known_at"]
    readonly_fields = ["left_to_do"]
    search_fields = ["reference"]
    empty_text = _("Nobody was erased yet. Who asks to be erased is named here; the receipt stays.")

    @admin.display(description=_("left to do"))
    def left_to_do(self, row: Erasure) -> str:
        return " ".join(note_words(code) for code in row.notes) or "–"

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # a receipt is evidence

    def get_urls(self) -> list[Any]:
        own = path("export/", self.admin_site.admin_view(self.export_view), name="insight_site_erasure_export")
        return [own, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """A separate page, because the ids typed in must be stored nowhere but in the request."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ErasureForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                row = erasure_requests.request_erasure(
                    ids=form.named(), reference=form.cleaned_data["reference"], by=person(request)
                )
            except Refused as refusal:
                form.add_error(refusal.at or None, refusal.sentence)
            else:
                text = ngettext(
                    "%(count)d id is being erased; the receipt stands here when it is done.",
                    "%(count)d ids are being erased; the receipt stands here when it is done.",
                    row.named,
                )
                messages.success(request, text % {"count": row.named})
                return redirect("admin:insight_site_erasure_change", row.pk)
        return self._page(request, form, gettext("Erase persons"), gettext("Erase"))

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Download all data stored about one person."""
        from insight_site.privacy import export  # noqa: PLC0415 - Arrow, which web processes start without

        if not request.user.has_perm("insight_site.export_erasure"):
            raise PermissionDenied
        form = ExportForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            document = export.as_json(export.export_person(form.cleaned_data["id"]))
            response = HttpResponse(document, content_type="application/json", headers={"Cache-Control": "no-store"})
            response["Content-Disposition"] = 'attachment; filename="person.json"'
            return response
        return self._page(request, form, gettext("Export one person's data"), gettext("Export"))

    def _page(self, request: HttpRequest, form: forms.Form, title: str, button: str) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": title, "form": form, "button": button}
        return TemplateResponse(request, "insight_site/privacy_form.html", context)


# The job queue in the admin: waiting, running, finished and failed jobs, and schedules. Rows can't be added or
# edited.
#
# If tasks or schedules could be typed in, a guessed password would be enough to call any function of the worker.

COLOURS = {"waiting": "info", "running": "warning", "done": "success", "failed": "danger"}
TIMES = ("asked_at", "started_at", "ended_at")


class ReadOnly(ModelAdmin):
    """A read-only admin page."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ("id", "task", "arguments_shown", "state_shown", "attempts", *TIMES, "error")
    list_filter = ("state", "queue", "task")
    search_fields = ("task", "schedule", "error")
    exclude = ("owned_until",)
    actions = ("run_again",)

    @display(description=_("state"), label=COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def state_shown(self, job: Job) -> tuple[str, str]:
        return job.state, job.get_state_display()

    @admin.display(description=_("arguments"))
    def arguments_shown(self, job: Job) -> str:
        return ", ".join(map(str, job.arguments))

    @admin.action(description=_("Run failed ones again"), permissions=("run",))
    def run_again(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        number = jobs.run_again(queryset)
        text = ngettext("{n} task waits again.", "{n} tasks wait again.", number).format(n=number)
        self.message_user(request, text, messages.SUCCESS if number else messages.WARNING)

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Running a task needs more than the view permission."""
        return bool(request.user.has_perm("runs.change_job"))


@admin.register(Schedule)
class ScheduleAdmin(ReadOnly):
    list_display = ("name", "task", "often_shown", "next_run", "last_started_at", "last_success_at", "failures")
    list_filter = ("every",)
    search_fields = ("name", "task")

    @admin.display(description=_("how often"))
    def often_shown(self, row: Schedule) -> str:
        """The interval in words."""
        if row.every != Schedule.Every.MINUTES:
            return str(row.get_every_display())
        minutes = row.minutes or 1
        return ngettext("each minute", "every {n} minutes", minutes).format(n=minutes)


# The record of sign-ins in the admin: read, filtered, never written.


@admin.register(SignIn)
class SignInAdmin(ReadOnly):
    list_display = ("at", "event", "username", "how", "address", "user_agent", "note")
    list_filter = ("event", "at")
    search_fields = ("username", "address")
    date_hierarchy = "at"


# Records of activity in the admin: the audit log, and share links.


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
        return _download(queryset, audit.as_csv, "csv", "text/csv")

    @admin.action(description=_("Download as JSON lines"), permissions=["view"])
    def export_json(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> HttpResponseBase:
        return _download(queryset, audit.json_lines, "jsonl", "application/x-ndjson")


def _pretty(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, indent=1) if values else "–"


def _download(
    rows: QuerySet[AuditEntry], lines: Callable[[Iterable[AuditEntry]], Iterator[str]], ending: str, kind: str
) -> HttpResponseBase:
    """Stream a file of all selected entries; the download itself is logged."""
    audit.record(audit.Action.DOWNLOADED, what=("insight_site.AuditEntry", ending))
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
            takeaway.revoke_link(link=row)
        text = ngettext("{n} link was ended.", "{n} links were ended.", len(rows)).format(n=len(rows))
        messages.success(request, text)
