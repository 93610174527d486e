from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from aha.models import AhaMoment, Finding, Study
from events.admin import ReadOnly, WithHistory
from events.metrics import display_name


@admin.register(Study)
class StudyAdmin(ReadOnly):
    """Inputs and dates of a study; its report has a page of its own."""

    list_display = ["__str__", "status", "as_of", "created_by", "created_at", "page"]
    list_filter = ["status", "created_at"]
    list_select_related = ["created_by"]
    search_fields = ["title"]
    empty_text = _("No study was started yet. A study ranks what users did early by how well it predicts who stays.")
    empty_route, empty_link = "aha:new_study", _("Start a study")
    exclude = ["payload"]  # half a megabyte of JSON; its page shows it
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Study]:
        return super().get_queryset(request).light()  # type: ignore[no-any-return]

    @admin.display(description=_("report"))
    def page(self, row: Study) -> str:
        return format_html('<a href="{}">{}</a>', reverse("aha:study", args=[row.pk]), _("open"))


@admin.register(AhaMoment)
class AhaMomentAdmin(WithHistory, ModelAdmin):
    """The name and the note can be changed; the claim, its evidence and its verdict can't."""

    list_display = ["__str__", "behaviour_shown", "times", "days", "status", "study", "created_at", "page"]
    list_filter = ["status"]
    search_fields = ["name", "key", "behaviour"]
    empty_text = _("No claim yet. A study finds candidates; promote one, and test it.")
    empty_route, empty_link = "aha:studies", _("Open the studies")
    fields = [
        "name",
        "note",
        "key",
        "behaviour_shown",
        "times",
        "days",
        "signup_event",
        "retention_shown",
        "status",
        "study",
        "evidence_hash",
        "created_by",
        "created_at",
    ]
    readonly_fields = [name for name in fields if name not in ("name", "note")]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AhaMoment]:
        return super().get_queryset(request).light("study")  # type: ignore[no-any-return]

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # made from a candidate, or on the page by hand

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # experiments may test it

    @admin.display(description=_("behaviour"), ordering="behaviour")
    def behaviour_shown(self, row: AhaMoment) -> str:
        return display_name(row.behaviour)

    @admin.display(description=_("retention"))
    def retention_shown(self, row: AhaMoment) -> str:
        return display_name(row.retention)

    @admin.display(description=_("page"))
    def page(self, row: AhaMoment) -> str:
        return format_html('<a href="{}">{}</a>', reverse("aha:moment", args=[row.key]), _("open"))


@admin.register(Finding)
class FindingAdmin(ReadOnly):
    """Results of finished experiments, the input of meta-analyses; only final analyses and imports add rows."""

    list_display = ["__str__", "origin", "behaviour_shown", "times", "days", "outcome", "verdict", "started", "ended"]
    list_filter = ["origin", "verdict"]
    search_fields = ["name", "source", "behaviour"]
    empty_text = _("No experiment has ended yet. Final analyses keep findings; import_experiment brings in others.")

    @admin.display(description=_("behaviour"), ordering="behaviour")
    def behaviour_shown(self, row: Finding) -> str:
        return display_name(row.behaviour)
