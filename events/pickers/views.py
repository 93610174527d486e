"""HTML fragments for pickers: suggestions, chips, a definition's form, and its base rate."""

from datetime import date
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from events.catalogue.check_metric import preview_metric
from events.catalogue.metric_page import preview_parts
from events.metrics import LONGEST_LINE, metric_lines
from events.pickers.base_rate import RateQuestion, base_rate, rate_context
from events.pickers.definition_parts import KINDS, Parts, definition_of, parts_of, read_definition, with_usual_days
from events.pickers.fields import builder_context, sent_parts
from events.pickers.known_names import chips_of
from events.pickers.sources import find_source
from events.store.ownership import StoreRefused
from events.windows import DayMode
from runs.refusals import Refused
from runs.web import may

LONGEST = 256


@login_required
@require_safe
def options(request: HttpRequest, kind: str) -> HttpResponse:
    """Suggestions for the typed text `q`, belonging to the name in `of`."""
    source = find_source(kind)
    if source is None:
        raise Http404
    if source.permission and not request.user.has_perm(source.permission):
        raise PermissionDenied
    typed, of = (request.GET.get(name, "")[:LONGEST] for name in ("q", "of"))
    try:
        choices = source.choices(typed, of)
    except StoreRefused as refusal:
        return render(request, "pickers/options.html", {"refused": refusal.sentence})
    return render(request, "pickers/options.html", {"choices": choices, "typed": typed})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def chips(request: HttpRequest) -> HttpResponse:
    """The chips of a field with many behaviours or outcomes, from its lines; long ones are posted."""
    lines = metric_lines((request.POST if request.method == "POST" else request.GET).get("lines", ""))
    chips, ordered = chips_of(lines, request.GET.get("of", "")), request.GET.get("ordered") == "1"
    return render(request, "pickers/chip_list.html", {"chips": chips, "ordered": ordered})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def definition(request: HttpRequest) -> HttpResponse:
    """A definition after its parts or its line were edited: parts, line and sentence updated to match.

    If parts were edited, only dependent fragments are returned, since people may be typing in the next part.
    """
    data = request.POST.copy()  # an SQL metric can be longer than a URL
    data.update(request.GET)
    name = data.get("of", "")[:100]
    kinds = tuple(kind for kind in data.get("kinds", "").split() if kind in KINDS)
    if not name.replace("_", "").replace("-", "").isalnum() or not kinds:
        raise Http404
    changed, rate = data.get("changed", ""), data.get("rate") == "1"
    by_parts = changed in ("parts", "kind", "inputs")
    read, parts, wrong = None, _sent(data, name) if by_parts else None, ""
    if parts is not None and changed == "kind":
        parts = with_usual_days(parts)
    try:
        read = definition_of(parts) if parts else read_definition(data.get("line") or data.get(name, ""))
    except Refused as refusal:
        wrong = refusal.sentence
    line = str(read) if read is not None else data.get(name, "")[:LONGEST_LINE]
    context = {
        **builder_context(name, line, parts, kinds, rate=rate),
        "wrong": wrong,
        "wrong_line": wrong and not parts,
    }
    template = "pickers/in_step.html" if changed == "parts" else "pickers/builder_body.html"
    response = render(request, template, context)
    response["HX-Trigger-After-Settle"] = "picked"
    return response


def _sent(data: Any, name: str) -> Parts:
    try:
        before = parts_of(read_definition(data.get(f"{name}_was", "")))
    except Refused:
        before = parts_of(None)
    return sent_parts(data, name, before)


@login_required
@require_safe
def rate(request: HttpRequest) -> HttpResponse:
    """Base rate, eligible users and curve of the retention in the submitted form."""
    query = request.GET
    name = query.get("rate_of", "retention")
    mode = query.get("day_mode", "")
    question = RateQuestion(
        retention=(query.get(name) or "")[:LONGEST_LINE],
        signup_event=(query.get("signup_event") or "*")[:LONGEST],
        first_date=_date(query.get("first_date")),
        last_date=_date(query.get("last_date")),
        day_mode=mode if mode in list(DayMode) else DayMode.ROLLING,
    )
    try:
        context = rate_context(base_rate(question), question.retention)
    except Refused as refusal:
        context = {"refused": refusal.sentence}
    return render(request, "pickers/rate.html", context)


@login_required
@may("events.add_metriccheck")
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """A metric on data, before it is used: how many users have a row, its value, some values. Nothing is stored."""
    line = request.POST.get(request.GET.get("of", "line"), "")[:LONGEST_LINE]
    try:
        context = preview_parts(preview_metric(line, signup_event=request.POST.get("signup_event", "")[:LONGEST]))
    except Refused as refusal:
        context = {"refused": refusal.sentence}
    return render(request, "pickers/preview.html", context)


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
