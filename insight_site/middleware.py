"""Small middlewares of the site."""

import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.utils.http import escape_leading_slashes
from django.utils.translation import get_language
from prometheus_client import Counter, Histogram

from events.catalogue import labels
from insight_site.access.permissions import machine_door
from insight_site.pages import probes
from reporting.particles import fit

# Unfold's menus are written in Alpine, which evaluates its attributes: without 'unsafe-eval' a modal covers the login
# page. Only /admin/ gets it; every other page keeps the strict policy of settings.SECURE_CSP.
ADMIN_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
PROBES = {"/healthz": probes.healthz, "/readyz": probes.readyz}
REQUESTS = Counter("insight_requests", "Requests by door and status.", ["door", "status"])
LATENCY = Histogram("insight_request_seconds", "Time to answer, by door.", ["door"])
log = structlog.get_logger()


def operations(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Outermost: the request id, one log line, metrics; and the probes, before the host check and the HTTPS rule."""

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        sent_id = request.headers.get("X-Request-ID", "")
        request_id = sent_id if REQUEST_ID.fullmatch(sent_id) else uuid.uuid4().hex
        trace = TRACE_PARENT.fullmatch(request.headers.get("traceparent", ""))
        ids = {"request_id": request_id, **({"trace_id": trace[1]} if trace else {})}
        with structlog.contextvars.bound_contextvars(**ids):
            probe = PROBES.get(request.path_info) if request.method in ("GET", "HEAD") else None
            response = probe(request) if probe else get_response(request)
            response["X-Request-ID"] = request_id
            if not probe:
                _note(request, response, time.perf_counter() - started)
        return response

    return middleware


def _note(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """Never the path's query, a key, a body or a user id."""
    door = getattr(request, "door", None) or machine_door(request.path_info) or "people"
    caller = getattr(request, "caller", None)
    REQUESTS.labels(door, response.status_code).inc()
    LATENCY.labels(door).observe(seconds)
    log.info(
        "request",
        door=door,
        method=request.method,
        status=response.status_code,
        duration_ms=round(seconds * 1000, 1),
        key=caller.key_prefix if caller else None,
    )


class Slashes(CommonMiddleware):
    """Django's way from an address without its last slash to the page, for forms too.

    Segments, the report before login and sharing had no slash in 0.3. Bookmarks are sent on by Django; a form of a page
    that was opened then would arrive without what was filled in, so it is sent on with it (308).
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Send the form on, or do what Django does; doors of machines answer as ever."""
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
    """Korean pages: templates and Django's own forms write both particles, since they can't know the word before."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        worded = response.get("Content-Type", "").startswith(("text/html", "application/json", "application/problem"))
        if worded and not response.streaming and get_language() == "ko" and b"(" in response.content:
            text = response.content.decode(response.charset)
            if (fitting := fit(text)) is not text:
                response.content = fitting.encode(response.charset)
                if response.has_header("Content-Length"):  # a browser would wait for the letters that are gone
                    response.headers["Content-Length"] = str(len(response.content))
        return response

    return middleware


def event_names(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """People's pages show the display names of events; machines get names as they were sent."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if machine_door(request.path_info) is not None:
            return get_response(request)
        with labels.shown_here():
            return get_response(request)

    return middleware
