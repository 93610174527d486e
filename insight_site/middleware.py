"""The site's small middlewares."""

import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.utils.http import escape_leading_slashes
from django.utils.translation import get_language

from events.catalogue import labels
from insight_site.access.permissions import machine_door
from insight_site.operate import probes
from insight_site.operate.request_lines import ids_of, line_of, note
from insight_site.pages.preferences import zone_of
from reporting.words import fit
from runs.site_zone import shown_in

# Unfold's menus use Alpine, which evaluates its attributes: without 'unsafe-eval' a modal covers the login
# page, and Alpine's own build for strict policies can't read all of them (docs/security.md). Alpine also sets style
# attributes. Of inline style elements only these are taken: Unfold's colours (settings.UNFOLD), and htmx's indicator.
# Only /admin/ gets this; every other page keeps the strict policy of settings.SECURE_CSP.
ADMIN_STYLES = (
    "'sha256-U+S4bJKDIvoi4NgkcHfL/DpfwNyMSnDQaiJf7kr0IIU='",
    "'sha256-bsV5JivYxvGywDAZ22EZJKBFip65Ng9xoJVLbBg7bdo='",
)
ADMIN_CSP = (
    f"default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' {' '.join(ADMIN_STYLES)}; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
PROBES = {"/healthz": probes.healthz, "/readyz": probes.readyz}


def operations(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Outermost middleware: request id, log line, metrics; and the probes, before host check and HTTPS redirect."""

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        ids = ids_of(request.headers.get("X-Request-ID", ""), request.headers.get("traceparent", ""))
        with structlog.contextvars.bound_contextvars(**ids):
            probe = PROBES.get(request.path_info) if request.method in ("GET", "HEAD") else None
            response = probe(request) if probe else get_response(request)
            response["X-Request-ID"] = ids["request_id"]
            if not probe:
                note(line_of(request, response, time.perf_counter() - started))
        return response

    return middleware


class Slashes(CommonMiddleware):
    """Redirect addresses without the final slash as Django does, also for forms.

    Addresses of segments, login and sharing had no slash in 0.3. Django redirects bookmarks; a form on a page opened
    then would lose its input, so it is redirected with its body (308).
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Redirect the form, or do what Django does; machine endpoints are unchanged."""
        form = request.method == "POST" and machine_door(request.path_info) is None
        if form and response.status_code == 404 and self.should_redirect_with_slash(request):
            there = escape_leading_slashes(request.get_full_path(force_append_slash=True))
            return HttpResponsePermanentRedirect(there, preserve_request=True)
        return super().process_response(request, response)


def admin_csp(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Set the admin's own content security policy; Django's middleware keeps a header that is already set."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path.startswith("/admin/"):
            response.headers.setdefault("Content-Security-Policy", ADMIN_CSP)
        return response

    return middleware


def particles(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Choose the Korean particle: templates and Django's forms write both, since they can't know the preceding word."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        worded = response.get("Content-Type", "").startswith(("text/html", "application/json", "application/problem"))
        if worded and not response.streaming and get_language() == "ko" and b"(" in response.content:
            text = response.content.decode(response.charset)
            if (fitting := fit(text)) is not text:
                response.content = fitting.encode(response.charset)
                if response.has_header("Content-Length"):  # else a browser waits for the letters removed
                    response.headers["Content-Length"] = str(len(response.content))
        return response

    return middleware


def time_zones(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Show times in the person's own zone, else in the site's, which stays the same for the whole request.

    APIs give times as they are stored: with their offset, which needs no zone.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if machine_door(request.path_info) is not None:
            return get_response(request)
        with shown_in(zone_of(request)):
            return get_response(request)

    return middleware


def event_names(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Show display names of events on pages; APIs return names as sent."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if machine_door(request.path_info) is not None:
            return get_response(request)
        with labels.shown_here():
            return get_response(request)

    return middleware
