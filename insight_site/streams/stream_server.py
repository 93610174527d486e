"""The stream process: Starlette on uvicorn, with one watch of the configuration for all streams."""

import asyncio
import resource
import signal
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

import structlog
import uvicorn
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from events.schema import Caller
from insight_site.access import keys
from insight_site.access.stream_address import ALIVE
from insight_site.patient_uvicorn import PatientProtocol
from insight_site.streams.config_watch import ConfigWatch
from insight_site.streams.event_response import EventResponse
from insight_site.streams.open_streams import OpenStreams
from insight_site.streams.stream_doors import StreamDoors

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
            proxy_headers=False,  # `insight_site.addresses` reads forwarded headers
            timeout_graceful_shutdown=GRACE_SECONDS,
            backlog=2048,
            http=_Connection,
        )
        for told in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signals again after an orderly end
            signal.signal(told, lambda *_: None)
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
