"""Erase and export personal data in the admin: request, confirm, then a worker does it; the receipt stays."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from insight_site.models import Erasure
from insight_site.privacy import erasure_requests
from insight_site.privacy.receipt import note_words
from runs.refusals import Refused
from runs.web import person


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
