"""The machine doors as WSGI in front of the site: from a request to the door that answers it."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from http.client import responses
from typing import Any, cast

import structlog
from django.core.exceptions import SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import close_old_connections, connections
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware

from events.schema import Caller
from insight_site.access.permissions import as_machine, machine_door, refusal
from insight_site.machine.doors import DOORS, Door
from insight_site.operate.request_lines import ids_of, line_of, note_soon
from insight_site.pages import error_pages

# Dispatch a request to its machine endpoint.

log = structlog.get_logger()


def machine_doors(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: answers requests to machine endpoints from `DOORS`, skipping the middlewares after it.

    The management API passes through all middlewares, since people use it with their session.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if machine_door(request.path_info) in (None, "management"):
            return get_response(request)
        response = answered(request)
        for name, value in constant_headers(secure=request.is_secure()):
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Length", str(len(response.content)))
        return response

    return middleware


def _dispatch(request: HttpRequest, doors: Sequence[Door]) -> HttpResponse:
    """The answer of the endpoint at this path; every error becomes a response in the endpoint's format."""
    try:
        request.get_host()  # rejects hosts not in ALLOWED_HOSTS
        for door in doors:
            if route := door.path.fullmatch(request.path_info):
                arguments = route.groupdict()
                return refusal(request, door.rule, arguments) or door.handler(request, **arguments)
    except SuspiciousOperation as refused:
        return error_pages.bad_request(request, refused)
    except Exception:
        log.exception("machine.failed")
        got_request_exception.send(sender=None, request=request)
        return error_pages.server_error(request)
    return error_pages.not_found(request, Http404())


def _with_cors(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Add CORS headers, also to errors. A preflight has no key, so any origin is allowed; the real request is checked.

    A cache may serve an answer to other callers. So answers to reads state what they vary by, and have the CORS headers
    even for a caller without an origin.
    """
    origin = request.META.get("HTTP_ORIGIN")  # `headers` would parse all of them
    caller: Caller | None = getattr(request, "caller", None)
    listed = caller is not None and bool(caller.allowed_origins)
    if listed:
        response["Vary"] = "Origin"
    if origin is None and (listed or request.method != "GET"):
        return response
    response["Access-Control-Allow-Origin"] = origin if origin and listed else "*"
    response["Access-Control-Expose-Headers"] = "ETag, Retry-After, X-Request-ID"
    if request.method == "OPTIONS":
        response["Access-Control-Allow-Methods"] = "GET, POST"
        response["Access-Control-Allow-Headers"] = (
            "authorization, content-type, content-encoding, if-none-match, x-api-key, x-request-id, x-retry-count"
        )
        response["Access-Control-Max-Age"] = "7200"
    return response


def answered(request: HttpRequest, doors: Sequence[Door] = ()) -> HttpResponse:
    """The answer of a machine endpoint, without `constant_headers` and content length.

    Args:
        request: of any method.
        doors: the endpoints, in a process that doesn't have those of web processes.
    """
    try:
        return _with_cors(request, as_machine(request, lambda asked: _dispatch(asked, doors or DOORS)))
    except SuspiciousOperation as refused:
        return error_pages.bad_request(request, refused)
    except Exception:
        log.exception("machine.failed")
        return error_pages.server_error(request)


@cache
def constant_headers(*, secure: bool) -> tuple[tuple[str, str], ...]:
    """The headers that every answer of this site has, as Django's own middleware sets them.

    Args:
        secure: whether the request came by HTTPS.
    """
    request = HttpRequest()
    request.is_secure = lambda: secure  # type: ignore[method-assign]
    empty = HttpResponse()
    del empty["Content-Type"]
    # Only its response part: as a whole it would redirect a plain HTTP request to HTTPS.
    return tuple(SecurityMiddleware(lambda _: empty).process_response(request, empty).items())


# WSGI front for the machine endpoints: requests bypass Django's handler, resolver and middleware chain.
#
# The site's own middlewares would take longer than the answer. Without this front (tests, ASGI, `runserver`), the
# middleware `machine_doors` in `insight_site.machine.dispatch` gives the same answers.

LOOK_SECONDS = 1.0
_looked = threading.local()  # per thread, as connections are
type Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_doors(site: Any) -> Application:
    """Put the machine endpoints before Django's application, which keeps the management API, as people use it too."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if machine_door(environ.get("PATH_INFO", "/")) in (None, "management"):
            return cast("Iterable[bytes]", site(environ, start_response))
        return _answer(site.request_class(environ), environ, start_response)

    return application


def _answer(request: Any, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    began = time.perf_counter()
    ids = ids_of(environ.get("HTTP_X_REQUEST_ID", ""), environ.get("HTTP_TRACEPARENT", ""))
    look_after_connections()
    with structlog.contextvars.bound_contextvars(**ids):
        response = answered(request)
    note_soon(line_of(request, response, time.perf_counter() - began), ids)
    status, body = response.status_code, response.content
    headers = [*response.items(), *constant_headers(secure=request.is_secure())]
    headers += [("X-Request-ID", ids["request_id"]), ("Content-Length", str(len(body)))]
    start_response(f"{status} {responses.get(status, 'Unknown')}", headers)
    return [body]


def look_after_connections() -> None:
    """Close stale database connections as Django does around each request, but only after an error or once a second.

    Django's check makes the next query first test the connection, which would double the round trips to the database.
    """
    now = time.monotonic()
    trouble = any(connection.errors_occurred for connection in connections.all(initialized_only=True))
    if trouble or now - getattr(_looked, "at", -LOOK_SECONDS) >= LOOK_SECONDS:
        _looked.at = now
        close_old_connections()
