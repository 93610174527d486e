"""Admin of the review rule, own checks and plan templates. Services write; templates can't be deleted."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from experiments.admin.layers import Saying
from experiments.models import PlanTemplate, ReviewItem, ReviewPolicy
from experiments.plan.review.review_rule import choose_mode
from experiments.plan.templates import archive_template, change_template
from runs.web import person


@admin.register(ReviewPolicy)
class ReviewPolicyAdmin(Saying, ModelAdmin):
    """One row. The site's page of reviews has the same choice."""

    list_display = ["mode"]
    fields = ["mode"]
    empty_text = _("Nobody has chosen yet: reviews are automatic. Choose on the page of reviews.")

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ReviewPolicy, form: Any, change: bool) -> None:
        choose_mode(obj.mode)


@admin.register(ReviewItem)
class ReviewItemAdmin(ModelAdmin):
    """A team's own checks: deactivated, never deleted, since ticks refer to them."""

    list_display = ["text", "text_ko", "required", "active", "position"]
    list_filter = ["active", "required"]
    fields = ["text", "text_ko", "required", "active", "position"]
    empty_text = _("No own check yet. Each stands below those that every plan fills by itself.")

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(PlanTemplate)
class PlanTemplateAdmin(Saying, ModelAdmin):
    """Names and archive of templates. New templates are made from a plan, on the plan's page."""

    list_display = ["name", "name_ko", "key", "version", "archived_at"]
    search_fields = ["key", "name", "name_ko", "description"]
    fields = ["key", "name", "name_ko", "description", "version", "archived_at", "created_by", "created_at"]
    readonly_fields = ["key", "version", "archived_at", "created_by", "created_at"]
    actions = ["archive", "bring_back", "plan_with_it"]
    empty_text = _("No template yet. Save a good plan as one, on its page.")

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: PlanTemplate, form: Any, change: bool) -> None:
        names = ("name", "name_ko", "description")
        stored = get_object_or_404(PlanTemplate, pk=obj.pk)
        change_template(template=stored, by=person(request), **{name: getattr(obj, name) for name in names})

    @admin.action(description=_("Archive"), permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[PlanTemplate]) -> None:
        for row in queryset:
            archive_template(template=row, archived=True, by=person(request))

    @admin.action(description=_("Bring it back"), permissions=["change"])
    def bring_back(self, request: HttpRequest, queryset: QuerySet[PlanTemplate]) -> None:
        for row in queryset:
            archive_template(template=row, archived=False, by=person(request))

    @admin.action(description=_("Plan with it"), permissions=["view"])
    def plan_with_it(self, request: HttpRequest, queryset: QuerySet[PlanTemplate]) -> HttpResponse:
        row = queryset.first()
        if row is None or queryset.count() != 1:
            messages.error(request, _("Choose one template."))
            return HttpResponseRedirect(request.get_full_path())
        return HttpResponseRedirect(f"{reverse('experiments:new_plan')}?template={row.key}")
