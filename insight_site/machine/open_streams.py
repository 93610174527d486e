"""The streams that a process holds: how many there may be, what all are told, and what goes over a connection."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Collection, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils import timezone
from prometheus_client import Counter as Count
from prometheus_client import Gauge, Histogram
from starlette.types import Receive, Scope, Send

from events.schema import Caller
from insight_site.machine.config_watch import Change

# The open streams of a process: their limits, and notifications to all of them.

# A client that evaluates before a change and opens its stream after the notification would otherwise miss it.
RECENT_SECONDS = 60.0
OPEN = Gauge("insight_event_streams_open", "Event streams that are open.", multiprocess_mode="livesum")
ENDED = Count("insight_event_streams_ended", "Event streams that ended, by why.", ["why"])
REFUSED = Count("insight_event_streams_refused", "Event streams that were refused for their number.", ["limit"])
TOLD = Count("insight_event_streams_told", "Changes that were written to event streams.")
DELAY = Histogram(
    "insight_event_streams_delay_seconds",
    "From the moment of a change until it was written to a stream.",
    buckets=(0.5, 1.0, 1.25, 1.5, 1.75, 2.0, 3.0, 5.0, 10.0),
)


@dataclass(eq=False)
class OpenStream:
    """An open connection.

    Attributes:
        caller: caller of the key that opened it.
        origin: of the page; "" for a client that is no browser.
        visitor: the address, as limits count it.
        knows: the tag that the client has; None without one.
        why: reason to end it; "" while it stays open.
        wake: set for a notification, or to end it.
        since: when it was opened, in monotonic seconds.
    """

    caller: Caller
    origin: str
    visitor: str
    knows: str | None
    why: str = ""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    since: float = field(default_factory=time.monotonic)

    def end(self, why: str) -> None:
        """End it soon; the first reason is kept."""
        self.why = self.why or why
        self.wake.set()


class OpenStreams:
    """All open connections.

    Attributes:
        told: the last announced change, or the state at the start.
        told_at: when it was announced, in monotonic seconds.
        ending: the process is shutting down.
    """

    def __init__(self) -> None:
        self.told: Change | None = None
        self.ending = False
        self.told_at = float("-inf")
        self._open: set[OpenStream] = set()
        self._by_key: Counter[int] = Counter()
        self._by_visitor: Counter[tuple[int, str]] = Counter()

    def full_for(self, caller: Caller, visitor: str) -> str:
        """The limit that another stream would exceed: `all`, `key` or `visitor`; "" for none."""
        limits = (
            ("all", len(self._open), settings.EVENT_STREAMS),
            ("key", self._by_key[caller.key_id], settings.EVENT_STREAMS_KEY),
            ("visitor", self._by_visitor[caller.key_id, visitor], settings.EVENT_STREAMS_VISITOR),
        )
        limit = next((name for name, number, most in limits if number >= most), "")
        if limit:
            REFUSED.labels(limit).inc()
        return limit

    def add(self, stream: OpenStream) -> None:
        """Add a stream. With a tag, it is notified if another is served; without, of a recent change."""
        self._open.add(stream)
        self._count(stream, 1)
        if self.told is not None and stream.knows is None:
            recent = time.monotonic() - self.told_at < RECENT_SECONDS
            stream.knows = "" if recent else self.told.tag
        if self.ending:
            stream.end("end")

    def remove(self, stream: OpenStream) -> None:
        """Remove a closed stream."""
        self._open.discard(stream)
        self._count(stream, -1)
        ENDED.labels(stream.why or "left").inc()

    def tell(self, change: Change) -> None:
        """Notify all streams, at spread times, since clients then evaluate at once."""
        if self.told is not None:  # the first state of a process is no change
            self.told_at = time.monotonic()
        self.told = change
        for stream in self._open:
            stream.wake.set()

    def end_all(self) -> None:
        """End all streams, with a reconnection delay."""
        self.ending = True
        for stream in list(self._open):
            stream.end("end")

    def key_ids(self) -> list[int]:
        """Ids of the keys of open streams."""
        return list(self._by_key)

    def end_unless(self, live: dict[int, Caller], asked: Collection[int]) -> None:
        """End streams whose key isn't live, lacks the scope, or doesn't allow their origin any more.

        Args:
            live: callers of live keys, by key id.
            asked: ids of the keys that were checked; streams of other keys opened meanwhile and stay.
        """
        for stream in [candidate for candidate in self._open if candidate.caller.key_id in asked]:
            caller = live.get(stream.caller.key_id)
            origins = caller.allowed_origins if caller else ()
            wrong_origin = stream.origin and origins and stream.origin not in origins
            if caller is None or not caller.may("assign:read") or wrong_origin:
                stream.end("key")

    def _count(self, stream: OpenStream, change: int) -> None:
        key = stream.caller.key_id
        _add(self._by_key, key, change)
        _add(self._by_visitor, (key, stream.visitor), change)
        OPEN.set(len(self._open))


def _add[T](counts: Counter[T], name: T, change: int) -> None:
    counts[name] += change
    if not counts[name]:  # don't keep names of closed streams
        del counts[name]


def somewhere(low: float, high: float) -> float:
    """A random number of seconds within bounds, to spread clients over time. Not secret."""
    return random.uniform(low, high)  # noqa: S311


# The response of one stream: server-sent events, keep-alive comments, and a reconnection delay at the end.
#
# Format: WHATWG HTML, "Server-sent events"; the data are OFREP 0.3.0 (`service/event-streams.yaml`).

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
        change = self.streams.told
        if change is not None and self.stream.knows != change.tag:
            await asyncio.sleep(somewhere(0, SPREAD_SECONDS))
            change = self.streams.told or change
            await self._write(send, event_of(change))
            self.stream.knows = change.tag
            TOLD.inc()
            if self.stream.since < self.streams.told_at:  # it was connected when the change came
                DELAY.observe((timezone.now() - change.at).total_seconds())
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
