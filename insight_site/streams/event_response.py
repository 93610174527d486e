"""What goes over one connection: server-sent events, a sign of life while nothing happens, and an end with a hint.

Format: WHATWG HTML, "Server-sent events"; the data are OFREP 0.3.0 (`service/event-streams.yaml`).
"""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from django.utils import timezone
from starlette.types import Receive, Scope, Send

from insight_site.streams.config_watch import Change
from insight_site.streams.open_streams import DELAY, TOLD, OpenStream, OpenStreams, somewhere

BEAT_SECONDS = 15.0  # proxies give a silent connection up after 30 or 60
SEND_SECONDS = 10.0  # a client that takes nothing for so long is dropped
SPREAD_SECONDS = 0.3  # in which those that hear of a change are told one after the other
RETRY_SECONDS = (2.0, 5.0)  # until a client comes back to a process that vanished
ENDED_SECONDS = (1.0, 10.0)  # to one that said goodbye: all of them within these


class EventResponse:
    """The answer to one client, as an ASGI application; it ends with the connection."""

    def __init__(self, stream: OpenStream, streams: OpenStreams, headers: list[tuple[bytes, bytes]]) -> None:
        self.stream, self.streams, self.headers = stream, streams, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the connection until the client leaves, takes nothing more, loses its key, or the process ends."""
        gone = asyncio.create_task(self._watch(receive))
        self.streams.add(self.stream)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await send({"type": "http.response.start", "status": 200, "headers": self.headers})
            await self._write(send, _hint(RETRY_SECONDS) + _known(self.stream.knows))
            while not self.stream.why:
                await self._next(send)
            if self.stream.why != "left":
                await self._write(send, _hint(ENDED_SECONDS) + b"\n", more=False)
        except TimeoutError:
            self.stream.end("slow")
        except OSError:
            self.stream.end("left")
        finally:
            gone.cancel()
            self.streams.remove(self.stream)

    async def _next(self, send: Send) -> None:
        """Tell what there is to tell, or that we live."""
        told = self.streams.told
        if told is not None and self.stream.knows != told.tag:
            await asyncio.sleep(somewhere(0, SPREAD_SECONDS))
            told = self.streams.told or told
            await self._write(send, event_of(told))
            self.stream.knows = told.tag
            TOLD.inc()
            if self.stream.since < self.streams.told_at:  # it heard of it as it came
                DELAY.observe((timezone.now() - told.at).total_seconds())
            return
        self.stream.wake.clear()
        try:
            async with asyncio.timeout(somewhere(BEAT_SECONDS * 0.8, BEAT_SECONDS)):
                await self.stream.wake.wait()
        except TimeoutError:
            await self._write(send, b": \n\n")

    async def _write(self, send: Send, text: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await send({"type": "http.response.body", "body": text, "more_body": more})

    async def _watch(self, receive: Receive) -> None:
        message: MutableMapping[str, Any] = {}
        while message.get("type") != "http.disconnect":
            message = await receive()
        self.stream.end("left")


def event_of(change: Change) -> bytes:
    """The one event of the protocol: ask for your answers again."""
    data = {"type": "refetchEvaluation", "etag": f'"{change.tag}"', "lastModified": int(change.at.timestamp())}
    return f"id: {change.tag}\nevent: message\ndata: {json.dumps(data)}\n\n".encode()


def _known(tag: str | None) -> bytes:
    """An id without data sets what the client sends as `Last-Event-ID`, and is no event."""
    return f"id: {tag}\n\n".encode() if tag else b"\n"


def _hint(bounds: tuple[float, float]) -> bytes:
    """When to come back after the connection is lost."""
    return f"retry: {round(somewhere(*bounds) * 1000)}\n".encode()
