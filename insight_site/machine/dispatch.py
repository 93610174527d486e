"""From a request to the machine door that answers it."""

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


def _dispatch(request: HttpRequest, doors: Sequence[Door]) -> HttpResponse:
    """The answer of the door at this path; every trouble becomes an answer in the shape of the door."""
    try:
        request.get_host()  # refuses a host that isn't ours
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
    """A preflight carries no key, so it is allowed for any origin; the real request is checked. Errors have it too.

    A cache may give an answer to other callers than the one who asked. So what is read says what it depends on, and has
    what browsers need, also for a caller without an origin.
    """
    origin = request.META.get("HTTP_ORIGIN")  # `headers` would read all of them
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
    """The answer of a machine door, without `constant_headers` and length.

    Args:
        request: of any method.
        doors: those of a process that has others than web processes have.
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
    """The headers that every answer of this site has, as Django's own middleware gives them.

    Args:
        secure: whether the request came by HTTPS.
    """
    request = HttpRequest()
    request.is_secure = lambda: secure  # type: ignore[method-assign]
    empty = HttpResponse()
    del empty["Content-Type"]
    # Only what it says of answers: asked as a whole it would send an insecure request on to HTTPS.
    return tuple(SecurityMiddleware(lambda _: empty).process_response(request, empty).items())
