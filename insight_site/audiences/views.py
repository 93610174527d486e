"""Pages of audiences."""

from itertools import count
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from aha.models import AhaMoment
from insight_site.audiences import audience_services, sync
from insight_site.models import MOST_HOURS, Audience, AudienceMember
from runs.models import key_from
from runs.refusals import Refused
from runs.web import may, person
from segments.published.members import models_with_current

# The form of an audience: which users, where the list goes, how often.

EVERY = [(1, _("every hour")), (6, _("every 6 hours")), (24, _("once a day")), (MOST_HOURS, _("once a week"))]
APART = "/"  # between the keys of a model and of its segment


class AudienceForm(forms.Form):
    """Everything that a person decides; `values` are what `audiences` takes."""

    name = forms.CharField(label=_("Name"), max_length=100)
    who = forms.ChoiceField(label=_("Who"), choices=Audience.Who.choices)
    segment = forms.ChoiceField(
        label=_("Segment"), required=False, help_text=_("A new version of it is followed by itself.")
    )
    moment = forms.ChoiceField(label=_("AHA moment"), required=False)
    way = forms.ChoiceField(label=_("How it goes out"), choices=Audience.Way.choices)
    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        required=False,
        help_text=_("https://… for a webhook, s3://bucket/path for files. Programs that fetch it need none."),
    )
    hours = forms.TypedChoiceField(label=_("Counted"), choices=EVERY, coerce=int, initial=24)
    enabled = forms.BooleanField(label=_("Switched on"), required=False, initial=True)

    def __init__(self, *args: Any, audience: Audience | None = None, **options: Any) -> None:
        self.audience = audience
        super().__init__(*args, **options)
        fields: dict[str, Any] = self.fields
        fields["segment"].choices = [("", "—"), *_segments()]
        fields["moment"].choices = [("", "—"), *((moment.key, str(moment)) for moment in AhaMoment.objects.light())]
        if audience is not None and audience.hours not in dict(EVERY):  # created by REST
            fields["hours"].choices = [*EVERY, (audience.hours, _("every %(n)s hours") % {"n": audience.hours})]

    def values(self) -> dict[str, Any]:
        """Fields of `Audience`."""
        given = dict(self.cleaned_data)
        model, _apart, group = given.pop("segment").partition(APART)
        models = {row.key: row for row in models_with_current()}
        given["segment_model"], given["segment_key"] = models.get(model), group
        given["moment"] = AhaMoment.objects.light("study").filter(key=given["moment"]).first()
        if self.audience is None:
            given["key"] = _free_key(key_from(given["name"], "audience")[:50])
        return given


def first_values(audience: Audience) -> dict[str, Any]:
    """Initial values of the form for an existing audience."""
    model = audience.segment_model
    return {
        **{name: getattr(audience, name) for name in ("name", "who", "way", "url", "hours", "enabled")},
        "segment": f"{model.key}{APART}{audience.segment_key}" if model else "",
        "moment": audience.moment.key if audience.moment else "",
    }


def _free_key(wanted: str) -> str:
    taken = set(Audience.objects.values_list("key", flat=True))
    return next(key for n in count(1) if (key := wanted if n == 1 else f"{wanted}-{n}") not in taken)


def _segments() -> list[tuple[str, str]]:
    return [
        (f"{model.key}{APART}{row.key}", str(model) if str(row) == str(model) else f"{model} · {row}")
        for model in models_with_current()
        for version in model.current_versions
        for row in version.segments.all()
    ]


SHOWN = 20


@login_required
@may("insight_site.view_audience")
@require_safe
def audience_list(request: HttpRequest) -> HttpResponse:
    """List of audiences with their state."""
    rows = Audience.objects.select_related("segment_model", "moment")
    return render(request, "audiences/list.html", {"rows": rows})


@login_required
@may("insight_site.add_audience")
@require_http_methods(["GET", "HEAD", "POST"])
def new_audience(request: HttpRequest) -> HttpResponse:
    """Create an audience; the page of a segment or moment may preselect it."""
    given = {name: request.GET[name] for name in ("who", "segment", "moment") if name in request.GET}
    form = AudienceForm(request.POST or None, initial=given)
    if request.method == "POST" and form.is_valid():
        try:
            made = audience_services.create_audience(by=person(request), **form.values())
        except Refused as refusal:
            _say(form, refusal)
        else:
            messages.success(request, gettext("It is being counted now."))
            return redirect("audiences:page", made.key)
    return render(request, "audiences/form.html", {"form": form})


@login_required
@may("insight_site.change_audience")
@require_http_methods(["GET", "HEAD", "POST"])
def change_audience(request: HttpRequest, key: str) -> HttpResponse:
    """Change an audience."""
    audience = _found(key)
    form = AudienceForm(request.POST or None, initial=first_values(audience), audience=audience)
    if request.method == "POST" and form.is_valid():
        try:
            audience_services.update_audience(audience=audience, **form.values())
        except Refused as refusal:
            _say(form, refusal)
        else:
            return redirect("audiences:page", key)
    return render(request, "audiences/form.html", {"form": form, "audience": audience})


@login_required
@may("insight_site.view_audience")
@require_safe
def audience_page(request: HttpRequest, key: str) -> HttpResponse:
    """An audience: its state, latest changes, and what its receiver gets."""
    return render(request, "audiences/page.html", _context(request, _found(key)))


@login_required
@may("insight_site.change_audience")
@require_POST
def count_now(request: HttpRequest, key: str) -> HttpResponse:
    """Count it now; with `although` even when more than half of its members would leave."""
    audience_services.ask_for_count(audience=_found(key), although_it_shrinks="although" in request.POST)
    messages.success(request, gettext("It is being counted now."))
    return redirect("audiences:page", key)


@login_required
@may("insight_site.change_audience")
@require_POST
def new_secret(request: HttpRequest, key: str) -> HttpResponse:
    """Issue a new secret, shown only in this response."""
    audience = audience_services.rotate_secret(audience=_found(key))
    response = render(request, "audiences/page.html", _context(request, audience) | {"secret": audience.secret})
    response["Cache-Control"] = "no-store"
    return response


@login_required
@may("insight_site.delete_audience")
@require_POST
def delete_audience(request: HttpRequest, key: str) -> HttpResponse:
    """Delete an audience: nothing more is sent, and its list is deleted here."""
    _found(key).delete()
    return redirect("audiences:list")


def _found(key: str) -> Audience:
    return get_object_or_404(Audience.objects.select_related("segment_model", "moment__study", "created_by"), key=key)


def _context(request: HttpRequest, audience: Audience) -> dict[str, Any]:
    named = request.user.has_perm("segments.view_membership")
    rows = AudienceMember.objects.filter(audience=audience).order_by("-change")[:SHOWN] if named else []
    return {
        "audience": audience,
        "refusal": Refused.from_record(audience.refusal) if audience.refusal else None,
        "shrinks": "went" in ((audience.refusal or {}).get("fields") or {}),
        "changes": rows,
        "disturbed": audience_services.tests_disturbed(audience),
        "example": sync.example(audience),
    }


def _say(form: AudienceForm, refusal: Refused) -> None:
    field = {"segment_model": "segment"}.get(refusal.at, refusal.at)
    form.add_error(field if field in form.fields else None, refusal.sentence)
