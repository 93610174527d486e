"""The response of one stream: server-sent events, keep-alive comments, and a reconnection delay at the end.

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

BEAT_SECONDS = 15.0  # proxies close a silent connection after 30 or 60
SEND_SECONDS = 10.0  # a client that reads nothing for this long is dropped
SPREAD_SECONDS = 0.3  # clients are notified of a change at random times within this
RETRY_SECONDS = (2.0, 5.0)  # reconnection delay after a process vanished
ENDED_SECONDS = (1.0, 10.0)  # reconnection delay after an orderly end: clients are spread over this


class EventResponse:
    """The answer to one client, as an ASGI application; it ends with the connection."""

    def __init__(self, stream: OpenStream, streams: OpenStreams, headers: list[tuple[bytes, bytes]]) -> None:
        self.stream, self.streams, self.headers = stream, streams, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the connection until the client leaves, stops reading, loses its key, or the process ends."""
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
        """Send a notification, or a keep-alive comment."""
        told = self.streams.told
        if told is not None and self.stream.knows != told.tag:
            await asyncio.sleep(somewhere(0, SPREAD_SECONDS))
            told = self.streams.told or told
            await self._write(send, event_of(told))
            self.stream.knows = told.tag
            TOLD.inc()
            if self.stream.since < self.streams.told_at:  # it was connected when the change came
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
    """The protocol's only event: evaluate your flags again."""
    data = {"type": "refetchEvaluation", "etag": f'"{change.tag}"', "lastModified": int(change.at.timestamp())}
    return f"id: {change.tag}\nevent: message\ndata: {json.dumps(data)}\n\n".encode()


def _known(tag: str | None) -> bytes:
    """An id without data, which sets the client's `Last-Event-ID` and is no event."""
    return f"id: {tag}\n\n".encode() if tag else b"\n"


def _hint(bounds: tuple[float, float]) -> bytes:
    """The delay before reconnecting."""
    return f"retry: {round(somewhere(*bounds) * 1000)}\n".encode()
