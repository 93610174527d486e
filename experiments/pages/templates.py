"""A template's content in words, and how a plan differs from its template."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from experiments.models import Experiment, PlanTemplate, TemplateUse
from experiments.plan.drafts import release
from experiments.plan.templates import (
    FIXABLE,
    ROWS,
    Content,
    archive_template,
    change_template,
    content_of,
    differences,
    label_of,
    save_as_template,
    value_of,
)
from experiments.status.history import worded
from reporting.numbers import percent
from runs.models import key_from
from runs.refusals import Refused
from runs.web import may, person

WHOLE = 10_000
UNUSUAL: tuple[Any, ...] = ("", None, [], {})


@dataclass(frozen=True)
class FromTemplate:
    """The template of a draft.

    Attributes:
        use: the template, and its version then.
        lines: field, value in the template, value in the plan.
        fixed: fields that the draft may not change, in words.
    """

    use: TemplateUse
    lines: list[tuple[str, str, str]]
    fixed: list[str]


def template_of(row: Experiment) -> FromTemplate | None:
    """The template that a plan was made from, and the differences; None for a plan without one."""
    use = TemplateUse.objects.filter(experiment=row).select_related("template").first()
    if use is None:
        return None
    return FromTemplate(use, compared(use.content, content_of(row)), [label_of(name) for name in use.fixed])


def compared(before: Content, after: Content) -> list[tuple[str, str, str]]:
    """Fields that differ between two contents, in words."""
    return [(label_of(name), words(name, old), words(name, new)) for name, old, new in differences(before, after)]


def lines(content: Content) -> list[tuple[str, str, str]]:
    """Name, label and words of each field that a template fills."""
    slices = () if value_of(content, "layer") else ("layer_low", "layer_high")  # meaningless without a layer
    return [
        (name, label_of(name), words(name, value))
        for name in FIXABLE
        if name not in slices and (value := value_of(content, name)) not in UNUSUAL
    ]


def words(name: str, value: Any) -> str:
    """One value in words; moment and layer are their keys."""
    if name == "variants":
        return ", ".join(f"{arm['name'] or arm['key']} {percent(arm['weight'] / WHOLE, 0)}" for arm in value or [])
    if name == "audience":
        parts = [f"{row['segment_key'] or _('everyone')} {percent(row['coverage'] / WHOLE, 0)}" for row in value or []]
        return ", ".join(parts) or _("everyone")
    if value is None or value in ("", []):
        return "–"
    field = Experiment._meta.get_field(name)
    if name in ROWS or field.is_relation:
        return str(value)
    return worded(value, field)


# Views of templates: list, one with its versions, save a plan as one, archive, and release a draft.

MOST_VERSIONS = 50


class TemplateForm(forms.Form):
    """Names of a template, when to use it, and its fixed fields."""

    name = forms.CharField(label=gettext_lazy("Name in English"), max_length=100)
    name_ko = forms.CharField(label=gettext_lazy("Name in Korean"), max_length=100, required=False)
    description = forms.CharField(
        label=gettext_lazy("Description"),
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2_000,
        required=False,
        help_text=gettext_lazy("When is it the right one?"),
    )
    fixed = forms.MultipleChoiceField(
        label=gettext_lazy("Fixed fields"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("A draft of this template can't change them unless it is released from it."),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        choices: Any = self.fields["fixed"]
        choices.choices = [(name, label_of(name)) for name in FIXABLE]


@login_required
@require_safe
def plan_templates(request: HttpRequest) -> HttpResponse:
    """All templates, active ones first."""
    rows = PlanTemplate.objects.annotate(used=Count("uses")).order_by("archived_at", "name")
    return render(request, "experiments/plan_templates/list.html", {"rows": rows})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def plan_template(request: HttpRequest, template: str) -> HttpResponse:
    """One template: its content, its versions, and its form."""
    row = get_object_or_404(PlanTemplate.objects.select_related("created_by"), key=template)
    names = ("name", "name_ko", "description", "fixed")
    form = TemplateForm(request.POST or None, initial={name: getattr(row, name) for name in names})
    if request.method == "POST":
        if not request.user.has_perm("experiments.change_plantemplate"):
            raise PermissionDenied
        if form.is_valid():
            try:
                change_template(template=row, by=person(request), **form.cleaned_data)
            except Refused as refusal:
                form.add_error(None, refusal.sentence)
            else:
                messages.success(request, _("The template is changed. Drafts made before stay as they were."))
                return redirect("experiments:template", template=row.key)
    records = list(row.history.select_related("history_user")[: MOST_VERSIONS + 1])
    context = {
        "row": row,
        "form": form,
        "lines": lines(row.content),
        "versions": [
            {"record": record, "changes": [] if older is None else compared(older.content, record.content)}
            for record, older in zip(records, [*records[1:], None], strict=True)
        ][:MOST_VERSIONS],
        "uses": row.uses.select_related("experiment", "experiment__moment").order_by("-id")[:MOST_VERSIONS],
        "may_change": request.user.has_perm("experiments.change_plantemplate") and row.archived_at is None,
    }
    return render(request, "experiments/plan_templates/template.html", context)


@login_required
@may("experiments.change_plantemplate")
@require_POST
def archive(request: HttpRequest, template: str) -> HttpResponse:
    """Archive a template, or restore it."""
    row = get_object_or_404(PlanTemplate, key=template)
    archive_template(template=row, archived="back" not in request.POST, by=person(request))
    return redirect("experiments:templates")


@login_required
@may("experiments.add_plantemplate")
@require_http_methods(["GET", "HEAD", "POST"])
def save_as(request: HttpRequest, key: str) -> HttpResponse:
    """Save a plan as a new template."""
    row = get_object_or_404(Experiment.objects.select_related("moment", "layer"), key=key)
    form = TemplateForm(request.POST or None, initial={"name": row.title[:100]})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = save_as_template(experiment=row, key=_free(given["name"]), by=person(request), **given)
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, _("{name} is a template now.").format(name=made.title))
            return redirect("experiments:template", template=made.key)
    context = {"experiment": row, "form": form, "lines": lines(content_of(row))}
    return render(request, "experiments/plan_templates/save.html", context)


@login_required
@may("experiments.change_experiment")
@require_POST
def release_draft(request: HttpRequest, key: str) -> HttpResponse:
    """Let a draft change its template's fixed fields."""
    try:
        release(key=get_object_or_404(Experiment, key=key).key, by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, _("The draft is released: all of its plan may be changed."))
    return redirect("experiments:plan", key=key)


def _free(name: str) -> str:
    """A free template key made from the name."""
    base = key_from(name, "template").replace(".", "-")[:55]
    taken = set(PlanTemplate.objects.filter(key__startswith=base).values_list("key", flat=True))
    return base if base not in taken else next(f"{base}-{n}" for n in range(2, 10_000) if f"{base}-{n}" not in taken)
