"""Pages for tidying up: hygiene, tags; and the small forms on the page of each thing."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from events.models import Tag
from events.upkeep import archive as upkeep_archive
from events.upkeep import tags_and_owners
from events.upkeep.thing_kinds import ThingKind, find_kind, thing_kinds
from insight_site.tidying import untidy
from runs.refusals import Refused
from runs.web import may, person


# ── One thing ─────────────────────────────────────────────────────────────────
@login_required
@require_POST
def set_tags(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Set a thing's tags from a comma-separated field."""
    thing = _related(request, kind, pk)
    try:
        tags_and_owners.set_tags(thing=thing, names=tags_and_owners.tag_names(request.POST.get("tags", "")))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return _back(request)


@login_required
@require_POST
def set_owner(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Change a thing's owner."""
    thing = _related(request, kind, pk)
    owner = User.objects.filter(username=request.POST.get("owner", "").replace("\x00", "")).first()
    try:
        if owner is None:
            raise Refused("There is no such account.")
        tags_and_owners.set_owner(thing=thing, owner=owner)
        messages.success(request, gettext("It belongs to %(name)s now.") % {"name": owner.get_username()})
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return _back(request)


@login_required
@require_POST
def archive(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Archive a thing, or show what still needs it."""
    thing_kind, thing = _archivable(request, kind, pk)
    try:
        upkeep_archive.archive(thing=thing, by=person(request))
        messages.success(request, gettext("%(name)s is archived.") % {"name": thing_kind.title_of(thing)})
    except Refused as refusal:
        messages.error(request, f"{thing_kind.title_of(thing)}: {refusal.sentence}")
    return _back(request)


@login_required
@require_POST
def restore(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Restore a thing from the archive."""
    thing_kind, thing = _archivable(request, kind, pk)
    upkeep_archive.restore(thing=thing, by=person(request))
    messages.success(request, gettext("%(name)s is back in the lists.") % {"name": thing_kind.title_of(thing)})
    return _back(request)


def _thing(request: HttpRequest, slug: str, pk: int) -> tuple[ThingKind, Any]:
    """The thing at this address, for people who may change it."""
    kind = find_kind(slug)
    if kind is None:
        raise Http404
    if not request.user.has_perm(kind.permission("change")):
        raise PermissionDenied
    return kind, get_object_or_404(kind.rows(), pk=pk)


def _related(request: HttpRequest, slug: str, pk: int) -> Any:
    """A thing whose tags and owner aren't text fields and have their own form."""
    kind, thing = _thing(request, slug, pk)
    if kind.tag_text:
        raise Http404
    return thing


def _archivable(request: HttpRequest, slug: str, pk: int) -> tuple[ThingKind, Any]:
    kind, thing = _thing(request, slug, pk)
    if kind.own_archive:
        raise Http404
    return kind, thing


def _back(request: HttpRequest) -> HttpResponseRedirect:
    there = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(there if safe else "/")


# ── Hygiene and tags ──────────────────────────────────────────────────────────
@login_required
@require_safe
def hygiene_page(request: HttpRequest) -> HttpResponse:
    """Findings by rule; also updates the first page's count."""
    everything = untidy.untidy()
    untidy.keep_counts(everything)
    rows = untidy.seen_by(request.user, everything)
    owner = "me" if request.GET.get("owner") == "me" else ""
    if owner:
        rows = [row for row in rows if row.owner == request.user.get_username()]
    context = {"sections": untidy.sections(rows, request.user), "number": len(rows), "owner": owner}
    return render(request, "upkeep/hygiene.html", context)


@login_required
@require_safe
def tags_page(request: HttpRequest) -> HttpResponse:
    """All tags with their number of things, and forms for people who may change them."""
    rows = [{"tag": tag, "number": number} for tag, number in tags_and_owners.all_tags()]
    return render(request, "upkeep/tags.html", {"rows": rows, "lists": thing_kinds()})


@login_required
@may("events.change_tag")
@require_POST
def rename_tag(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename a tag; if the new name exists, merge into it."""
    tag = get_object_or_404(Tag, pk=pk)
    try:
        now = tags_and_owners.rename_tag(tag=tag, name=request.POST.get("name", ""))
        messages.success(request, gettext("“%(old)s” is “%(new)s” now.") % {"old": tag.name, "new": now.name})
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("upkeep:tags")


@login_required
@may("events.delete_tag")
@require_POST
def delete_tag(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a tag from everything."""
    tag = get_object_or_404(Tag, pk=pk)
    tags_and_owners.delete_tag(tag=tag)
    messages.success(request, gettext("The tag “%(name)s” is gone.") % {"name": tag.name})
    return redirect("upkeep:tags")
