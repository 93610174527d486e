"""Pages of Explore: the URL holds the query; the page polls for results that take longer than a second."""

from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.cache import patch_vary_headers
from django.utils.dateparse import parse_datetime
from django.utils.http import urlencode
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, gettext, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from aha.explore import answering, report_pages, saved, these_users
from aha.explore.answering import Reply
from aha.explore.forms import DATES, ExploreForm, defaults, filled
from aha.explore.question import BY_CALENDAR, PRESETS, VIEWS, Question, address, shared_address, study_address
from aha.models import SavedView
from events.catalogue import refresh
from events.store.ownership import StoreRefused
from events.upkeep.tags_and_owners import narrowed
from events.upkeep.thing_kinds import kind_of
from reporting.numbers import count
from reporting.table import csv_lines
from runs.refusals import Refused
from runs.web import is_htmx, listing, may, person
from segments.forms import ListForm
from segments.published import publish

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
    form = ExploreForm(view, filled(request.GET, defaults(view, catalogue)))
    context = {**_frame(view), "form": form, "pending": catalogue.pending, "dates": _dates(request, form)}
    if form.is_valid():
        query = address(form.question)
        if request.GET:
            context |= _frame(view, form.question)
        if request.GET and not is_htmx(request) and request.GET.urlencode() != query:
            return redirect(f"{reverse('explore:view', args=[view])}?{query}")  # the form sends needless parameters
        context |= _answer_context(request, form)
    template = "aha/explore/answer.html" if is_htmx(request) else "aha/explore/page.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _frame(view: str, question: Question | None = None) -> dict[str, Any]:
    """Name and tabs of a view; the other views are asked alike where their fields are."""
    titles = report_pages.titles()
    name, asks = titles[view]
    shared = "" if question is None else f"?{shared_address(question)}"
    tabs = [
        {"view": other, "name": titles[other][0], "url": f"{reverse('explore:view', args=[other])}{shared}"}
        for other in VIEWS
    ]
    return {"view": view, "name": name, "asks": asks, "tabs": tabs}


def _dates(request: HttpRequest, form: ExploreForm) -> dict[str, Any]:
    """The choice of dates above a view: links to the same question about other dates, and a form for two dates."""
    if form.is_valid():
        rest = parse_qsl(address(replace(form.question, dates="", first=None, last=None)))
    else:
        rest = [(name, text) for name in request.GET for text in request.GET.getlist(name)]
        rest = [(name, text) for name, text in rest if name not in (*DATES, "mend")]
    chosen = form.data.get("dates", "")
    own = any(form.data.get(name) for name in DATES if name != "dates") and not chosen
    links = [
        {"name": name, "here": days == chosen and not own, "url": f"{request.path}?{urlencode([*rest, *some])}"}
        for days, name, some in (
            *((days, report_pages.preset_words(days), [("dates", days)]) for days in PRESETS),
            ("", gettext("All"), []),
        )
    ]
    label = gettext("Days shown") if form.view in BY_CALENDAR else gettext("Signed up")
    return {"label": label, "links": links, "rest": rest, "own": own}


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
    return {"stage": report_pages.stage_words(outcome.stage), "percent": round(100 * outcome.share)}


def _shown(request: HttpRequest, question: Question, payload: dict[str, Any]) -> dict[str, Any]:
    shown = report_pages.show(question, payload)
    return {
        "shown": shown,
        # Names are escaped where the picture is drawn; the markup itself is ours.
        "pictures": [
            {"slug": sheet.slug, "label": sheet.label, "svg": mark_safe(sheet.markup()), "dates": sheet.dates}  # noqa: S308
            for sheet in shown.sheets
        ],
        "study_url": f"{reverse('aha:new_study')}?{study_address(_dated(question, payload))}",
        "outcome_url": _plan_url(shown.outcome),
        "counted_at": parse_datetime(payload["counted_at"]),
    }


def _dated(question: Question, payload: dict[str, Any]) -> Question:
    """The question with the dates of signup that were counted."""
    first, last = (
        date.fromisoformat(payload[name]) if payload[name] and question.view not in BY_CALENDAR else None
        for name in ("first", "last")
    )
    return replace(question, dates="", first=first, last=last)


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
    shown = _answered(request, view)
    rows = [shown.names, *(["" if cell is None else cell for cell in row] for row in shown.rows)]
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
    form, payload = _ready(request, view)
    if payload is None:
        raise Http404(gettext("The answer isn't there yet; open the page first."))
    return report_pages.show(form.question, payload)


