"""Dispatch a request to its machine endpoint."""

from collections.abc import Callable, Sequence
from functools import cache

import structlog
from django.core.exceptions import SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware

from events.schema import Caller
from insight_site.access.permissions import as_machine, machine_door, refusal
from insight_site.machine.doors import DOORS, Door
from insight_site.pages import error_pages

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
            if found := door.path.fullmatch(request.path_info):
                arguments = found.groupdict()
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
