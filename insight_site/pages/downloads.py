"""Downloads of reports under the page's own permission, and share links for people without an account."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language, gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from aha.explore.views import picture_of
from experiments.models import Analysis
from insight_site.access import limits
from insight_site.access.permissions import client_address
from insight_site.exports import pictures
from insight_site.exports import takeaway as exports_takeaway
from insight_site.exports.sign import as_text, keys_document, signed_document
from insight_site.models import Digest, ShareLink
from insight_site.notify.digest_letters import shared_digest
from runs.kinds import kind_of
from runs.models import Run
from runs.web import person

# The public signing keys, for anybody who verifies a signature.

CACHED_SECONDS = 3600


@require_safe
def keys(request: HttpRequest) -> JsonResponse:
    """All public keys of the site, old ones too; the same for everybody."""
    response = JsonResponse(keys_document(), json_dumps_params={"indent": 1})
    response["Cache-Control"] = f"public, max-age={CACHED_SECONDS}"
    response["Access-Control-Allow-Origin"] = "*"  # pages of other origins may verify a signature, too
    return response


BAD_TOKENS_A_MINUTE = 20


@login_required
@require_safe
def explore_png(request: HttpRequest, view: str, slug: str) -> HttpResponse:
    """A chart of Explore as PNG."""
    response = HttpResponse(pictures.png_of(picture_of(request, view, slug)), content_type="image/png")
    response["Content-Disposition"] = f'attachment; filename="insight-{view}-{slug}.{get_language()}.png"'
    return response


@login_required
@require_safe
def takeaway(request: HttpRequest, label: str, pk: int, kind: str) -> HttpResponse:
    """A report as a file: html, csv, json or pdf; for a final analysis also the signed document."""
    run = _run(request, label, pk)
    if kind == "signed":
        return _signed(run)
    if kind not in exports_takeaway.FORMATS or (kind == "pdf" and not exports_takeaway.offers_pdf()):
        raise Http404
    content_type, make = exports_takeaway.FORMATS[kind]
    response = HttpResponse(make(run), content_type=content_type)
    name = f"insight-{run._meta.model_name}-{run.pk}.{get_language()}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Content-Security-Policy"] = exports_takeaway.POLICY
    return response


def _signed(run: Run) -> HttpResponse:
    if not isinstance(run, Analysis) or (document := signed_document(run)) is None:
        raise Http404
    response = HttpResponse(as_text(document), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{run.experiment.key}-{run.pk}.signed.json"'
    return response


@login_required
@permission_required("insight_site.add_sharelink", raise_exception=True)
@require_POST
def share(request: HttpRequest, label: str, pk: int) -> HttpResponse:
    """Create a share link to a report; shown only once."""
    run = _run(request, label, pk)
    try:
        days = int(request.POST.get("days", ""))
        _link, token = exports_takeaway.create_link(run=run, days=days, by=person(request))
    except ValueError:
        messages.error(request, gettext("Choose how long the link shall work."))
    else:
        address = request.build_absolute_uri(reverse("shared", args=[token]))
        text = gettext("Whoever has this link reads the report until it expires. It is shown only now:")
        messages.success(request, format_html('{} <code class="link">{}</code>', text, address))
    return redirect(_back(request))


@login_required
@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke a link; allowed to its maker, and to people who may delete links."""
    link = get_object_or_404(ShareLink, pk=pk)
    if link.created_by_id != request.user.pk and not request.user.has_perm("insight_site.delete_sharelink"):
        raise PermissionDenied
    exports_takeaway.revoke_link(link=link)
    messages.success(request, gettext("The link no longer works."))
    return redirect(_back(request))


@require_safe
@never_cache
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """The shared report, read-only; 410 when the link has ended, 404 when it never existed."""
    link = exports_takeaway.find_link(token)
    if link is None:  # only wrong tokens are counted: someone who guesses must not lock out others behind one address
        if not limits.passes(f"badshare:{client_address(request)}", BAD_TOKENS_A_MINUTE):
            return _apart(HttpResponse(gettext("Too many attempts; try again in a minute."), status=429))
        raise Http404
    if not link.is_live:
        return _apart(render(request, "insight_site/gone.html", status=410))

    language = request.GET.get("language", "")
    with translation.override(language if language in dict(settings.LANGUAGES) else get_language()):
        page = _behind(link, whole="whole" in request.GET)
    if page is None:
        return _apart(render(request, "insight_site/gone.html", status=410))
    exports_takeaway.note_use(link)
    response = _apart(HttpResponse(page))
    response["Content-Security-Policy"] = exports_takeaway.POLICY
    return response


def _behind(link: ShareLink, *, whole: bool) -> str | None:
    """The page that a link leads to, in the active language; None when its row is deleted."""
    if link.run_label == Digest._meta.label:
        return shared_digest(link.run_pk)
    run = exports_takeaway.find_run(link.run_label, link.run_pk)
    return None if run is None else exports_takeaway.as_html(run, shared=True, whole=whole)


def _run(request: HttpRequest, label: str, pk: int) -> Run:
    """The finished run of a report that this person may read."""
    run = exports_takeaway.find_run(label, pk)
    if run is None:
        raise Http404
    permission = kind_of(run).may_read
    if permission and not request.user.has_perm(permission):
        raise PermissionDenied
    return run


def _back(request: HttpRequest) -> str:
    """The page with the form, to return to."""
    wanted = request.POST.get("next", "")
    here = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if here else reverse("home")


def _apart(response: HttpResponse) -> HttpResponse:
    """Headers for shared pages: no search engine indexes it, and no other site learns its address."""
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Referrer-Policy"] = "no-referrer"
    return response