# ── The users of a point ──────────────────────────────────────────────────────
IDS_SHOWN = 20


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def users(request: HttpRequest, view: str) -> HttpResponse:
    """The users behind one point of an answer; a POST saves them as a segment."""
    form, payload = _ready(request, view)
    question = form.question
    back = f"{reverse('explore:view', args=[view])}?{address(question)}"
    if payload is None or not payload["users"]:
        return redirect(back)
    choice = these_users.picks(question, payload)
    if not choice:  # no period of levels is over yet
        return redirect(back)
    point = {pick.name: pick.of(request.GET) for pick in choice}
    here = f"{request.path}?{address(question)}&{urlencode(point)}"
    context: dict[str, Any] = {
        **_frame(view, question),
        "back": back,
        "here": here,
        "picks": [(pick, point[pick.name]) for pick in choice],
        "rest": parse_qsl(address(question)),
        "saving": ListForm(request.POST or None),
    }
    try:
        found = these_users.find(question, point)
    except Refused as refusal:
        return render(request, "aha/explore/users.html", {**context, "refusal": refusal.sentence})
    if request.method == "POST" and (answer := _saved_list(request, context["saving"], found, here, question.signup)):
        return answer
    shown = found.ids[:IDS_SHOWN] if request.user.has_perm("segments.view_membership") else ()
    context |= {"found": found, "number": len(found.ids), "shown": shown}
    return render(request, "aha/explore/users.html", context, status=422 if request.method == "POST" else 200)


def _ready(request: HttpRequest, view: str) -> tuple[ExploreForm, dict[str, Any] | None]:
    """The question of an address and its answer; no answer where it isn't there in time or is refused."""
    if view not in VIEWS:
        raise Http404
    form = ExploreForm(view, filled(request.GET, {}))
    if not form.is_valid():
        raise Http404(gettext("This address is incomplete."))
    return form, answering.ask(form.question, patience=FILE_PATIENCE).payload


def _saved_list(
    request: HttpRequest, form: ListForm, found: these_users.Found, here: str, signup: str
) -> HttpResponse | None:
    """Publish the users as a segment and go there; None with the reason in the form where that can't be."""
    if not request.user.has_perm("segments.add_segmentversion"):
        raise PermissionDenied
    if not form.is_valid():
        return None
    try:
        version = publish.publish_list(
            **form.cleaned_data,
            units=found.ids,
            of=found.of,
            signup_event=signup,
            origin={"address": here, "last_day": found.last_day},
            by=person(request),
        )
    except Refused as refusal:
        form.refuse(refusal)
        return None
    said = ngettext("%(n)s user is in the segment.", "%(n)s users are in the segment.", len(found.ids))
    messages.success(request, said % {"n": count(len(found.ids))})
    return redirect("segments:model", key=version.model.key)


# ── Saved views ───────────────────────────────────────────────────────────────
@login_required
@require_safe
def saved_views(request: HttpRequest) -> HttpResponse:
    """All saved views, searched by name, tag and owner."""
    narrow = narrowed(request, kind_of(SavedView), SavedView.objects.all())
    found = listing(request, narrow.rows, text_in=("name",))
    for view in found.page.object_list:
        view.mine = saved.owns(view, person(request))
    return render(request, "aha/explore/saved.html", {"listing": found, "narrow": narrow})


@login_required
@may("aha.add_savedview")
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Save the question of an address under a name."""
    view, query = request.POST.get("view", ""), request.POST.get("query", "")
    if view not in VIEWS:
        raise Http404
    form = ExploreForm(view, filled(QueryDict(query), {}))
    try:
        if not form.is_valid():
            raise Refused("This view can't be saved: its question is incomplete.")
        row = saved.save_view(
            name=request.POST.get("name", ""),
            question=form.question,
            tags=request.POST.get("tags", ""),
            by=person(request),
        )
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect(f"{reverse('explore:view', args=[view])}?{query}")
    messages.success(request, gettext("Saved as “%(name)s”. It can be put on a board now.") % {"name": row.name})
    return redirect("explore:open", row.pk)


@login_required
@require_safe
def open_saved(request: HttpRequest, pk: int) -> HttpResponse:
    """Lead to the address of a saved view."""
    return redirect(saved.address_of(get_object_or_404(SavedView, pk=pk)))


@login_required
@may("aha.change_savedview")
@require_POST
def rename_saved(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename a view of one's own."""
    row = get_object_or_404(SavedView, pk=pk)
    try:
        saved.rename_view(view=row, name=request.POST.get("name", ""), by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("explore:saved")


@login_required
@may("aha.delete_savedview")
@require_POST
def delete_saved(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a view of one's own; it leaves all boards."""
    row = get_object_or_404(SavedView, pk=pk)
    try:
        saved.delete_view(view=row, by=person(request))
        messages.success(request, gettext("“%(name)s” is deleted.") % {"name": row.name})
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("explore:saved")
