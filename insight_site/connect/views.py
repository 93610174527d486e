"""Pages to connect a service, the first step on every site."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from events.models import Source
from experiments.models import Experiment
from insight_site.access import keys
from insight_site.connect import first_day, newest_events
from insight_site.connect.send_snippets import snippets
from insight_site.models import ApiKey
from runs.refusals import Refused
from runs.web import may, person

# The form that creates a source and its key in one step.

SCOPES = ("events:write", "assign:read", "config:read")  # send events, request assignments: what a service needs


class ConnectForm(forms.Form):
    """Name of the service, and where its key will be used."""

    name = forms.CharField(
        label=_("What sends the events?"),
        max_length=100,
        help_text=_("The name of an app, site or backend, for example “Shop iOS” or “game server”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    kind = forms.ChoiceField(
        label=_("Where does its key stand?"),
        choices=[
            (ApiKey.Kind.SERVER, _("on a server: the key stays secret")),
            (ApiKey.Kind.CLIENT, _("in a browser or an app: anybody can read the key")),
        ],
        initial=ApiKey.Kind.SERVER,
        widget=forms.RadioSelect,
    )

    def clean_name(self) -> str:
        """A new name, or that of an existing source, which then gets another key."""
        name = str(self.cleaned_data["name"]).strip()
        if "\x00" in name or not name:
            raise forms.ValidationError(_("Write a name, for example “Shop iOS”."))
        return name

    def source(self) -> Source:
        """The source with this name, created if missing."""
        return Source.objects.get_or_create(name=self.cleaned_data["name"])[0]

    @property
    def is_public(self) -> bool:
        """True for a client key, which anybody can read."""
        data: dict[str, Any] = self.cleaned_data
        return bool(data["kind"] == ApiKey.Kind.CLIENT)


NO_FLAG = "my-flag"  # flag to ask for before there is an experiment
PERMISSIONS = ("events.add_source", "insight_site.add_apikey")


def connect_context(user: User | AnonymousUser, form: ConnectForm | None = None) -> dict[str, Any]:
    """Context of `events/connect.html` before a key exists: on the home page, in the data section, on its own page."""
    return {
        "form": form or ConnectForm(),
        "may_connect": user.has_perms(PERMISSIONS),
        "sample_offered": user.has_perm("events.add_source") and first_day.is_possible(),
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
    return render(request, "events/received.html", {**_waiting(source, after, since), **_trial(request)})


@login_required
@may("events.add_source")
@require_POST
def fill_with_sample(request: HttpRequest) -> HttpResponse:
    """Create sample data; only on an empty site."""
    try:
        first_day.request_sample()
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, gettext("Made-up data are being written. They appear here within a minute."))
    return redirect("events:overview")


@login_required
@may("events.add_source")
@require_http_methods(["GET", "HEAD", "POST"])
def remove_sample(request: HttpRequest) -> HttpResponse:
    """Ask before the made-up data are removed, and let a worker remove them."""
    sample = first_day.sample_here()
    if request.method == "POST" and sample is not None:
        first_day.request_removal()
        messages.success(request, gettext("The made-up data are being removed. Your own data stay."))
    if request.method == "POST" or sample is None:
        return redirect("events:overview")
    return render(request, "events/remove_sample.html", {"sample": sample})


@login_required
@may("events.add_source")
@require_POST
def forget_test_events(request: HttpRequest) -> HttpResponse:
    """Forget what services have sent so far, while it is no more than a test."""
    if not request.user.has_perms(PERMISSIONS):
        raise PermissionDenied
    try:
        number = first_day.request_forgetting()
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(
            request,
            ngettext(
                "%(n)d test event is being forgotten. Imported files stay.",
                "%(n)d test events are being forgotten. Imported files stay.",
                number,
            )
            % {"n": number},
        )
    return redirect("home")


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
        messages.success(request, gettext("Noted: the data are right. Next comes the first study."))
        return redirect("home")
    context: dict[str, Any] = {"may_judge": judges, "judged": first_day.DATA in first_day.said()}
    try:
        context["checks"] = newest_events.checks(newest_events.seen())
    except Refused as refusal:
        context["trouble"] = refusal.sentence
    return render(request, "events/check_page.html", context)


@login_required
@may("events.view_source")
@require_safe
def first_day_part(request: HttpRequest) -> HttpResponse:
    """The checklist on the first page, which polls while it waits for the first event."""
    onboarding = first_day.said()
    facts = first_day.facts(request.user, over=first_day.FINISHED in onboarding)
    context = {"first_day": first_day.tasks(request.user, facts, onboarding)}
    response = render(request, "insight_site/first_day.html", context)
    if facts.came:
        response["HX-Refresh"] = "true"  # reload: the first page now shows more than the checklist
    return response


def _issued(request: HttpRequest, form: ConnectForm) -> dict[str, Any]:
    since, after = timezone.now(), newest_events.mark()
    with transaction.atomic():
        source = form.source()
        row, key = keys.issue_key(
            name=source.name, source=source, kind=form.cleaned_data["kind"], scopes=SCOPES, created_by=person(request)
        )
    host = request.build_absolute_uri("/").rstrip("/")
    flag = Experiment.objects.order_by("-pk").values_list("flag_key", flat=True).first() or NO_FLAG
    context = {
        "issued": row,
        "key": key,
        "flag": flag,
        "snippets": snippets(host, key, public=form.is_public, flag=flag),
    }
    return {**context, **_waiting(source, after, since), **_trial(request)}


def _waiting(source: Source, after: int, since: datetime) -> dict[str, Any]:
    arrived = newest_events.received(source, after=after, since=since)
    return {"source": source, "after": after, "since": since.isoformat(), "received": arrived}


def _trial(request: HttpRequest) -> dict[str, Any]:
    """How many events this person could forget as test events."""
    return {"trial_events": first_day.trial_events(first_day.said()) if request.user.has_perms(PERMISSIONS) else 0}
