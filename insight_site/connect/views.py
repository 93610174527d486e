"""Connect a service: the page that begins every site."""

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

NO_FLAG = "my-flag"  # to ask for, before there is one
PERMISSIONS = ("events.add_source", "insight_site.add_apikey")


def connect_context(user: User | AnonymousUser, form: ConnectForm | None = None) -> dict[str, Any]:
    """What `events/connect.html` shows before a key is made: on the home page, in the data section, on its own page."""
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
    """Ask for the service; make source and key; show the snippets and wait. The key stands in this answer alone."""
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
    """The part of the page that waits: it asks again until something has come."""
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
    """Made-up users and events, on an empty site alone."""
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
    """Do the data look right? What was found, one sentence each; who may judge says that they are."""
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
    """The list of the first page, which asks again while it waits for the first event."""
    kept = first_day.said()
    found = first_day.facts(request.user, over=first_day.FINISHED in kept)
    context = {"first_day": first_day.tasks(request.user, found, kept)}
    response = render(request, "insight_site/first_day.html", context)
    if found.came:
        response["HX-Refresh"] = "true"  # the first page has more to show now than its beginning
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
