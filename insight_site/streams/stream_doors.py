"""Endpoints of the stream process: rules, limits, CORS and errors are those of web processes."""

import re
from dataclasses import replace
from time import perf_counter

import structlog
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import Scope

from insight_site.access.permissions import Rule, error
from insight_site.addresses import visitor_of
from insight_site.machine.application import look_after_connections
from insight_site.machine.dispatch import answered, constant_headers
from insight_site.machine.doors import STREAM_DOOR, Door
from insight_site.made_requests import environ_of, request_of
from insight_site.operation import probes
from insight_site.request_lines import ids_of, line_of, note
from insight_site.streams.open_streams import OpenStream, OpenStreams

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # tells nginx not to buffer
}
FULL_SECONDS = 30
SAID = {"all": "of this process", "key": "of this key", "visitor": "of this address"}


class StreamDoors:
    """Answers requests to this process's own endpoints; called in a thread, since each may query the database."""

    def __init__(self, streams: OpenStreams) -> None:
        self.streams = streams
        self.doors = (
            replace(STREAM_DOOR, handler=self._open),
            Door(re.compile(r"/metrics"), Rule("metrics", "metrics:read", ("GET",), internal=True), _metrics),
        )

    def __call__(self, scope: Scope) -> tuple[HttpResponse, OpenStream | None]:
        """The response; for a stream, only its headers are used."""
        began = perf_counter()
        request = request_of(environ_of(scope))
        ids = ids_of(request.META.get("HTTP_X_REQUEST_ID", ""), request.META.get("HTTP_TRACEPARENT", ""))
        look_after_connections()
        with structlog.contextvars.bound_contextvars(**ids):
            response = answered(request, self.doors)
            note(line_of(request, response, perf_counter() - began))
        for name, value in (*constant_headers(secure=request.is_secure()), ("X-Request-ID", ids["request_id"])):
            response.headers.setdefault(name, value)
        return response, getattr(request, "stream", None)

    def _open(self, request: HttpRequest, client_key: str) -> HttpResponse:
        caller, visitor = request.caller, visitor_of(request)  # type: ignore[attr-defined]
        if limit := self.streams.full_for(caller, visitor):
            return error(
                request, 429, "too_many_streams", f"all streams {SAID[limit]} are open", retry_after=FULL_SECONDS
            )
        request.stream = OpenStream(  # type: ignore[attr-defined]
            caller=caller,
            origin=request.headers.get("Origin", ""),
            visitor=visitor,
            knows=request.headers.get("Last-Event-ID"),
        )
        return HttpResponse(headers=HEADERS)


def _metrics(request: HttpRequest) -> HttpResponse:
    return HttpResponse(probes.own_metrics(), content_type=CONTENT_TYPE_LATEST)
