"""Pages of audiences."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from insight_site.audiences import audience_services, handing_over
from insight_site.audiences.forms import AudienceForm, first_values
from insight_site.models.audiences import Audience, AudienceMember
from runs.refusals import Refused
from runs.web import may, person

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
        "example": handing_over.example(audience),
    }


def _say(form: AudienceForm, refusal: Refused) -> None:
    field = {"segment_model": "segment"}.get(refusal.at, refusal.at)
    form.add_error(field if field in form.fields else None, refusal.sentence)
