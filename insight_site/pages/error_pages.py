"""The error pages of the whole site: JSON in the endpoint's format for machines, Django's page for people."""

import sys
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views import defaults

from insight_site.access.permissions import error, machine_door

AGAIN_SECONDS = 5


def bad_request(request: HttpRequest, exception: Exception, *args: Any) -> HttpResponse:
    """400 for the whole site: JSON for machines, Django's page for people."""
    if machine_door(request.path_info):
        return error(request, 400, "bad_request", "the request can't be read")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception, *args: Any) -> HttpResponse:
    """403 for the whole site."""
    if machine_door(request.path_info):
        return error(request, 403, "forbidden", "this is not allowed")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception, *args: Any) -> HttpResponse:
    """404 for the whole site."""
    if machine_door(request.path_info):
        return error(request, 404, "not_found", "there is no such path")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    """500 for the whole site; 503 when the database is unavailable or locked, as when an erasure rewrites SQLite's."""
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        return _unavailable(request)
    if machine_door(request.path_info):
        return error(request, 500, "internal_error", "our fault; try again")
    return defaults.server_error(request)


def _unavailable(request: HttpRequest) -> HttpResponse:
    if machine_door(request.path_info):
        return error(request, 503, "unavailable", "the database is away; try again", retry_after=AGAIN_SECONDS)
    page = loader.get_template("503.html").render()
    return HttpResponse(page, status=503, headers={"Retry-After": str(AGAIN_SECONDS)})
