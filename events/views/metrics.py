"""Pages under /data/metrics/: the catalogue, one metric, its form, and certification."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from events.metric_catalogue import check, save
from events.metric_catalogue.page import check_parts, list_rows, metric_parts
from events.models import Metric, MetricCheck
from events.pickers.mends import mended
from events.views.metric_form import MetricForm
from runs.models import Run
from runs.refusals import Refused
from runs.web import is_htmx, listing, may, person, progress_of

TEXTS = ("key", "name_en", "name_ko", "description", "owner", "tags")
LONGEST_TAG = 60


@login_required
@may("events.view_metric")
@require_safe
def metric_list(request: HttpRequest) -> HttpResponse:
    """All metrics, with search and filters by tag and state; htmx gets only the rows."""
    tag = request.GET.get("tag", "").replace("\x00", "").strip()[:LONGEST_TAG]
    rows = Metric.objects.with_tag(tag).prefetch_related("versions")
    found = listing(request, rows, text_in=TEXTS, state_in="status", states=Metric.Status.choices)
    context = {"listing": found, "rows": list_rows(list(found.page)), "tag": tag}
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
        return save.create_metric(key=key, about=form.about, facts=form.facts, by=person(request))

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
        return save.change_metric(key=key, about=form.about, facts=form.facts, by=person(request), why=why)

    return _form(request, form, store, metric)


@login_required
@may("events.change_metric")
@require_POST
def certify(request: HttpRequest, key: str) -> HttpResponse:
    """Certify the version that the page showed."""
    number = request.POST.get("version", "")
    version = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    said = _("Version {number} is certified.").format(number=version)
    return _done(request, key, said, lambda: save.certify(key=key, version=version, by=person(request)))


@login_required
@may("events.change_metric")
@require_POST
def deprecate(request: HttpRequest, key: str) -> HttpResponse:
    """Deprecate a metric: it can't be picked any more."""
    why = request.POST.get("why", "").replace("\x00", "").strip()
    said = _("It is deprecated: nobody can pick it anew, and what runs goes on.")
    return _done(request, key, said, lambda: save.deprecate(key=key, by=person(request), why=why))


@login_required
@may("events.change_metric")
@require_POST
def take_up_again(request: HttpRequest, key: str) -> HttpResponse:
    """Make a deprecated metric a draft again."""
    said = _("It is a draft again.")
    return _done(request, key, said, lambda: save.take_up_again(key=key, by=person(request)))


@login_required
@may("events.add_metriccheck")
@require_POST
def start_check(request: HttpRequest, key: str) -> HttpResponse:
    """Start a check: value week by week, and false alarms."""
    said = _("It is being checked on its past.")
    return _done(request, key, said, lambda: check.start_check(key=key, by=person(request)))


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
            messages.success(request, _("Saved: version {number}.").format(number=stored.version))
            return redirect("events:metric", key=stored.key)
    return render(request, "events/metrics/form.html", {"form": form, "metric": metric})


def _done(request: HttpRequest, key: str, said: str, action: Callable[[], object]) -> HttpResponse:
    _metric(key)
    try:
        action()
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, said)
    return redirect("events:metric", key=key)
