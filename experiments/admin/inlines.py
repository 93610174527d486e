"""Inlines on an experiment's page, and how their rows are passed to services."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from experiments.admin import forms as shapes
from experiments.models import AudienceRow, Experiment, Override, Variant
from experiments.serve import overrides

ROWS = {Variant: "variants", AudienceRow: "audience"}


class PlanInline(TabularInline):
    """Rows that belong to the plan and are frozen with it."""

    extra = 0
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return self._is_open(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return self._is_open(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return self._is_open(obj) and super().has_delete_permission(request, obj)

    def _is_open(self, obj: Experiment | None) -> bool:
        return obj is None or obj.status == Experiment.Status.DRAFT


class VariantInline(PlanInline):
    model, form = Variant, shapes.ArmForm
    fields = ["key", "name", "value", "weight", "role", "dose"]
    verbose_name_plural = _("variants, the control first")


class AudienceInline(PlanInline):
    model, form = AudienceRow, shapes.AudienceForm
    fields = ["segment_key", "coverage", "weights"]
    verbose_name_plural = _("audience: the first row that matches decides; no rows take everyone")


class OverrideInline(TabularInline):
    model, form = Override, shapes.OverrideForm
    fields = ["unit", "rule", "variant"]
    extra = 0
    show_title = False
    verbose_name_plural = _("Tester overrides (not counted in results)")

    def has_add_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return obj is not None and super().has_add_permission(request, obj)  # the arms must exist first

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        match = request.resolver_match
        if db_field.name == "variant" and match is not None:
            kwargs["queryset"] = Variant.objects.filter(experiment=match.kwargs.get("object_id"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def kept(formset: Any) -> list[dict[str, Any]]:
    """The form's rows in order, without deleted or empty ones."""
    rows = []
    for form in formset.forms:
        given = getattr(form, "cleaned_data", None)
        if given and not given.get("DELETE") and (form.instance.pk or form.has_changed()):
            rows.append({name: given[name] for name in form.Meta.fields})
            if isinstance(form.instance, AudienceRow) and form.instance.segment_key == given["segment_key"]:
                rows[-1]["rule"] = form.instance.rule
    return rows


def save_overrides(key: str, formset: Any) -> None:
    """Replace changed overrides, so that the service logs removal and addition."""
    for form in formset.forms:
        given = getattr(form, "cleaned_data", None)
        if not given or not form.has_changed():
            continue
        if form.instance.pk:
            overrides.remove_override(override=Override.objects.get(pk=form.instance.pk))
        if not given.get("DELETE"):
            overrides.set_override(
                key=key, variant=given["variant"].key, unit=given["unit"] or None, rule=given["rule"]
            )
