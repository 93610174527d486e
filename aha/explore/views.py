"""Pages of Explore: the URL holds the query; the page polls for results that take longer than a second."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import urlencode
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_safe

from aha.explore import answering
from aha.explore.answering import Reply
from aha.explore.forms import ExploreForm, defaults
from aha.explore.question import VIEWS, Question, address, study_address
from aha.explore.report import pages
from events.catalogue import refresh
from events.outbox.ownership import StoreRefused
from events.pickers.mends import mended
from reporting.csv import csv_lines
from runs.web import is_htmx

FILE_PATIENCE = 20.0  # seconds that a download waits for its result


@login_required
@require_safe
def explore(request: HttpRequest, view: str) -> HttpResponse:
    """One view: its form, and the result or its progress; htmx requests get only the result."""
    if view not in VIEWS:
        raise Http404
    try:
        catalogue = refresh.ready_catalogue()
    except StoreRefused as refusal:
        return render(request, "aha/explore/empty.html", {**_frame(view), "trouble": refusal.sentence})
    if catalogue.is_empty and not catalogue.pending:
        return render(request, "aha/explore/empty.html", _frame(view))
    form = ExploreForm(view, _data(request, defaults(view, catalogue)))
    context = {**_frame(view), "form": form, "pending": catalogue.pending}
    if form.is_valid():
        query = address(form.question)
        if request.GET and not is_htmx(request) and request.GET.urlencode() != query:
            return redirect(f"{reverse('explore:view', args=[view])}?{query}")  # the form sends needless parameters
        context |= _answer_context(request, form)
    template = "aha/explore/answer.html" if is_htmx(request) else "aha/explore/page.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _data(request: HttpRequest, initial: dict[str, str]) -> QueryDict:
    """The URL's parameters with defaults for missing ones; funnel steps may be given as separate parameters."""
    data = mended(request.GET)
    for name, value in initial.items():
        if name not in data:
            data[name] = value
    data["steps"] = "\n".join(data.getlist("steps"))
    return data


def _frame(view: str) -> dict[str, Any]:
    titles = pages.titles()
    name, asks = titles[view]
    tabs = [{"view": other, "name": titles[other][0], "url": reverse("explore:view", args=[other])} for other in VIEWS]
    return {"view": view, "name": name, "asks": asks, "tabs": tabs}


def _answer_context(request: HttpRequest, form: ExploreForm) -> dict[str, Any]:
    question = form.question
    query = address(question)
    outcome = answering.ask(question)
    context = {"outcome": outcome, "address": f"{request.path}?{query}", "query": query}
    if outcome.refused is not None:
        form.refuse(outcome.refused)
        return context | {"refusal": outcome.refused.sentence}
    if outcome.payload is None:
        return context | _waiting(outcome)
    return context | _shown(request, question, outcome.payload)


def _waiting(outcome: Reply) -> dict[str, Any]:
    return {"stage": pages.stage_words(outcome.stage), "percent": round(100 * outcome.share)}


def _shown(request: HttpRequest, question: Question, payload: dict[str, Any]) -> dict[str, Any]:
    found = pages.show(question, payload)
    return {
        "shown": found,
        # Names are escaped where the picture is drawn; the markup itself is ours.
        "pictures": [
            {"slug": sheet.slug, "label": sheet.label, "svg": mark_safe(sheet.markup())}  # noqa: S308
            for sheet in found.sheets
        ],
        "study_url": f"{reverse('aha:new_study')}?{study_address(question)}",
        "outcome_url": _plan_url(found.outcome),
    }


def _plan_url(outcome: str) -> str:
    """URL of a new experiment plan with this outcome; "" without an outcome or without that page."""
    try:
        return f"{reverse('experiments:new_plan')}?{urlencode({'outcome': outcome})}" if outcome else ""
    except NoReverseMatch:
        return ""


@login_required
@require_safe
def numbers(request: HttpRequest, view: str) -> HttpResponse:
    """The numbers of a view as CSV."""
    found = _answered(request, view)
    rows = [found.names, *(["" if cell is None else cell for cell in row] for row in found.rows)]
    return _file("".join(csv_lines(rows)), "text/csv; charset=utf-8", f"insight-{view}.{get_language()}.csv")


@login_required
@require_safe
def picture(request: HttpRequest, view: str, slug: str) -> HttpResponse:
    """One of the pictures of a view as SVG."""
    return _file(picture_of(request, view, slug), "image/svg+xml", f"insight-{view}-{slug}.{get_language()}.svg")


def _file(content: str, content_type: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def picture_of(request: HttpRequest, view: str, slug: str) -> str:
    """One chart of the URL's query as a standalone SVG.

    Raises:
        Http404: the URL isn't a valid query, its result isn't ready in time, or it has no such chart.
    """
    for sheet in _answered(request, view).sheets:
        if sheet.slug == slug:
            markup: str = sheet.markup(alone=True)
            return markup
    raise Http404


def _answered(request: HttpRequest, view: str) -> Any:
    """The result of the URL's query, for a file."""
    if view not in VIEWS:
        raise Http404
    form = ExploreForm(view, _data(request, {}))
    if not form.is_valid():
        raise Http404(gettext("This address is incomplete."))
    outcome = answering.ask(form.question, patience=FILE_PATIENCE)
    if outcome.payload is None:
        raise Http404(gettext("The answer isn't there yet; open the page first."))
    return pages.show(form.question, outcome.payload)
