"""WSGI front for the machine endpoints: requests bypass Django's handler, resolver and middleware chain.

The site's own middlewares would take longer than the answer. Without this front (tests, ASGI, `runserver`), the
middleware `machine_doors` in `insight_site.machine.dispatch` gives the same answers.
"""

import threading
import time
from collections.abc import Callable, Iterable
from http.client import responses
from typing import Any, cast

import structlog
from django.db import close_old_connections, connections

from insight_site.access.permissions import machine_door
from insight_site.machine.dispatch import answered, constant_headers
from insight_site.machine.lines import note_soon
from insight_site.request_lines import ids_of, line_of

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
    trouble = any(one.errors_occurred for one in connections.all(initialized_only=True))
    if trouble or now - getattr(_looked, "at", -LOOK_SECONDS) >= LOOK_SECONDS:
        _looked.at = now
        close_old_connections()
