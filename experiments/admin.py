"""Experiments for PMs: drafts are edited, started ones amended, and every change goes through a service."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action as unfold_action

from events.reasons import NotComputable, Refused, words
from experiments import admin_webhooks
from experiments import forms as shapes
from experiments.lifecycle import Action
from experiments.models import Amendment, AudienceRow, Experiment, Holdout, Layer, Override, Variant
from experiments.services import exclusion, lifecycle, plan, planning

__all__ = ["admin_webhooks"]
View = Callable[[Any, HttpRequest, str], HttpResponse]
ROWS = {Variant: "variants", AudienceRow: "audience"}


class Saying:
    """Of an admin whose rows are written by services: what they refuse is said, and nothing is written."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)  # type: ignore[misc]
        except Refused as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(request.get_full_path())


def detail(title: Any, permission: str) -> Callable[[View], View]:
    """A page of one row, linked at its top. It only ever does something on POST."""
    return cast("Callable[[View], View]", unfold_action(description=title, permissions=[permission]))


class PlanInline(TabularInline):
    """Rows that belong to the plan: frozen with it."""

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
    fields = ["key", "name", "value", "weight"]
    verbose_name_plural = _("variants, the control first")


class AudienceInline(PlanInline):
    model, form = AudienceRow, shapes.AudienceForm
    fields = ["segment_key", "coverage", "weights"]
    verbose_name_plural = _("audience: the first row that matches decides; no rows take everyone")


