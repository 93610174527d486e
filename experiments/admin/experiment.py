"""Admin of experiments: planned in steps, moved after a confirmation, amended with a reason. Services write."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action as unfold_action
from unfold.decorators import display

from events.admin import WithHistory
from experiments.admin import tables
from experiments.admin.tables import Saying
from experiments.forms import DraftForm
from experiments.models import AudienceRow, Experiment, Override, Variant
from experiments.plan.fields import ExperimentKind, Part, in_parts
from experiments.plan.lifecycle import Action, Status
from experiments.plan.record import FIELDS
from experiments.serve import overrides
from experiments.status import consequences
from runs.refusals import Refused
from runs.web import person

# Inlines on an experiment's page, and how their rows are passed to services.

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
    model, form = Variant, tables.ArmForm
    fields = ["key", "name", "value", "weight", "role", "dose"]
    verbose_name_plural = _("groups, the control first")


class AudienceInline(PlanInline):
    model, form = AudienceRow, tables.AudienceForm
    fields = ["segment_key", "coverage", "weights"]
    verbose_name_plural = _("audience: the first row that matches decides; no rows take everyone")


class OverrideInline(TabularInline):
    model, form = Override, tables.OverrideForm
    fields = ["unit", "rule", "variant"]
    extra = 0
    show_title = False
    verbose_name_plural = _("Tester overrides (not counted in results)")

    def has_add_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return obj is not None and super().has_add_permission(request, obj)  # the arms must exist first

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        match = request.resolver_match
        if db_field.name == "variant" and match is not None:
            arms = Variant.objects.filter(experiment=match.kwargs.get("object_id"))
            kwargs["queryset"] = arms.select_related("experiment")
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "variant":
            field.label_from_instance = lambda arm: arm.title
        return field


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


# Parts of the plan on how it is judged, in the order of the admin's page.
JUDGED = (Part.OUTCOMES, Part.DECISION, Part.LOOKS, Part.SIZE, Part.EXPECTED, Part.DATA)

# Pages that were in the admin until 0.3, and their replacement on the site.
MOVED = {"amend": "experiments:amend", "raise-coverage": "experiments:coverage", "testers": "experiments:setup"}
View = Callable[[Any, HttpRequest, str], HttpResponse]
# Unfold's names for the colours of `overview.STATE_LIGHTS`; inactive states have none.
STATE_COLOURS = {"running": "info", "paused": "warning"}


def detail(title: Any, permission: str, icon: str) -> Callable[[View], View]:
    """A page about one row, linked at its top. Only POST may change anything."""
    return cast("Callable[[View], View]", unfold_action(description=title, permissions=[permission], icon=icon))


def mover(what: Action) -> Callable[..., HttpResponse]:
    """A list action that leads to a confirmation page before anything is changed."""

    def move(self: "ExperimentAdmin", request: HttpRequest, queryset: QuerySet[Experiment]) -> HttpResponse:
        return HttpResponseRedirect(_question(what, [row.key for row in queryset]))

    move.__name__ = what.value
    decorated: Callable[..., HttpResponse] = admin.action(
        description=consequences.ACTIONS[what], permissions=["change"]
    )(move)
    return decorated


def moved_to_new_plan(request: HttpRequest) -> HttpResponse:
    """Redirect the old admin page of version 0.3 for new plans to the site's."""
    query = request.META["QUERY_STRING"]
    return HttpResponseRedirect(reverse("experiments:new_plan") + (f"?{query}" if query else ""))


