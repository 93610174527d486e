"""Experiments for PMs: planned in steps, moved by buttons that ask, amended with a reason. Services do the work."""

from collections.abc import Callable
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
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.decorators import action as unfold_action
from unfold.decorators import display

from experiments.admin import forms as shapes
from experiments.admin import overview
from experiments.admin.history import Story
from experiments.admin.inlines import (
    ROWS,
    AmendmentInline,
    AudienceInline,
    OverrideInline,
    VariantInline,
    kept,
    save_overrides,
)
from experiments.admin.judged_fields import JUDGED_FIELDS
from experiments.admin.layers import Saying
from experiments.admin.size_rows import size_rows
from experiments.admin.steps import consequences, health_light
from experiments.analyse import closing_cost
from experiments.models import Experiment, Override
from experiments.plan import amend, audience, drafts, moves, size
from experiments.plan.lifecycle import LIVE, Action, Status
from experiments.plan_page import plan_summary
from experiments.serve import overrides
from runs.refusals import Refused
from runs.web import person

View = Callable[[Any, HttpRequest, str], HttpResponse]
STATE_COLOURS = {
    "running": "success",
    "paused": "warning",
    "stopped": "danger",
    "concluded": "info",
    "draft": "primary",
}
AMENDED = (*LIVE, Status.STOPPED)  # as the service has it: nothing else can be amended


def detail(title: Any, permission: str, icon: str) -> Callable[[View], View]:
    """A page of one row, linked at its top. It only ever does something on POST."""
    return cast("Callable[[View], View]", unfold_action(description=title, permissions=[permission], icon=icon))


def mover(what: Action) -> Callable[..., HttpResponse]:
    """An action of the list: it asks on a page of its own before anything is done."""

    def move(self: "ExperimentAdmin", request: HttpRequest, queryset: QuerySet[Experiment]) -> HttpResponse:
        address = reverse("admin:experiments_experiment_do", args=[what.value])
        return HttpResponseRedirect(f"{address}?{urlencode([('id', row.pk) for row in queryset])}")

    move.__name__ = what.value
    decorated: Callable[..., HttpResponse] = admin.action(
        description=consequences.ACTIONS[what], permissions=["change"]
    )(move)
    return decorated


def moved_to_new_plan(request: HttpRequest) -> HttpResponse:
    """Steps of version 0.3 were pages of the admin: old links lead to the site's."""
    query = request.META["QUERY_STRING"]
    return HttpResponseRedirect(reverse("experiments:new_plan") + (f"?{query}" if query else ""))


