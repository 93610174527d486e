"""Pages under /data/metrics/: the catalogue, one metric, its form, and what people decide of it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from events.catalogue import check_metric, save_metrics
from events.catalogue.metric_page import check_parts, list_rows, metric_parts
from events.metrics import is_share, parse_metric
from events.metrics.facts import LONGEST, About, Facts, is_key
from events.models import Metric, MetricCheck, MetricVersion
from events.pickers.definition_parts import margin_as_typed
from events.pickers.fields import MetricField
from events.pickers.quick_fixes import mended
from runs.models import Run, key_from
from runs.refusals import Refused
from runs.web import is_htmx, listing, may, person, progress_of

# The form of a metric: its descriptive fields, and its definition in words or as one line.

FACTS = ("definition", "cap", "direction", "margin")


class MetricForm(forms.Form):
    """Create or change a metric: a change of the definition makes a version, others don't."""

    name_en = forms.CharField(label=_("Name, English"), max_length=LONGEST["name_en"])
    name_ko = forms.CharField(label=_("Name, Korean"), max_length=LONGEST["name_ko"], required=False)
    key = forms.CharField(
        label=_("Key"),
        max_length=64,
        required=False,
        help_text=_("How plans, files and programs call it; it never changes. Empty: made from the English name."),
    )
    definition = MetricField(label=_("Definition"))
    cap = forms.CharField(
        label=_("Cap"),
        max_length=40,
        required=False,
        help_text=_(
            "Larger numbers of a user count as this one: 100, or 99.9%, a share of users. For numbers, not for shares."
        ),
    )
    direction = forms.ChoiceField(label=_("Which way is better"), choices=MetricVersion.Direction.choices)
    margin = forms.DecimalField(
        label=_("Margin as a guardrail"),
        required=False,
        help_text=_("A loss of this size or more is harm: points for a share, else in the metric's own unit."),
    )
    unit = forms.CharField(
        label=_("Unit"), max_length=LONGEST["unit"], required=False, help_text=_("Such as KRW; empty for a share.")
    )
    owner = forms.CharField(
        label=_("Owner"), max_length=LONGEST["owner"], required=False, help_text=_("A team, or a person's account.")
    )
    tags = forms.CharField(
        label=_("Tags"), max_length=800, required=False, help_text=_("With commas between: money, core.")
    )
    description = forms.CharField(
        label=_("Description"),
        max_length=LONGEST["description"],
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What it is for, and what it isn't."),
    )
    why = forms.CharField(
        label=_("Reason for a new version"),
        max_length=300,
        required=False,
        help_text=_("Who reads the versions later wants to know."),
    )

    def __init__(self, data: Any = None, *, metric: Metric | None = None, **options: Any) -> None:
        super().__init__(data, initial={**_begin(metric), **options.pop("initial", {})}, **options)
        for name in ["key"] if metric is not None else ["why"]:
            del self.fields[name]

    def clean_key(self) -> str:
        """The key as typed, or made from the name."""
        key: str = self.cleaned_data["key"] or key_from(self.cleaned_data.get("name_en", ""), "metric").lower()[:64]
        if not is_key(key):
            raise forms.ValidationError(_("A key has small letters, digits, dots, dashes and underscores, at most 64."))
        return key

    @property
    def about(self) -> About:
        """The descriptive fields."""
        data = self.cleaned_data
        return About(**{name: data[name] for name in LONGEST}, tags=tuple(data["tags"].split(",")))

    @property
    def facts(self) -> Facts:
        """The definition."""
        facts = {name: self.cleaned_data[name] for name in FACTS}
        margin: Decimal | None = facts["margin"]
        if margin is not None:
            facts["margin"] = float(margin / 100 if _is_share(facts["definition"]) else margin)
        return Facts(**facts)

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal at its field."""
        self.add_error(refusal.at if refusal.at in self.fields else None, refusal.sentence)


def _begin(metric: Metric | None) -> dict[str, Any]:
    if metric is None:
        return {}
    version = metric.current
    values = {name: getattr(metric, name) for name in LONGEST}
    facts = {name: getattr(version, name) for name in FACTS}
    if version.margin is not None:
        facts["margin"] = margin_as_typed(version.margin, share=_is_share(version.definition))
    return {**values, "tags": ", ".join(metric.tag_list), **facts}


def _is_share(definition: str) -> bool:
    """Whether a metric is a share, whose margin is written in points, as in a plan."""
    try:
        return is_share(parse_metric(definition))
    except Refused:
        return False


# Pages under /data/metrics/: the catalogue, one metric, its form, and certification.

TEXTS = ("key", "name_en", "name_ko", "description", "owner", "tags")
LONGEST_TAG = 60


@login_required
@may("events.view_metric")
@require_safe
def metric_list(request: HttpRequest) -> HttpResponse:
    """All metrics, with search and filters by tag and state; htmx gets only the rows."""
    tag = request.GET.get("tag", "").replace("\x00", "").strip()[:LONGEST_TAG]
    rows = Metric.objects.with_tag(tag).prefetch_related("versions")
    listed = listing(request, rows, text_in=TEXTS, state_in="status", states=Metric.Status.choices)
    context = {"listing": listed, "rows": list_rows(list(listed.page)), "tag": tag}
    if is_htmx(request):
        response = render(request, "events/metrics/rows.html", context)
    else:
        response = render(request, "events/metrics/list.html", {**context, "tags": Metric.objects.all_tags()})
    patch_vary_headers(response, ["HX-Request"])
    return response


@login_required
@may("events.view_metric")
@require_safe
def metric_page(request: HttpRequest, key: str) -> HttpResponse:
    """One metric: its definition, versions, uses and past."""
    metric = _metric(key)
    checks = MetricCheck.objects.filter(version__metric=metric).select_related("version").order_by("-pk")
    done, newest = checks.filter(status=Run.Status.DONE).first(), checks.light().first()
    context = {"metric": metric, **metric_parts(metric), **check_parts(done, metric)}
    if newest is not None and newest.status != Run.Status.DONE:
        context |= {"run": newest, **progress_of(newest)}
    return render(request, "events/metrics/metric.html", context)


@login_required
@may("events.view_metric")
@require_safe
def check_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Redirect to the metric: a check has no page of its own."""
    run = get_object_or_404(MetricCheck.objects.light("version__metric"), pk=pk)
    return redirect("events:metric", key=run.version.metric.key)


