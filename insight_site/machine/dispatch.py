"""From a request to the machine door that answers it."""

from collections.abc import Callable
from functools import cache
from typing import cast

import structlog
from django.core.exceptions import SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware

from events.schema import Caller
from insight_site.access.permissions import as_machine, machine_door, refusal
from insight_site.machine.doors import DOORS
from insight_site.pages import error_pages

log = structlog.get_logger()


def machine_doors(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: requests of machines leave the list here, and get their answer from `DOORS`.

    The management API keeps the whole list, since people use it with their session.
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


def _dispatch(request: HttpRequest) -> HttpResponse:
    """The answer of the door at this path; every trouble becomes an answer in the shape of the door."""
    try:
        request.get_host()  # refuses a host that isn't ours
        for door in DOORS:
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
    """A preflight carries no key, so it is allowed for any origin; the real request is checked. Errors have it too."""
    origin = request.META.get("HTTP_ORIGIN")  # `headers` would read all of them
    if origin is None:
        return response
    caller: Caller | None = getattr(request, "caller", None)
    listed = caller is not None and bool(caller.allowed_origins)
    response["Access-Control-Allow-Origin"] = origin if listed else "*"
    if listed:
        response["Vary"] = "Origin"
    response["Access-Control-Expose-Headers"] = "ETag, Retry-After, X-Request-ID"
    if request.method == "OPTIONS":
        response["Access-Control-Allow-Methods"] = "GET, POST"
        response["Access-Control-Allow-Headers"] = (
            "authorization, content-type, content-encoding, if-none-match, x-api-key, x-request-id, x-retry-count"
        )
        response["Access-Control-Max-Age"] = "7200"
    return response


def answered(request: HttpRequest) -> HttpResponse:
    """The answer of a machine door, without `constant_headers` and length."""
    try:
        return _with_cors(request, as_machine(request, _dispatch))
    except SuspiciousOperation as refused:
        return error_pages.bad_request(request, refused)
    except Exception:
        log.exception("machine.failed")
        return error_pages.server_error(request)


@cache
def constant_headers(*, secure: bool) -> tuple[tuple[str, str], ...]:
    """The headers that every answer of this site has, as Django's own middleware gives them.

    Args:
        secure: whether the request came by HTTPS.
    """
    request = HttpRequest()
    request.is_secure = lambda: secure  # type: ignore[method-assign]
    empty = HttpResponse()
    del empty["Content-Type"]
    return tuple(cast("HttpResponse", SecurityMiddleware(lambda _: empty)(request)).items())