def moved_to_step(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """Likewise for the steps of a draft."""
    row = get_object_or_404(Experiment.objects.only("key"), pk=pk)
    return HttpResponseRedirect(reverse("experiments:step", args=[row.key, step]))


def _amended(object_id: Any) -> QuerySet[Experiment]:
    """The experiment of an address, where its plan can be amended; any text may stand in an address."""
    rows = Experiment.objects.filter(status__in=AMENDED)
    return rows.filter(pk=object_id) if str(object_id).isdecimal() else rows.none()


@admin.register(Experiment)
class ExperimentAdmin(Saying, Story, SimpleHistoryAdmin, ModelAdmin):
    """Plan, life and log of an experiment."""

    form = shapes.DraftForm
    list_display = ["title_and_key", "state_shown", "flag_key", "moment", "started_at", "planned_end"]
    list_display_links = ["title_and_key"]
    list_filter = ["status", "method", "layer"]
    search_fields = ["key", "name", "flag_key", "hypothesis", "moment__name"]
    date_hierarchy = "created_at"
    inlines = [VariantInline, AudienceInline, OverrideInline, AmendmentInline]
    actions = [mover(what) for what in Action]
    actions_detail = ["amend", "raise_coverage", "testers", "size", "clone"]
    empty_text = _("There is no experiment yet. Begin with a claim: an AHA moment, and a nudge that moves users to it.")
    empty_route, empty_link = "experiments:new_plan", _("Plan an experiment")
    state = ["status", "version", "started_at", "enrolment_closed_at", "stopped_at", "concluded_at"]
    fieldsets = [
        (None, {"fields": ["key", "flag_key", "name", "hypothesis", "moment", "nudge"]}),
        (_("Values"), {"fields": ["value_type", "default_value"]}),
        (_("How it is judged"), {"fields": JUDGED_FIELDS}),
        (
            _("Who is in"),
            {"fields": ["enrolment", "layer", "layer_low", "layer_high", "holdout", "remote_only", "sources"]},
        ),
        (_("Clusters"), {"fields": ["cluster", "saturations"]}),
        (_("Where it stands"), {"fields": state}),
    ]

    @display(description=_("experiment"), ordering="name", header=True)  # type: ignore[untyped-decorator]
    def title_and_key(self, row: Experiment) -> tuple[str, str]:
        return row.name, row.key

    @display(description=_("status"), ordering="status", label=STATE_COLOURS)  # type: ignore[untyped-decorator]
    def state_shown(self, row: Experiment) -> tuple[str, str]:
        return row.status, row.get_status_display()

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
        do = path("do/<slug:action>/", self.admin_site.admin_view(self.do), name="experiments_experiment_do")
        return [*urls, do, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = (
            Experiment.objects.select_related("moment").filter(pk=object_id).first() if object_id.isdecimal() else None
        )
        if row is not None and self.has_view_or_change_permission(request, row):
            standing = overview.standing(row)
            may_move = self.has_change_permission(request, row)
            extra_context = {
                **(extra_context or {}),
                "standing": standing,
                "moves": consequences.allowed(row) if may_move else [],
                "may_plan": may_move and row.status == Status.DRAFT,
                "troubles": audience.troubles(row) if row.status == Status.DRAFT else [],
                "parts": [] if row.status == Status.DRAFT else [*plan_summary.parts(row), plan_summary.dates(row)],
                "health": health_light.health(standing),
                "show_save_and_add_another": False,
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
        """A draft has nothing to say of where it stands; a started plan is told in words above the form."""
        return self.fieldsets[:-1] if obj is None or obj.status == Experiment.Status.DRAFT else []

    def get_inlines(self, request: HttpRequest, obj: Experiment | None = None) -> list[Any]:
        """Variants and audience of a started plan, likewise."""
        return self.inlines if obj is None or obj.status == Experiment.Status.DRAFT else self.inlines[2:]

    def has_clone_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return bool(self.has_add_permission(request))

    def has_amend_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Only where it can do something: the button of a draft would only be refused."""
        if not self.has_change_permission(request):
            return False
        return object_id is None or _amended(object_id).exists()

    def has_test_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return bool(request.user.has_perm("experiments.add_override"))

    def has_coverage_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not self.has_change_permission(request):
            return False
        return object_id is None or _amended(object_id).filter(audience__isnull=False).exists()

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # a draft is archived; what has started is kept with its assignments

    def save_model(self, request: HttpRequest, obj: Experiment, form: Any, change: bool) -> None:
        """Nothing yet: `save_related` hands the plan and its rows to the service together."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        obj, by = form.instance, person(request)
        rows: dict[str, Any] = {}
        for formset in formsets:
            formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
            if (name := ROWS.get(formset.model)) and formset.is_bound and formset.can_delete:
                rows[name] = kept(formset)
        values = {name: form.cleaned_data[name] for name in form.cleaned_data if name != "key"}
        if not change:
            made = drafts.create_draft(key=obj.key, by=by, **{"variants": (), **rows}, **values)
            obj.pk = made.pk
        elif obj.status == Experiment.Status.DRAFT and (
            form.changed_data or any(one.has_changed() for one in formsets)
        ):
            drafts.update_draft(key=obj.key, by=by, **rows, **values)
        for formset in formsets:
            if formset.model is Override:
                save_overrides(obj.key, formset)

    def do(self, request: HttpRequest, action: str) -> HttpResponse:
        """Ask, then move one experiment or several: what will happen to each, and what forbids it."""
        if action not in list(Action):
            raise Http404
        if not self.has_change_permission(request):
            raise PermissionDenied
        what = Action(action)
        ids = [one for one in request.GET.getlist("id") if one.isdecimal()]
        rows = list(Experiment.objects.filter(pk__in=ids).select_related("moment").order_by("name"))
        if not rows:
            raise Http404
        refusals: dict[int, str] = {}
        if request.method == "POST":
            refusals = self._move(request, what, rows)
            if not refusals:
                single = len(rows) == 1
                route = "admin:experiments_experiment_change" if single else "admin:experiments_experiment_changelist"
                return HttpResponseRedirect(reverse(route, args=[rows[0].pk] if single else []))
        asked = [self._asked(what, row, refusals.get(row.pk, "")) for row in rows]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "action": what.value,
            "asked": asked,
            "title": consequences.ACTIONS[what],
            "final": what in consequences.FINAL,
            "why": request.POST.get("why", ""),
            "possible": any(not one["troubles"] and not one["refusal"] for one in asked),
        }
        return TemplateResponse(request, "experiments/admin_do.html", context)

    def _move(self, request: HttpRequest, what: Action, rows: list[Experiment]) -> dict[int, str]:
        """Each for itself; what is refused keeps its sentence."""
        refusals = {}
        for row in rows:
            try:
                moves.move(key=row.key, action=what, by=person(request), why=request.POST.get("why", ""))
            except Refused as refusal:
                refusals[row.pk] = refusal.sentence
                row.refresh_from_db()
            else:
                messages.success(request, str(consequences.DONE[what]).format(name=row.name))
        return refusals

    def _asked(self, what: Action, row: Experiment, refusal: str) -> dict[str, Any]:
        troubles = audience.troubles(row) if what is Action.START and row.status == Status.DRAFT else []
        if not troubles and not refusal:
            refusal = moves.refusal(row, what)
        cost = closing_cost.cost(row) if what in (Action.CLOSE_ENROLMENT, Action.STOP) else None
        return {
            "row": row,
            "question": consequences.question(what, row.name),
            "sentences": consequences.sentences(what, overview.standing(row), cost),
            "cost": consequences.early_cost(cost),
            "troubles": troubles,
            "refusal": "" if troubles else refusal,
        }

    @detail(_("Amend"), "amend", "edit_note")
    def amend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(Experiment, pk=object_id)
        form = shapes.AmendForm(request.POST or None, instance=row)

        def done(values: dict[str, Any]) -> None:
            amend.amend(key=row.key, why=values["why"], by=person(request), **form.changes())

        about = gettext("The change is logged with your reason, and stands on the report.")
        return self._page(request, row, form, _("Amend the plan"), done, about)

    @detail(_("Raise coverage"), "coverage", "trending_up")
    def raise_coverage(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(Experiment, pk=object_id)
        form = shapes.CoverageForm(request.POST or None, rows=list(row.audience.order_by("position")))
        about = gettext("More units of one row are enrolled. Nobody who is in is moved, and it can't be lowered again.")
        return self._page(
            request,
            row,
            form,
            _("Raise coverage"),
            lambda values: amend.raise_coverage(key=row.key, by=person(request), **values),
            about,
        )

    @detail(_("Testers"), "test", "bug_report")
    def testers(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Overrides, for people who build the service and may not touch the plan."""
        row = get_object_or_404(Experiment, pk=object_id)
        form = shapes.OneTesterForm(request.POST or None, arms=list(row.variants.order_by("position")))
        if "remove" in request.POST:
            overrides.remove_override(override=get_object_or_404(Override, pk=request.POST["remove"], experiment=row))
            messages.success(request, gettext("The draw decides again."))
            return HttpResponseRedirect(request.path)
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            try:
                overrides.set_override(
                    key=row.key, variant=given["variant"], unit=given["unit"] or None, rule=given["rule"]
                )
            except Refused as refusal:
                form.add_error(None, refusal.sentence)
            else:
                messages.success(request, gettext("The override is served within two seconds."))
                return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Testers"),
            "experiment": row,
            "form": form,
            "opts": self.opts,
            "overrides": row.overrides.select_related("variant"),
        }
        return TemplateResponse(request, "experiments/admin_testers.html", context)

    @detail(_("Clone"), "clone", "content_copy")
    def clone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(Experiment, pk=object_id)
        form = shapes.CloneForm(request.POST or None, initial={"key": drafts.free_key(row.key)})
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
        """How many units it needs; asking changes nothing."""
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
        """A small form before something is done; a link alone must never change anything."""
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
