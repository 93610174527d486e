from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from events.admin import ReadOnly, WithHistory
from runs.refusals import Refused
from segments.models import ChurnRun, Membership, Segment, SegmentationRun, SegmentModel, SegmentVersion


@admin.register(SegmentModel)
class SegmentModelAdmin(WithHistory, ModelAdmin):
    """Name and refresh of a model; publishing happens on the pages, beside the evidence."""

    list_display = ["name", "key", "kind", "refresh_days", "created_by", "created_at", "page"]
    list_select_related = ["created_by"]
    list_filter = ["kind"]
    search_fields = ["name", "key"]
    empty_text = _("Nothing was published yet. Search for groups by play pattern, or write a rule, and publish it.")
    empty_route, empty_link = "segments:list", _("Open the segments")
    readonly_fields = ["key", "kind", "created_by", "created_at"]

    @admin.display(description=_("page"))
    def page(self, row: SegmentModel) -> str:
        return _open("segments:model", row.key)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # experiments may refer to a version of it


@admin.register(SegmentVersion)
class SegmentVersionAdmin(ReadOnly):
    list_display = ["__str__", "units", "published_by", "published_at", "refreshed_at"]
    search_fields = ["model__name", "model__key"]
    empty_text = _("Nothing was published yet. Search for groups by play pattern, or write a rule, and publish it.")
    empty_route, empty_link = "segments:list", _("Open the segments")
    list_filter = ["model"]
    exclude = ["fitted", "baseline"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SegmentVersion]:
        return super().get_queryset(request).light("model", "published_by")  # type: ignore[no-any-return]

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # experiments may use it


@admin.register(Segment)
class SegmentAdmin(WithHistory, ModelAdmin):
    """Segments; only the name can be changed."""

    list_display = ["__str__", "key", "version", "size", "rounded_stability", "targetable", "page"]
    list_filter = ["version__model", "targetable"]
    search_fields = ["name", "key", "version__model__name"]
    empty_text = _("Nothing was published yet. Search for groups by play pattern, or write a rule, and publish it.")
    empty_route, empty_link = "segments:list", _("Open the segments")
    fields = ["name", "key", "version", "group_number", "size", "stability", "targetable"]
    readonly_fields = ["key", "version", "group_number", "size", "stability", "targetable"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        return super().get_queryset(request).light("version__model")  # type: ignore[no-any-return]

    @admin.display(description=_("page"))
    def page(self, row: Segment) -> str:
        return _open("segments:model", row.version.model.key)

    @admin.display(description=_("group number"))
    def group_number(self, row: Segment) -> int:
        return row.number  # the field's own name, "number", is translated as the type of a value in Korean

    @admin.display(description=_("stability"), ordering="stability")
    def rounded_stability(self, row: Segment) -> str | None:
        return None if row.stability is None else f"{row.stability:.2f}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        from segments.published import publish

        try:
            publish.rename(segment=obj, name=obj.name)
        except Refused as refusal:
            request.refused = refusal.sentence  # type: ignore[attr-defined]

    def response_change(self, request: HttpRequest, obj: Segment) -> HttpResponse:
        refused: str | None = getattr(request, "refused", None)
        if refused is None:
            return super().response_change(request, obj)  # type: ignore[no-any-return]
        messages.error(request, refused)  # and not "was changed successfully" beside it
        return self.response_post_save_change(request, obj)  # type: ignore[no-any-return]


class RunAdmin(ReadOnly):
    route: str
    list_display = ["__str__", "status", "created_by", "created_at", "finished_at", "reason", "page"]
    list_filter = ["status"]
    joined: tuple[str, ...] = ("created_by",)
    exclude = ["payload", "model"]  # megabytes; the page shows them

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).light(*self.joined)  # type: ignore[no-any-return]

    @admin.display(description=_("page"))
    def page(self, row: Any) -> str:
        return _open(self.route, row.pk)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(SegmentationRun)
class SegmentationRunAdmin(RunAdmin):
    route = "segments:run"
    search_fields = ["title"]
    empty_text = _("Nobody has searched for groups yet.")
    empty_route, empty_link = "segments:new_run", _("Search for groups")


@admin.register(ChurnRun)
class ChurnRunAdmin(RunAdmin):
    route = "segments:churn"
    search_fields = ["segment__name", "segment__key"]
    empty_text = _("No churn model was asked for yet: it is started on the page of a segment.")
    empty_route, empty_link = "segments:list", _("Open the segments")
    joined = ("created_by", "segment")


@admin.register(Membership)
class MembershipAdmin(ReadOnly):
    """The segments of one user, found by exact id; lists of members are exported as files."""

    list_display = ["unit", "place", "segment", "version", "risk"]
    search_fields = ["=unit"]
    search_help_text = _("The exact id of a user")
    empty_text = _("Nobody belongs anywhere yet: membership comes with the first published segment.")
    empty_route, empty_link = "segments:list", _("Open the segments")
    show_full_result_count = False
    ordering = ["-pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).light("segment", "version__model")  # type: ignore[no-any-return]

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


def _open(route: str, key: Any) -> str:
    return format_html('<a class="in-link" href="{}">{}</a>', reverse(route, args=[key]), _("open"))