@login_required
@may("events.add_metric")
@require_http_methods(["GET", "HEAD", "POST"])
def new_metric(request: HttpRequest) -> HttpResponse:
    """Create a metric as a draft."""
    form = MetricForm(_sent(request))

    def store() -> Metric:
        key = form.cleaned_data["key"]
        return save_metrics.create_metric(key=key, about=form.about, facts=form.facts, by=person(request))

    return _form(request, form, store, None)


@login_required
@may("events.change_metric")
@require_http_methods(["GET", "HEAD", "POST"])
def change_metric(request: HttpRequest, key: str) -> HttpResponse:
    """Change descriptive fields, or add a version."""
    metric = _metric(key)
    form = MetricForm(_sent(request), metric=metric)

    def store() -> Metric:
        why = form.cleaned_data["why"]
        return save_metrics.change_metric(key=key, about=form.about, facts=form.facts, by=person(request), why=why)

    return _form(request, form, store, metric)


@login_required
@may("events.change_metric")
@require_POST
def certify(request: HttpRequest, key: str) -> HttpResponse:
    """Certify the version that the page showed."""
    number = request.POST.get("version", "")
    version = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    message = gettext("Version {number} is certified.").format(number=version)
    return _done(request, key, message, lambda: save_metrics.certify(key=key, version=version, by=person(request)))


@login_required
@may("events.change_metric")
@require_POST
def deprecate(request: HttpRequest, key: str) -> HttpResponse:
    """Deprecate a metric: it can't be picked any more."""
    why = request.POST.get("why", "").replace("\x00", "").strip()
    message = gettext("It is deprecated: nobody can pick it anew, and what runs goes on.")
    return _done(request, key, message, lambda: save_metrics.deprecate(key=key, by=person(request), why=why))


@login_required
@may("events.change_metric")
@require_POST
def take_up_again(request: HttpRequest, key: str) -> HttpResponse:
    """Make a deprecated metric a draft again."""
    message = gettext("It is a draft again.")
    return _done(request, key, message, lambda: save_metrics.take_up_again(key=key, by=person(request)))


@login_required
@may("events.add_metriccheck")
@require_POST
def start_check(request: HttpRequest, key: str) -> HttpResponse:
    """Start a check: value week by week, and false alarms."""
    message = gettext("It is being checked on its past.")
    return _done(request, key, message, lambda: check_metric.start_check(key=key, by=person(request)))


def _metric(key: str) -> Metric:
    rows = Metric.objects.select_related("created_by")
    return get_object_or_404(rows.prefetch_related("versions__created_by", "versions__certified_by"), key=key)


def _sent(request: HttpRequest) -> Any:
    if request.method != "POST":
        return None
    return mended(request.POST) if "mend" in request.POST else request.POST


def _form(request: HttpRequest, form: MetricForm, store: Callable[[], Metric], metric: Metric | None) -> HttpResponse:
    if request.method == "POST" and "mend" not in request.POST and form.is_valid():
        try:
            stored = store()
        except Refused as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, gettext("Saved: version {number}.").format(number=stored.version))
            return redirect("events:metric", key=stored.key)
    return render(request, "events/metrics/form.html", {"form": form, "metric": metric})


def _done(request: HttpRequest, key: str, message: str, action: Callable[[], object]) -> HttpResponse:
    _metric(key)
    try:
        action()
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, message)
    return redirect("events:metric", key=key)
