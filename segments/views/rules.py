"""The page of the rule editor: its rows, live member count, and publishing."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from runs.models import key_from
from runs.progress import Cancelled
from runs.refusals import Refused
from runs.web import is_htmx, may, person
from segments.forms import RuleForm
from segments.models import SegmentModel
from segments.published import publish, rule_members
from segments.report.rule_page import count_shown, mistakes_in_words, what_publishing_does
from segments.rules import grows_old, to_document
from segments.rules.editor_state import State, read_state, state_of_text
from segments.rules.editor_templates import rule_templates
from segments.rules.editor_view import Known, shown


@login_required
@may("segments.add_segmentversion")
@require_http_methods(["GET", "HEAD", "POST"])
def new_rule(request: HttpRequest) -> HttpResponse:
    """Edit and publish a rule segment; the URL may prefill its fields."""
    known = rule_members.known_names()
    if request.method != "POST":
        brought = {name: request.GET[name] for name in RuleForm.base_fields if name in request.GET}
        state = state_of_text(request.GET["rule"]) if request.GET.get("rule") else State()
        return _page(request, RuleForm(initial=brought, known=known), state, known)
    form, state = RuleForm(request.POST, known=known), _state(request)
    rule = state.rule
    whole = rule is not None and not any(each.blocks for each in state.mistakes(known))
    if form.is_valid() and whole and rule is not None:
        try:
            version = publish.publish_rule(**form.cleaned_data, rule=to_document(rule), by=person(request))
        except Refused as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, gettext("Version %(number)s is published.") % {"number": version.number})
            return redirect("segments:model", key=version.model.key)
    return _page(request, form, state, known, missing=True, status=422)


@login_required
@may("segments.add_segmentversion")
@require_POST
@vary_on_headers("HX-Request")
def rule_builder(request: HttpRequest) -> HttpResponse:
    """The rows after a change, as an HTML fragment; without htmx the whole page."""
    rule_members.end_count(_asker(request))
    known, state = rule_members.known_names(), _state(request)
    if not is_htmx(request):
        return _page(request, RuleForm(initial=request.POST.dict(), known=known), state, known)
    response = render(request, "segments/rule/builder.html", {**_rows(state, known), "fragment": True})
    response["HX-Trigger-After-Settle"] = "rows-changed"
    return response


@login_required
@may("segments.add_segmentversion")
@require_POST
@vary_on_headers("HX-Request")
def preview_rule(request: HttpRequest) -> HttpResponse:
    """Number of users that match the rule, as an HTML fragment; without htmx the whole page."""
    known, state = rule_members.known_names(), _state(request)
    try:
        count = _count(request, state, known)
    except Cancelled:
        return HttpResponse(status=204)  # htmx keeps showing the older count until the newer one arrives
    if is_htmx(request):
        return render(request, "segments/rule/count.html", count)
    form = RuleForm(initial=request.POST.dict(), known=known)
    return _page(request, form, state, known, missing=True, count=count)


def _asker(request: HttpRequest) -> str:
    """Id of the client that waits for a count: one browser of one user."""
    return request.session.session_key or ""


def _state(request: HttpRequest) -> State:
    return read_state(dict(request.POST.lists()))


def _rows(state: State, known: Known, *, missing: bool = False) -> dict[str, Any]:
    rows = shown(state.rows, known, state.mistakes(known, missing=missing), state.focus)
    return {"state": state, "rows": rows, "templates": rule_templates()}


def _page(
    request: HttpRequest,
    form: RuleForm,
    state: State,
    known: Known,
    *,
    missing: bool = False,
    status: int = 200,
    count: dict[str, Any] | None = None,
) -> HttpResponse:
    context = {"form": form, "known": known, **_rows(state, known, missing=missing), **(count or {})}
    return render(request, "segments/new_rule.html", context, status=status)


def _count(request: HttpRequest, state: State, known: Known) -> dict[str, Any]:
    rule, signup = state.rule, request.POST.get("signup_event", "")
    blocking = [each for each in state.mistakes(known) if each.blocks]
    if state.is_fresh:
        return {"waiting": True}
    if rule is None or blocking:
        return {"errors": mistakes_in_words(state, blocking)}
    try:
        counted = rule_members.count_rule(rule, signup, asker=_asker(request))
    except Refused as refusal:
        return {"errors": [refusal.sentence]}
    key = request.POST.get("key") or key_from(request.POST.get("name", ""), "")
    model = SegmentModel.objects.filter(key=key).first() if key else None
    known_as = None if model is None else (model.name, model.next_number)
    return {
        "counted": counted,
        **count_shown(counted, rule),
        "grows_old": grows_old(rule) and not request.POST.get("refresh_days"),
        "what_happens": what_publishing_does(key, known_as),
    }
