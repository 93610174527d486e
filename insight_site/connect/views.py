"""Pages to connect a service, the first step on every site."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from events.models import Source
from experiments.models import Experiment
from insight_site.access import keys
from insight_site.connect import data_checks, first_day, first_event, newest_events, sample
from insight_site.connect.forms import SCOPES, ConnectForm
from insight_site.connect.send_snippets import snippets
from runs.refusals import Refused
from runs.web import may, person

NO_FLAG = "my-flag"  # flag to ask for before there is an experiment
PERMISSIONS = ("events.add_source", "insight_site.add_apikey")


def connect_context(user: User | AnonymousUser, form: ConnectForm | None = None) -> dict[str, Any]:
    """Context of `events/connect.html` before a key exists: on the home page, in the data section, on its own page."""
    return {
        "form": form or ConnectForm(),
        "may_connect": user.has_perms(PERMISSIONS),
        "sample_offered": user.has_perm("events.add_source") and sample.is_possible(),
        "issued": None,
    }


@login_required
@may("events.view_source")
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Create source and key from the form; show the snippets and wait. The key is shown only in this response."""
    form = ConnectForm(request.POST or None) if request.method == "POST" else ConnectForm()
    context = connect_context(request.user, form)
    if request.method == "POST":
        if not context["may_connect"]:
            return render(request, "events/connect_page.html", context, status=403)
        if form.is_valid():
            context |= _issued(request, form)
    response = render(request, "events/connect_page.html", context)
    response["Cache-Control"] = "no-store"
    return response


@login_required
@may("events.view_source")
@require_safe
def received(request: HttpRequest) -> HttpResponse:
    """The polling part of the page: it repeats until an event arrives."""
    try:
        number, after = int(request.GET["source"]), int(request.GET["after"])
        since = datetime.fromisoformat(request.GET["since"])
    except (KeyError, ValueError):
        raise Http404 from None
    if since.tzinfo is None or max(number, after) > 2**62:
        raise Http404
    source = get_object_or_404(Source, pk=number)
    return render(request, "events/received.html", _waiting(source, after, since))


@login_required
@may("events.add_source")
@require_POST
def fill_with_sample(request: HttpRequest) -> HttpResponse:
    """Create sample data; only on an empty site."""
    try:
        sample.request_sample()
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, gettext("Made-up data are being written. They appear here within a minute."))
    return redirect("events:overview")


@login_required
@may("events.view_source")
@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest) -> HttpResponse:
    """Show the data checks, one sentence per finding; people with the permission may confirm that they are right."""
    judges = first_day.may_judge(request.user)
    if request.method == "POST":
        if not judges:
            raise PermissionDenied
        first_day.say_done(first_day.DATA)
        messages.success(request, gettext("Noted: the data look right. Next comes the first study."))
        return redirect("home")
    context: dict[str, Any] = {"may_judge": judges, "judged": first_day.DATA in first_day.said()}
    try:
        context["checks"] = data_checks.checks(newest_events.seen())
    except Refused as refusal:
        context["trouble"] = refusal.sentence
    return render(request, "events/check_page.html", context)


@login_required
@may("events.view_source")
@require_safe
def first_day_part(request: HttpRequest) -> HttpResponse:
    """The checklist on the first page, which polls while it waits for the first event."""
    kept = first_day.said()
    found = first_day.facts(request.user, over=first_day.FINISHED in kept)
    context = {"first_day": first_day.tasks(request.user, found, kept)}
    response = render(request, "insight_site/first_day.html", context)
    if found.came:
        response["HX-Refresh"] = "true"  # reload: the first page now shows more than the checklist
    return response


def _issued(request: HttpRequest, form: ConnectForm) -> dict[str, Any]:
    since, after = timezone.now(), first_event.mark()
    with transaction.atomic():
        source = form.source()
        row, key = keys.issue_key(
            name=source.name, source=source, kind=form.cleaned_data["kind"], scopes=SCOPES, created_by=person(request)
        )
    host = request.build_absolute_uri("/").rstrip("/")
    flag = Experiment.objects.order_by("-pk").values_list("flag_key", flat=True).first() or NO_FLAG
    found = {"issued": row, "key": key, "flag": flag, "snippets": snippets(host, key, public=form.is_public, flag=flag)}
    return {**found, **_waiting(source, after, since)}


def _waiting(source: Source, after: int, since: datetime) -> dict[str, Any]:
    found = first_event.received(source, after=after, since=since)
    return {"source": source, "after": after, "since": since.isoformat(), "received": found}
