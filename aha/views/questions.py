"""The page of a new study: its form and a preview."""

from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from aha.forms import StudyForm
from aha.models import Study
from aha.questions.asked_changes import changes
from aha.questions.objections import likely_inert, usual_retention, usual_start
from aha.questions.preview import asked_sentence, data_objections, facts, preview
from aha.study import studies
from aha.study.question import Inputs
from events.pickers.base_rate import rate_context
from events.pickers.definition_parts import read_retention
from events.pickers.quick_fixes import mended, wrong_fields
from events.store import ownership
from reporting.document import load
from runs.refusals import Refused
from runs.spending import refuse_over_budget, told_fact
from runs.web import may, person

MANY = ("behaviours", "inert")


@login_required
@may("aha.add_study")
@require_http_methods(["GET", "HEAD", "POST"])
def new_study(request: HttpRequest) -> HttpResponse:
    """Create and start a study; the URL may prefill fields, or name the study whose inputs are changed (`again`)."""
    if request.method != "POST":
        _say_what_ails_the_store(request)
        return _page(request, StudyForm(initial=_brought(request)))
    if "mend" in request.POST or "look" in request.POST:
        form = StudyForm(mended(request.POST))
        return _page(request, form, _look(form))
    form = StudyForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            refuse_over_budget(studies.price_of(form.inputs))
            _add_data_objections(form)
            if not form.errors:
                study = studies.start_study(
                    inputs=form.inputs,
                    title=data["title"],
                    seed=data["seed"],
                    by=person(request),
                    changed_from=_study(data["changed_from"]),
                    metric=data["retention_metric"],
                    for_ranking=True,
                )
                return redirect("aha:study", pk=study.pk)
        except Refused as refusal:
            form.refuse(refusal)
    return _page(request, form)


@login_required
@may("aha.add_study")
@require_POST
def preview_study(request: HttpRequest) -> HttpResponse:
    """The preview for the form's current values, as an HTML fragment."""
    return render(request, "components/before/preview.html", _look(StudyForm(request.POST)))


def _say_what_ails_the_store(request: HttpRequest) -> None:
    """Warn that the event store is unavailable, so that it doesn't look like a store without events."""
    try:
        ownership.files_to_read()
    except Refused as refusal:
        messages.error(request, refusal.sentence)


def _page(request: HttpRequest, form: StudyForm, looked: dict[str, Any] | None = None) -> HttpResponse:
    origin = _study(form["changed_from"].value())
    context = {"form": form, "origin": origin, "likely_inert": likely_inert(), "looked": looked}
    return render(request, "aha/new_study/page.html", context)


def _brought(request: HttpRequest) -> dict[str, Any]:
    """Initial field values: from the changed study, else defaults from the data; fields in the URL override both."""
    query, origin = request.GET, _study(request.GET.get("again"))
    initial: dict[str, Any] = {}
    if origin is not None:
        inputs = load(Inputs, origin.inputs)
        initial = {**vars(inputs), "days": " ".join(map(str, inputs.days)), "segment": inputs.segment or ""}
        initial["level"] = (inputs.level or "").partition("=")[0]  # its days follow the retention's
        initial |= {"seed": origin.seed, "changed_from": origin.pk}
        initial["title"] = origin.title if origin.has_own_title else ""
    for name in StudyForm.base_fields:
        if name in MANY and query.getlist(name):
            initial[name] = "\n".join(query.getlist(name))
        elif query.get(name):
            initial[name] = query[name]
    with suppress(Refused):
        initial["retention"] = (
            str(read_retention(initial["retention"])) if initial.get("retention") else usual_retention()
        )
    initial.setdefault("signup_event", usual_start())
    return initial


def _study(number: Any) -> Study | None:
    text = str(number or "")
    return Study.objects.light().filter(pk=int(text)).first() if text.isascii() and text.isdigit() else None


def _add_data_objections(form: StudyForm) -> None:
    for name, error in data_objections(form.inputs):
        form.add_error(name, error)


def _look(form: StudyForm) -> dict[str, Any]:
    """Context of `components/before/preview.html`."""
    context: dict[str, Any] = {}
    try:
        if form.is_valid():
            price = studies.price_of(form.inputs)
            refuse_over_budget(price)
            _add_data_objections(form)
        if form.is_valid():
            result = preview(form.inputs)
            context = {
                "asked": asked_sentence(form.inputs),
                "facts": (*facts(result), told_fact(Study, price)),
                "rate": rate_context(result.rate, form.inputs.retention),
            }
            origin = _study(form.cleaned_data["changed_from"])
            if origin is not None:
                context |= {"origin": origin, "changes": changes(load(Inputs, origin.inputs), form.inputs)}
    except Refused as refusal:
        form.refuse(refusal)
    context["wrong"] = wrong_fields(form)
    return context