class OverrideInline(TabularInline):
    model, form = Override, shapes.OverrideForm
    fields = ["unit", "rule", "variant"]
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return obj is not None and super().has_add_permission(request, obj)  # the arms must be there first

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        match = request.resolver_match
        if db_field.name == "variant" and match is not None:
            kwargs["queryset"] = Variant.objects.filter(experiment=match.kwargs.get("object_id"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class AmendmentInline(TabularInline):
    model = Amendment
    fields = readonly_fields = ["at", "by", "why", "changes"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


def mover(what: Action) -> Callable[..., None]:
    """An action of the list: one service call for each experiment, one message for all, one for each refusal."""

    def move(self: "ExperimentAdmin", request: HttpRequest, queryset: QuerySet[Experiment]) -> None:
        done = []
        for row in queryset:
            try:
                lifecycle.move(key=row.key, action=what, by=_person(request))
                done.append(row.key)
            except Refused as refusal:
                messages.error(request, f"{row.key}: {refusal}")
        if done:
            text = gettext("%(action)s: done for %(keys)s.")
            messages.success(request, text % {"action": shapes.ACTIONS[what], "keys": ", ".join(done)})

    move.__name__ = what.value
    decorated: Callable[..., None] = admin.action(description=shapes.ACTIONS[what], permissions=["change"])(move)
    return decorated


@admin.register(Experiment)
class ExperimentAdmin(Saying, SimpleHistoryAdmin, ModelAdmin):
    """Plan, life and log of an experiment."""

    form = shapes.DraftForm
    list_display = ["key", "name", "status", "flag_key", "moment", "started_at", "planned_end"]
    list_filter = ["status", "method", "layer"]
    list_select_related = ["moment"]
    search_fields = ["key", "name", "flag_key", "hypothesis"]
    inlines = [VariantInline, AudienceInline, OverrideInline, AmendmentInline]
    actions = [mover(what) for what in Action]
    actions_detail = ["next_step", "amend", "raise_coverage", "clone", "size"]
    history_list_display = ["status", "version"]
    state = ["status", "version", "started_at", "enrolment_closed_at", "stopped_at", "concluded_at"]
    fieldsets = [
        (None, {"fields": ["key", "flag_key", "name", "hypothesis", "moment", "nudge"]}),
        (_("Values"), {"fields": ["value_type", "default_value"]}),
        (_("How it is judged"), {"fields": [
            "primary_metrics", "secondary_metrics", "guardrail_metrics", "method", "alpha", "power", "smallest_effect",
            "expected_take_up", "planned_units", "planned_end",
        ]}),
        (_("Who is in"), {"fields": ["enrolment", "layer", "layer_low", "layer_high", "holdout", "remote_only"]}),
        (_("Where it stands"), {"fields": state}),
    ]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Experiment | None = None) -> list[str]:
        if obj is None or obj.status == Experiment.Status.DRAFT:
            return self.state if obj is None else [*self.state, "key"]
        return [name for _title, options in self.fieldsets for name in options["fields"]]

    def has_clone_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return bool(self.has_add_permission(request))

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # a draft is archived; what has started is kept with its assignments

    def save_model(self, request: HttpRequest, obj: Experiment, form: Any, change: bool) -> None:
        """Nothing yet: `save_related` hands the plan and its rows to the service together."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        obj, by = form.instance, _person(request)
        rows: dict[str, Any] = {}
        for formset in formsets:
            formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
            if (name := ROWS.get(formset.model)) and formset.is_bound and formset.can_delete:
                rows[name] = _kept(formset)
        values = {name: form.cleaned_data[name] for name in form.cleaned_data if name != "key"}
        if not change:
            made = plan.create_draft(key=obj.key, by=by, **{"variants": (), **rows}, **values)
            obj.pk = made.pk
        elif obj.status == Experiment.Status.DRAFT and (
            form.changed_data or any(one.has_changed() for one in formsets)
        ):
            plan.update_draft(key=obj.key, by=by, **rows, **values)
        for formset in formsets:
            if formset.model is Override:
                _save_overrides(obj.key, formset)

    @detail(_("Next step"), "change")
    def next_step(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(Experiment, pk=object_id)
        form = shapes.MoveForm(request.POST or None, status=row.status)

        def done(values: dict[str, Any]) -> None:
            lifecycle.move(key=row.key, action=Action(values["action"]), by=_person(request), why=values["why"])

        return self._page(request, row, form, _("Next step"), done)

    @detail(_("Amend"), "change")
    def amend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(Experiment, pk=object_id)
        form = shapes.AmendForm(request.POST or None, instance=row)

        def done(values: dict[str, Any]) -> None:
            plan.amend(key=row.key, why=values["why"], by=_person(request), **form.changes())

        return self._page(request, row, form, _("Amend the plan"), done)

    @detail(_("Raise coverage"), "change")
    def raise_coverage(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(Experiment, pk=object_id)
        form = shapes.CoverageForm(request.POST or None, rows=list(row.audience.order_by("position")))
        return self._page(
            request, row, form, _("Raise coverage"),
            lambda values: plan.raise_coverage(key=row.key, by=_person(request), **values),
        )  # fmt: skip

    @detail(_("Clone"), "clone")
    def clone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(Experiment, pk=object_id)
        form = shapes.CloneForm(request.POST or None, initial={"key": planning.free_key(row.key)})
        return self._page(
            request, row, form, _("Clone"),
            lambda values: planning.clone(experiment=row, by=_person(request), key=values["key"]),
        )  # fmt: skip

    @detail(_("Size"), "view")
    def size(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """How many units it needs; asking changes nothing."""
        row = get_object_or_404(Experiment, pk=object_id)
        context = {**self.admin_site.each_context(request), "title": _("Size"), "experiment": row, "opts": self.opts}
        try:
            context["rows"] = _size_rows(planning.suggest_size(row))
        except Refused as refusal:
            context["refusal"] = str(refusal)
        return TemplateResponse(request, "experiments/admin_size.html", context)

    def _page(
        self,
        request: HttpRequest,
        row: Experiment,
        form: forms.BaseForm,
        title: Any,
        do: Callable[[dict[str, Any]], Any],
    ) -> HttpResponse:
        """A small form before something is done; a link alone must never change anything."""
        if not self.has_change_permission(request, row) and not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            try:
                made = do(form.cleaned_data)
            except Refused as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(request, gettext("%(what)s: done.") % {"what": title})
                shown = made if isinstance(made, Experiment) else row
                return HttpResponseRedirect(reverse("admin:experiments_experiment_change", args=[shown.pk]))
        context = {
            **self.admin_site.each_context(request), "title": title, "experiment": row, "form": form, "opts": self.opts
        }  # fmt: skip
        return TemplateResponse(request, "experiments/admin_form.html", context)


@admin.register(Layer)
class LayerAdmin(Saying, ModelAdmin):
    """The key is the seed of its draws, so it never changes."""

    list_display = ["key", "name"]
    fields = ["key", "name"]

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        return ["key"] if obj else []

    def save_model(self, request: HttpRequest, obj: Layer, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["name"])
        else:
            obj.pk = exclusion.create_layer(key=obj.key, name=obj.name).pk


@admin.register(Holdout)
class HoldoutAdmin(Saying, ModelAdmin):
    """Its share never changes: that would move units."""

    form = shapes.HoldoutForm
    list_display = ["key", "share_percent", "active"]
    fields = ["key", "share", "active"]

    @admin.display(description=_("share (%)"))
    def share_percent(self, row: Holdout) -> str:
        return f"{row.share / 100:g}"

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        return ["key", "share_percent"] if obj else []

    def get_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        return ["key", "share_percent", "active"] if obj else ["key", "share", "active"]

    def save_model(self, request: HttpRequest, obj: Holdout, form: Any, change: bool) -> None:
        if change:
            exclusion.set_active(holdout=obj, active=obj.active)
        else:
            obj.pk = exclusion.create_holdout(key=obj.key, share=obj.share, active=obj.active).pk


def _size_rows(found: planning.Suggestion) -> list[tuple[Any, Any]]:
    """What the page says, one line each; a missing number is its reason."""
    inflow = found.inflow

    def say(value: Any, shape: str = "") -> Any:
        return words(value, gettext) if isinstance(value, NotComputable) else format(value, shape)

    rows: list[tuple[Any, Any]] = [
        (_("Units that arrived"), f"{inflow.units:,} ({inflow.first} – {inflow.last})"),
        (_("Units a day"), say(inflow.per_day, ",.1f")),
        (_("Outcome without the nudge"), say(inflow.base, ".2%" if inflow.sd is None else ",.3f")),
        (_("Share of them that is enrolled"), say(found.coverage, ".2%")),
        (_("Expected take-up"), say(found.take_up, ".0%")),
        (_("Smallest effect of interest"), say(found.smallest_effect, "+.4f")),
        (_("Planned units"), say(found.planned_units, ",d")),
        (_("Days until the last outcome is known"), say(found.days, ",d")),
        (_("End if it started today"), say(found.planned_end)),
    ]
    if inflow.reach is not None:
        rows.insert(3, (_("Reach the AHA moment without the nudge"), say(inflow.reach, ".2%")))
    return rows


def _person(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


def _kept(formset: Any) -> list[dict[str, Any]]:
    """The rows of a form in their order, without those that are taken away or were left empty."""
    rows = []
    for form in formset.forms:
        given = getattr(form, "cleaned_data", None)
        if given and not given.get("DELETE") and (form.instance.pk or form.has_changed()):
            rows.append({name: given[name] for name in form.Meta.fields})
            if isinstance(form.instance, AudienceRow) and form.instance.segment_key == given["segment_key"]:
                rows[-1]["rule"] = form.instance.rule
    return rows


def _save_overrides(key: str, formset: Any) -> None:
    for form in formset.forms:
        given = getattr(form, "cleaned_data", None)
        if not given or not form.has_changed():
            continue
        if form.instance.pk:
            plan.remove_override(override=Override.objects.get(pk=form.instance.pk))
        if not given.get("DELETE"):
            plan.set_override(key=key, variant=given["variant"].key, unit=given["unit"] or None, rule=given["rule"])
