"""The page of a new segmentation: its form, and beside it whom it would look at, before anything starts."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from events.catalogue.refresh import ready_catalogue
from events.pickers.mends import mended
from events.pickers.rate_words import rate_context
from reporting.numbers import count
from runs.refusals import Refused
from runs.web import may, person
from segments.forms import SegmentationForm
from segments.questions.run_preview import RunPreview, run_data_objections, run_preview
from segments.search import segmentations


@login_required
@may("segments.add_segmentationrun")
@require_http_methods(["GET", "HEAD", "POST"])
def new_run(request: HttpRequest) -> HttpResponse:
    """Ask a segmentation and start it; a link may bring its fields."""
    if request.method != "POST":
        usual = {"signup_event": ready_catalogue().guess_signup(), "retention": "window:21-27"}
        brought = {name: request.GET[name] for name in SegmentationForm.base_fields if request.GET.get(name)}
        return _page(request, SegmentationForm(initial=usual | brought))
    if "mend" in request.POST or "look" in request.POST:
        form = SegmentationForm(mended(request.POST))
        return _page(request, form, _look(form))
    form = SegmentationForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            _add_data_objections(form)
            if not form.errors:
                run = segmentations.start_segmentation(
                    inputs=form.inputs, title=data["title"], seed=data["seed"], by=person(request)
                )
                return redirect("segments:run", pk=run.pk)
        except Refused as refusal:
            form.refuse(refusal)
    return _page(request, form)


@login_required
@may("segments.add_segmentationrun")
@require_POST
def preview_run(request: HttpRequest) -> HttpResponse:
    """Whom the form as it stands would look at, as a fragment."""
    return render(request, "components/before/preview.html", _look(SegmentationForm(request.POST)))


def _page(request: HttpRequest, form: SegmentationForm, looked: dict[str, Any] | None = None) -> HttpResponse:
    return render(request, "segments/new_run.html", {"form": form, "looked": looked})


def _add_data_objections(form: SegmentationForm) -> None:
    for name, error in run_data_objections(form.inputs):
        form.add_error(name, error)


def _look(form: SegmentationForm) -> dict[str, Any]:
    context: dict[str, Any] = {}
    try:
        if form.is_valid():
            _add_data_objections(form)
        if form.is_valid():
            found = run_preview(form.inputs)
            context = {"asked": _asked(form), "facts": _facts(found)}
            if found.rated and form.inputs.retention:
                context["rate"] = rate_context(found.users, form.inputs.retention)
    except Refused as refusal:
        form.refuse(refusal)
    context["wrong"] = [
        {"label": form[name].label if name in form.fields else "", "name": name, "errors": errors.data}
        for name, errors in form.errors.items()
    ]
    return context


def _asked(form: SegmentationForm) -> str:
    text = _("Which users play alike on days %(first)s to %(last)s?")
    return text % {"first": form.inputs.first_day, "last": form.inputs.last_day}


def _facts(found: RunPreview) -> list[tuple[str, str, str]]:
    users, least, most = found.users, *found.minutes
    about = _("about %(n)s") if users.one_in > 1 else "%(n)s"
    rows = [(_("Users who count"), about % {"n": count(users.eligible * users.one_in)}, "")]
    if young := (users.signups - users.eligible) * users.one_in:
        why = _("they signed up too recently: their days aren't complete yet")
        rows.append((_("Left out"), about % {"n": count(young)}, why))
    rows.append((_("Behaviours"), count(found.behaviours), ""))
    minutes = _("%(least)s to %(most)s minutes") % {"least": least, "most": most}
    if least == most:
        minutes = ngettext("about %(n)s minute", "about %(n)s minutes", least) % {"n": least}
    return [*rows, (_("Takes"), minutes, _("you can leave the page"))]