def moved_to_step(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """Redirect old admin pages of a draft's steps to the site's."""
    row = get_object_or_404(Experiment.objects.only("key"), pk=pk)
    return HttpResponseRedirect(reverse("experiments:step", args=[row.key, step]))


def _question(what: Action, keys: list[str]) -> str:
    """Address of the site's confirmation page for moving one experiment, or several."""
    if len(keys) == 1:
        return reverse("experiments:do", args=[keys[0], what.value])
    address = reverse("experiments:do_several", args=[what.value])
    return f"{address}?{urlencode([('key', key) for key in keys])}"


@admin.register(Experiment)
class ExperimentAdmin(Saying, WithHistory, ModelAdmin):
    """Plan, state and history of an experiment."""

    form = DraftForm
    list_display = ["title_and_key", "state_shown", "flag_key", "moment", "started_at", "ends"]
    list_display_links = ["title_and_key"]
    list_filter = ["status", "method", "layer"]
    search_fields = ["key", "name", "flag_key", "hypothesis", "moment__name"]
    date_hierarchy = "created_at"
    inlines = [VariantInline, AudienceInline, OverrideInline]
    actions = [mover(what) for what in Action]
    actions_detail = ["size", "clone"]
    empty_text = _("There is no experiment yet. Begin with a claim: an AHA moment, and a nudge that makes users do it.")
    empty_route, empty_link = "experiments:new_plan", _("Plan an experiment")
    state = ["status", "version", "started_at", "enrolment_closed_at", "stopped_at", "concluded_at"]
    fieldsets = [
        (None, {"fields": in_parts(FIELDS, Part.QUESTION, Part.CLAIM)}),
        (_("Values"), {"fields": in_parts(FIELDS, Part.VALUES)}),
        (_("How it is judged"), {"fields": in_parts(FIELDS, *JUDGED)}),
        (_("Who is in"), {"fields": in_parts(FIELDS, Part.AUDIENCE)}),
        (_("Clusters"), {"fields": in_parts(FIELDS, Part.CLUSTERS)}),
        (_("Where it stands"), {"fields": state}),
    ]

    @display(description=_("experiment"), ordering="name", header=True)  # type: ignore[untyped-decorator]
    def title_and_key(self, row: Experiment) -> tuple[str, str]:
        return row.title, row.key

    @display(description=_("status"), ordering="status", label=STATE_COLOURS)  # type: ignore[untyped-decorator]
    def state_shown(self, row: Experiment) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @display(description=_("end"), ordering="planned_end")  # type: ignore[untyped-decorator]
    def ends(self, row: Experiment) -> str:
        """End of the experiment, worded as on every page."""
        from experiments.status import overview

        return overview.until(row).said

    def get_queryset(self, request: HttpRequest) -> QuerySet[Experiment]:
        return super().get_queryset(request).select_related("moment").defer("moment__evidence")  # type: ignore[no-any-return]

    def get_urls(self) -> list[URLPattern]:
        urls = [
            path("new/", moved_to_new_plan, name="experiments_experiment_new"),
            path(
                "<int:pk>/steps/plan/search/", moved_to_step, {"step": "search"}, name="experiments_experiment_search"
            ),
            path("<int:pk>/steps/<slug:step>/", moved_to_step, name="experiments_experiment_step"),
        ]
        do = path("do/<slug:action>/", self.admin_site.admin_view(self.do_until_0_4))
        moved = [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(partial(self.moved, route=route)))
            for name, route in MOVED.items()
        ]
        return [*urls, do, *moved, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from experiments.plan import audience
        from experiments.plan_page import plan_summary
        from experiments.status import overview

        row = (
            Experiment.objects.select_related("moment").filter(pk=object_id).first() if object_id.isdecimal() else None
        )
        if row is not None and self.has_view_or_change_permission(request, row):
            standing = overview.standing(row)
            may_move = self.has_change_permission(request, row)
            draft = row.status == Status.DRAFT
            extra_context = {
                **(extra_context or {}),
                "standing": standing,
                "may_plan": may_move and draft,
                "troubles": audience.troubles(row) if draft else [],
                "parts": [] if draft else [*plan_summary.parts(row), plan_summary.dates(row)],
                "health": overview.health(standing),
                "show_save_and_add_another": False,
                # A started plan is read-only here, so the save buttons are hidden.
                **({} if draft else {"show_save": False, "show_save_and_continue": False, "show_close": True}),
            }
        return super().change_view(request, object_id, form_url, extra_context)  # type: ignore[no-any-return]

    def get_readonly_fields(self, request: HttpRequest, obj: Experiment | None = None) -> list[str]:
        if obj is None or obj.status == Experiment.Status.DRAFT:
            return self.state if obj is None else [*self.state, "key"]
        return [
            *self.state,
            *(name for _title, options in self.fieldsets for name in options["fields"] if name not in self.state),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Experiment | None = None) -> Any:
        """A draft has no section on its state; a started plan is shown as text above the form."""
        return self.fieldsets[:-1] if obj is None or obj.status == Experiment.Status.DRAFT else []

    def get_inlines(self, request: HttpRequest, obj: Experiment | None = None) -> list[Any]:
        """Inlines for variants and audience; a started plan shows them as text."""
        if obj is not None and obj.is_lab:  # its groups are made of its nudges
            return (
                [inline for inline in self.inlines if inline is not VariantInline] if obj.status == Status.DRAFT else []
            )
        return self.inlines if obj is None or obj.status == Experiment.Status.DRAFT else []

    def has_clone_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return bool(self.has_add_permission(request))

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # drafts are archived; started experiments are kept with their assignments

    def save_model(self, request: HttpRequest, obj: Experiment, form: Any, change: bool) -> None:
        """Do nothing: `save_related` passes the plan and its rows to the service together."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        from experiments.plan import drafts

        obj, by = form.instance, person(request)
        rows: dict[str, Any] = {}
        for formset in formsets:
            formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
            if (name := ROWS.get(formset.model)) and formset.is_bound and formset.can_delete:
                rows[name] = kept(formset)
        values = {name: form.cleaned_data[name] for name in form.cleaned_data if name != "key"}
        if values.get("kind") == ExperimentKind.LAB and not rows.get("variants"):
            rows.pop("variants", None)
        if not change:
            made = drafts.create_draft(key=obj.key, by=by, **rows, **values)
            obj.pk = made.pk
        elif obj.status == Experiment.Status.DRAFT and (
            form.changed_data or any(formset.has_changed() for formset in formsets)
        ):
            drafts.update_draft(key=obj.key, by=by, **rows, **values)
        for formset in formsets:
            if formset.model is Override:
                save_overrides(obj.key, formset)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Redirect to the history tab of the experiment's page."""
        return self._to_page(object_id, "experiments:history")

    def _to_page(self, object_id: str, route: str) -> HttpResponse:
        """Redirect an old admin address; its id may be any text."""
        row = get_object_or_404(Experiment, pk=object_id if object_id.isdecimal() else 0)
        return HttpResponseRedirect(reverse(route, args=[row.key]))

    def moved(self, request: HttpRequest, object_id: str, route: str) -> HttpResponse:
        """Redirect to the tab or form of the site that replaces this page."""
        return self._to_page(object_id, route)

    def do_until_0_4(self, request: HttpRequest, action: str) -> HttpResponse:
        """Redirect to the site's confirmation page for the move."""
        ids = [pk for pk in request.GET.getlist("id") if pk.isdecimal()]
        keys = list(Experiment.objects.filter(pk__in=ids).order_by("name").values_list("key", flat=True))
        if not keys or action not in list(Action):
            raise Http404
        return HttpResponseRedirect(_question(Action(action), keys))

    @detail(_("Clone"), "clone", "content_copy")
    def clone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        from experiments.plan import drafts

        row = get_object_or_404(Experiment, pk=object_id)
        form = tables.CloneForm(request.POST or None, initial={"key": drafts.free_key(row.key)})
        about = gettext("A new draft with the same plan and a new draw. Dates, results and overrides stay behind.")
        return self._page(
            request,
            row,
            form,
            _("Clone"),
            lambda values: drafts.clone(experiment=row, by=person(request), key=values["key"]),
            about,
        )

    @detail(_("Size"), "view", "straighten")
    def size(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show how many units it needs; changes nothing."""
        from experiments.plan import size
        from experiments.plan_page.known_numbers import size_rows

        row = get_object_or_404(Experiment, pk=object_id)
        context = {**self.admin_site.each_context(request), "title": _("Size"), "experiment": row, "opts": self.opts}
        try:
            context["rows"] = size_rows(size.suggest_size(row))
        except Refused as refusal:
            context["refusal"] = refusal.sentence
        return TemplateResponse(request, "experiments/admin_size.html", context)

    def _page(
        self,
        request: HttpRequest,
        row: Experiment,
        form: forms.BaseForm,
        title: Any,
        do: Callable[[dict[str, Any]], Any],
        about: str,
    ) -> HttpResponse:
        """A small form before an action; a GET request must never change anything."""
        if not self.has_change_permission(request, row) and not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            try:
                made = do(form.cleaned_data)
            except Refused as refusal:
                form.add_error(None, refusal.sentence)
            else:
                messages.success(request, gettext("%(what)s: done.") % {"what": title})
                if isinstance(made, Experiment):
                    return HttpResponseRedirect(reverse("experiments:step", args=[made.key, "hypothesis"]))
                return HttpResponseRedirect(reverse("admin:experiments_experiment_change", args=[row.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "experiment": row,
            "form": form,
            "opts": self.opts,
            "about": about,
        }
        return TemplateResponse(request, "experiments/admin_form.html", context)
