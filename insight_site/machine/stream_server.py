"""The process that holds streams: Starlette in front, uvicorn below, the rules and limits of web processes.

OFREP 0.3.0's event streams tell connected clients of changes (docs/event_streams.md). It is a process of its own
(`manage.py event_streams`), since a web process needs a thread per open request.
"""

import asyncio
import re
import resource
import signal
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from time import perf_counter

import structlog
import uvicorn
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from events.schema import Caller
from insight_site.access import keys
from insight_site.access.callers import environ_of, request_of, visitor_of
from insight_site.access.permissions import ALIVE, Rule, error
from insight_site.machine.config_watch import ConfigWatch
from insight_site.machine.dispatch import answered, constant_headers, look_after_connections
from insight_site.machine.doors import STREAM_DOOR, Door
from insight_site.machine.open_streams import EventResponse, OpenStream, OpenStreams
from insight_site.operate import probes
from insight_site.operate.request_lines import ids_of, line_of, note
from insight_site.patient_uvicorn import PatientProtocol

# Endpoints of the stream process: rules, limits, CORS and errors are those of web processes.

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


# The stream process: Starlette on uvicorn, with one watch of the configuration for all streams.

KEY_SECONDS = 2.0  # between checks whether keys of open streams are live
GRACE_SECONDS = 5
DEAD_SECONDS = 30  # a peer that acknowledges nothing for this long counts as gone
OTHER_FILES = 200  # descriptors for other uses than connections
OTHER_CONNECTIONS = 100  # connections beside open streams: those that ask, and those that haven't yet
log = structlog.get_logger()


class StreamServer:
    """The state of the process."""

    def __init__(self) -> None:
        self.streams = OpenStreams()
        self.watch = ConfigWatch(self.streams.tell)
        self.doors = StreamDoors(self.streams)
        self.threads = ThreadPoolExecutor(2, "insight-stream-doors")  # each thread keeps a database connection
        self.app = Starlette(
            routes=[
                Route("/healthz", _healthz),
                Route(ALIVE, _healthz),
                Route("/readyz", self._readyz),
                Mount("/", self._door),
            ],
            lifespan=self._alive,
        )

    def run(self, host: str, port: int) -> None:
        """Serve until SIGTERM or SIGINT; streams then end with a reconnection delay."""
        _allow_files(settings.EVENT_STREAMS + OTHER_FILES)
        config = uvicorn.Config(
            self.app,
            log_config=None,
            access_log=False,  # it would log keys, which are part of paths
            server_header=False,
            proxy_headers=False,  # `insight_site.access.callers` reads forwarded headers
            timeout_graceful_shutdown=GRACE_SECONDS,
            backlog=2048,
            http=_Connection,
        )
        for stop_signal in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signals again after an orderly end
            signal.signal(stop_signal, lambda *_: None)
        _Server(config, self.streams).run(sockets=[_listening(host, port)])

    @asynccontextmanager
    async def _alive(self, app: Starlette) -> AsyncIterator[None]:
        await self.watch.begin()
        tasks = [asyncio.create_task(self.watch.run()), asyncio.create_task(self._look_at_keys())]
        log.info("streams.began")
        yield
        for task in tasks:
            task.cancel()
        self.threads.shutdown(wait=False, cancel_futures=True)
        log.info("streams.ended")

    async def _look_at_keys(self) -> None:
        """End streams whose key was revoked, expired or changed: one query for all of them."""
        while True:
            await asyncio.sleep(KEY_SECONDS)
            if ids := self.streams.key_ids():
                with suppress(DatabaseError, InterfaceError):  # nothing can have changed meanwhile
                    loop = asyncio.get_running_loop()
                    self.streams.end_unless(await loop.run_in_executor(self.threads, _still_live, ids), ids)

    async def _readyz(self, request: Request) -> Response:
        """Readiness: the configuration must have been read, and the database must answer."""
        ready = self.streams.told is not None and not self.watch.away
        line = "ok" if ready else "failed: the configuration can't be read"
        status = {"status": "ready" if ready else "not ready", "database": line}
        return JSONResponse(status, status_code=200 if ready else 503)

    async def _door(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        response, stream = await loop.run_in_executor(self.threads, self.doors, scope)
        if stream is None:
            plain = Response(response.content, response.status_code, dict(response.items()))
            await plain(scope, receive, send)
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
        await EventResponse(stream, self.streams, headers)(scope, receive, send)


class _Connection(PatientProtocol):
    """A stream is a request in progress; other requests have a timeout, and places for a few more than the streams."""

    most_connections = settings.EVENT_STREAMS + OTHER_CONNECTIONS


class _Server(uvicorn.Server):
    """Ends the streams first: uvicorn would wait for them until its timeout, and cut them off."""

    def __init__(self, config: uvicorn.Config, streams: OpenStreams) -> None:
        super().__init__(config)
        self.streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.streams.end_all()
        await super().shutdown(sockets)


async def _healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _still_live(ids: list[int]) -> dict[int, Caller]:
    try:
        return keys.still_live(ids)
    except (DatabaseError, InterfaceError):
        connection.close()
        raise


def _listening(host: str, port: int) -> socket.socket:
    """The listening socket; options set here apply to every accepted connection."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=2048)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_SECONDS * 1000)
    listening.setblocking(False)
    return listening


def _allow_files(wanted: int) -> None:
    """Raise the soft limit of open files as far as allowed: many systems begin with 1,024."""
    with suppress(OSError, ValueError):  # a service unit that forbids it sets the limit itself
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        if most < wanted:
            log.warning("streams.few_files", allowed=most, wanted=wanted)
